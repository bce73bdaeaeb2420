"""The sets that two-latent gnODEs remember: their shape, drift, rates, and what keeps them slow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.paper.networks import network
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.dynamics import VectorField, integrate
from neurognode.interpret import portrait
from neurognode.models import TaskNetwork
from neurognode.synthetic import tasks

HALF_WIDTH = {"square": 1.0, "rectangle": 1.0, "disk": 2.0, "ring": 2.0, "fixed_2bit": 1.0}
LATENTS = {"variable_3bit": 6, "fixed_3bit": 6}


def run(store: Store, scale: Scale) -> None:
    """Compute all cells that are missing."""
    for task in (*HALF_WIDTH, *LATENTS):
        store.cell(("attractors", task), lambda t=task: cell(t, scale))


def trained(task: str, scale: Scale) -> TaskNetwork:
    """A gnODE with a deep gate, trained on many trials."""
    net = network(
        "gnODE, deep gate", LATENTS.get(task, 2), max_steps=scale.attractor_steps, batch_size=64,
        learning_rate=(1e-2, 2e-2), n_members=1 if scale.name == "quick" else 5, random_state=0,
    )  # fmt: skip
    train = tasks.make(task, scale.attractor_trials, random_state=1)
    return net.fit(train, validation=tasks.make(task, 200, random_state=2))


def cell(task: str, scale: Scale) -> dict[str, Any]:
    """Train, then measure on fresh trials and at zero input."""
    net = trained(task, scale)
    test = tasks.make(task, scale.n_test, random_state=3)
    result = {
        "mse": float(net.losses(test)[net.best_]),
        "r2": net.score(test),
        "learning_rate": net.members_[net.best_]["learning_rate"],
    }
    if task in HALF_WIDTH:
        result |= memory(net, task, test)
    return result


def memory(net: TaskNetwork, task: str, test: Any) -> dict[str, Any]:
    """Claims C10 to C13: drift, shape, rates, gates, ablation, refined steps."""
    field = net.field_.double()
    readout, bias = net.readout_.astype(float), net.bias_.astype(float)
    start = torch.as_tensor(_quiet_states(net, test), dtype=torch.float64)
    times = 0.01 * torch.arange(1001, dtype=torch.float64)
    path = hold(field, start, times)
    outputs = path.numpy() @ readout.T + bias
    drift = np.linalg.norm(outputs - outputs[:, :1], axis=2)
    frozen = hold(_Open(field), start, times[:101]).numpy() @ readout.T + bias
    fine = hold(field, start, times[:101], substeps=10).numpy() @ readout.T + bias
    picture = portrait(field, _quiet_states(net, test, 1000).astype(float), horizon=1.0, metric=readout)
    half = HALF_WIDTH[task]
    rates = field.rates(path[:, 100]).numpy()
    silent = torch.zeros(1, field.input_dim, dtype=torch.float64)
    pulse = torch.as_tensor(test.inputs[test.inputs.any(axis=2)][: len(start)], dtype=torch.float64)
    with torch.no_grad():
        quiet = float(field.gate(start, silent).mean())
        loud = float(field.gate(start[: len(pulse)], pulse).mean())
    return {
        "topology": picture.slow.topology.name,
        "topology_stability": picture.slow.topology.stability,
        "dimension": picture.slow.dimension,
        "fixed_points": {k: int(picture.scalars()[f"n_{k}"]) for k in ("fixed_points", "stable", "saddles")},
        "drift_1s": float(np.median(drift[:, 100])) / half,
        "drift_10s": float(np.median(drift[:, 1000])) / half,
        "end_points": count_ends(outputs[:, -1], 0.05 * half),
        "rates": np.median(np.sort(rates.real, axis=1), axis=0).tolist(),
        "gate_quiet": quiet,
        "gate_pulse": loud,
        "drift_open_gate": float(np.median(np.linalg.norm(frozen[:, -1] - frozen[:, 0], axis=1))) / half,
        "drift_fine_steps": float(np.median(np.linalg.norm(fine[:, -1] - fine[:, 0], axis=1))) / half,
        "shape": shape(outputs[:, 100], task),
        "outputs_1s": outputs[:, 100].round(4).tolist(),
        "outputs_10s": outputs[:, -1].round(4).tolist(),
    }


def hold(field: Any, start: torch.Tensor, times: torch.Tensor, substeps: int = 1) -> torch.Tensor:
    """States at zero input."""
    inputs = torch.zeros(len(start), len(times), field.input_dim, dtype=start.dtype)
    with torch.no_grad():
        return integrate(field, start, times, inputs, method="euler", substeps=substeps, check=False)


def shape(outputs: np.ndarray, task: str) -> dict[str, float]:
    """Extent, radii and hole of the set of remembered outputs after 1 s."""
    low, high = np.quantile(outputs, [0.02, 0.98], axis=0)
    radius = np.linalg.norm(outputs, axis=1)
    return {
        "aspect": float((high - low)[0] / (high - low)[1]),
        "radius_inner": float(np.quantile(radius, 0.02)),
        "radius_outer": float(np.quantile(radius, 0.98)),
        "radius_median": float(np.median(radius)),
        "near_corners": float(np.mean(np.abs(np.abs(outputs) - 1).max(axis=1) < 0.1)),
    }


def count_ends(points: np.ndarray, apart: float) -> int:
    """Number of clusters of end points (single linkage)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    return int(fcluster(linkage(points, "single"), apart, "distance").max())


def _quiet_states(net: TaskNetwork, test: Any, n_states: int = 200) -> np.ndarray:
    """States of fresh trials in bins without a pulse, from the second half of the trials."""
    states = net.transform(test)[:, 50:]
    quiet = ~(test.inputs[:, 50:] != 0).any(axis=2)
    rng = np.random.default_rng(0)
    return rng.permutation(states[quiet])[:n_states]


class _Open(VectorField):
    """The same flow with its gate held open."""

    def __init__(self, field: Any) -> None:
        super().__init__(field.latent_dim, field.input_dim)
        self.inner = field

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return (self.inner.drift(h, x) - h) / self.inner.tau
