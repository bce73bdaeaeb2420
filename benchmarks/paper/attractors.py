"""The sets that two-latent gnODEs remember: their shape, drift, rates, and what keeps them slow."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks.paper.networks import network
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.dynamics import GNODE, VectorField, build, integrate
from neurognode.interpret import Portrait, portrait
from neurognode.models import TaskNetwork
from neurognode.synthetic import tasks

HALF_WIDTH = {"square": 1.0, "rectangle": 1.0, "disk": 2.0, "ring": 2.0, "fixed_2bit": 1.0}
LATENTS = {"variable_3bit": 6, "fixed_3bit": 6}


def cells(store: Store, scale: Scale) -> list[Cell]:
    """One cell a task: all seeds are trained as one population."""
    return [
        (("attractors", task), partial(cell, task, scale, store.path("attractors", task)))
        for task in (*HALF_WIDTH, *LATENTS)
    ]


def trained(task: str, scale: Scale) -> TaskNetwork:
    """gnODEs with a deep gate, trained on many trials."""
    net = network(
        "gnODE, deep gate", LATENTS.get(task, 2), max_steps=scale.attractor_steps, batch_size=64,
        learning_rate=2e-2, n_members=scale.seeds, random_state=0,
    )  # fmt: skip
    train = tasks.make(task, scale.attractor_trials, random_state=1)
    return net.fit(train, validation=tasks.make(task, 200, random_state=2))


def cell(task: str, scale: Scale, path: Path) -> dict[str, Any]:
    """Train, then measure every seed on fresh trials and at zero input; the best one's weights are kept."""
    net = trained(task, scale)
    test = tasks.make(task, scale.n_test, random_state=3)
    mse = net.losses(test).astype(float)
    variance = float(np.var(test.targets, axis=(0, 1)).mean())
    result: dict[str, Any] = {"mse": mse.tolist(), "r2": (1 - mse / variance).tolist(), "best": net.best_}
    if task in HALF_WIDTH:
        result["members"] = [memory(net, k, task, test) for k in range(len(mse))]
        keep(net, path)
    return result


def keep(net: TaskNetwork, path: Path) -> None:
    """Write the weights of the best member, for the parts that start from a trained network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"field.{k}": v.contiguous() for k, v in net.field_.state_dict().items()}
    tensors |= {"readout": torch.as_tensor(net.readout_).contiguous(), "bias": torch.as_tensor(net.bias_)}
    one = net.population_.only(net.best_)
    tensors |= {
        "encoder": one.encoder.detach()[0].contiguous(),
        "offset": one.offset.detach()[0].contiguous(),
    }
    save_file(tensors, path.with_suffix(".safetensors"), {"config": json.dumps(net.field_.config())})


def kept(path: Path) -> tuple[GNODE, dict[str, np.ndarray]]:
    """The field and the affine maps that `keep` wrote."""
    with safe_open(path.with_suffix(".safetensors"), "pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        field = build(json.loads(stored.metadata()["config"]))
    field.load_state_dict({k.removeprefix("field."): v for k, v in tensors.items() if k.startswith("field.")})
    maps = {k: v.numpy().astype(float) for k, v in tensors.items() if not k.startswith("field.")}
    return field.double(), maps  # type: ignore[return-value]


def memory(net: TaskNetwork, member: int, task: str, test: Any) -> dict[str, Any]:
    """Claims C10 to C13 for one seed: drift, shape, rates, gates, ablation, refined steps."""
    field: Any = net.member_field(member).double()
    readout = net.population_.readout[member].detach().numpy().T.astype(float)
    bias = net.population_.bias[member].detach().numpy().astype(float)
    states = _quiet_states(net, member, test)
    start = torch.as_tensor(states[:200], dtype=torch.float64)
    times = 0.01 * torch.arange(1001, dtype=torch.float64)
    path = hold(field, start, times)
    outputs = path.numpy() @ readout.T + bias
    half = HALF_WIDTH[task]
    picture = portrait(field, states, horizon=1.0, metric=readout)
    return {
        **_portrait(picture),
        "drift_1s": _drift(outputs[:, :101]) / half,
        "drift_10s": _drift(outputs) / half,
        "end_points": count_ends(outputs[:, -1], 0.05 * half),
        "rates": np.median(np.sort(field.rates(path[:, 100]).numpy().real, axis=1), axis=0).tolist(),
        **_gates(field, start, test),
        "drift_open_gate": _drift(hold(_Open(field), start, times[:101]).numpy() @ readout.T) / half,
        "drift_fine_steps": _drift(hold(field, start, times[:101], substeps=10).numpy() @ readout.T) / half,
        "shape": shape(outputs[:, 100], task),
        "outputs_1s": outputs[:, 100].round(4).tolist(),
        "outputs_10s": outputs[:, -1].round(4).tolist(),
    }


def _portrait(picture: Portrait) -> dict[str, Any]:
    numbers = picture.scalars()
    return {
        "topology": picture.slow.topology.name,
        "dimension": picture.slow.dimension,
        "slow_because": picture.slowness.cause,
        "fixed_points": {k: int(numbers[f"n_{k}"]) for k in ("fixed_points", "stable", "saddles")},
    }


def _gates(field: Any, start: torch.Tensor, test: Any) -> dict[str, float]:
    """Mean gate and distance to the target of the flow, on remembered states without input and in a pulse."""
    silent = torch.zeros(1, field.input_dim, dtype=torch.float64)
    pulses = torch.as_tensor(test.inputs[test.inputs.any(axis=2)][: len(start)], dtype=torch.float64)
    states = start[: len(pulses)]
    with torch.no_grad():
        return {
            "gate_quiet": float(field.gate(start, silent).mean()),
            "gate_pulse": float(field.gate(states, pulses).mean()),
            "imbalance_quiet": float((field.drift(start, silent) - start).norm(dim=1).median()),
            "imbalance_pulse": float((field.drift(states, pulses) - states).norm(dim=1).median()),
        }


def _drift(outputs: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(outputs[:, -1] - outputs[:, 0], axis=1)))


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


def _quiet_states(net: TaskNetwork, member: int, test: Any, n_states: int = 1000) -> np.ndarray:
    """States of fresh trials in bins without a pulse, from the second half of the trials."""
    states = net.transform(test, member=member)[:, 50:]
    quiet = ~(test.inputs[:, 50:] != 0).any(axis=2)
    return np.random.default_rng(0).permutation(states[quiet])[:n_states].astype(float)


class _Open(VectorField):
    """The same flow with its gate held open."""

    def __init__(self, field: Any) -> None:
        super().__init__(field.latent_dim, field.input_dim)
        self.inner = field

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return (self.inner.drift(h, x) - h) / self.inner.tau
