"""Beyond the paper: how much of a flow can be pruned, what equations it obeys, what can be proved about it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paper import attractors
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.interpret import (
    Flow,
    Portrait,
    equations,
    find_roots,
    piecewise_affine,
    portrait_of,
    proved_fixed_points,
    starting_points,
    visited_region,
)
from neurognode.models import LatentGNODE, prune
from neurognode.synthetic import circuits, tasks
from neurognode.synthetic.recording import simulate_recording

CIRCUITS = ("bistable", "limit_cycle")
SHARES = (0.5, 0.8, 0.9, 0.95, 0.98)
TASKS = ("square", "disk", "ring", "fixed_2bit")


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Fits to simulated recordings of known circuits, and the trained task networks."""
    found: list[Cell] = [(("beyond", "recording", c), partial(recording, c, scale)) for c in CIRCUITS]
    for task in TASKS:
        path = store.path("attractors", task)
        found.append((("beyond", "task network", task), partial(task_network, task, path)))
    return [cell for cell in found if cell[0][1] == "recording" or _has_weights(store, cell[0][2])]


def recording(name: str, scale: Scale) -> dict[str, Any]:
    """Fit spikes of a circuit, prune the flow step by step, write it as equations, prove things about it."""
    circuit = circuits.make(name)
    everything = simulate_recording(circuit, n_units=60, n_trials=250, random_state=0).trials(0.02)
    train, test = everything.isel(trial=slice(0, 180)), everything.isel(trial=slice(180, None))
    shown = train["unit"].values[:48]
    model = LatentGNODE(
        latent_dim=circuit.field.latent_dim, encode_units=shown, max_steps=scale.beyond_steps, progress=False,
        random_state=0,
    ).fit(train)  # fmt: skip
    whole = portrait_of(model, test)
    velocity = Flow(model.field_).velocity(whole.region.states)
    levels = [{"share": 0.0, "co_bps": model.score(test), "field_cosine": 1.0, **_summary(whole)}]
    sparse = model
    for share in SHARES:
        sparse = prune(sparse, train, share, rounds=1)
        after = Flow(sparse.field_).velocity(whole.region.states)
        levels.append(
            {
                "share": sparse.sparsity_,
                "co_bps": sparse.score(test),
                "field_cosine": _cosine(velocity, after),
                "live_units": sparse.pruning_[-1]["live_units"],
                **_summary(portrait_of(sparse, test)),
            }
        )
    states = model.visited(test)
    return {
        "levels": levels,
        "key": circuit.key.text,
        **_written_and_proved(model.field_, states, whole.horizon),
    }


def task_network(task: str, path: Path) -> dict[str, Any]:
    """Equations and proofs for a trained network of two latents."""
    field, _ = attractors.kept(path)
    return _written_and_proved(field, task_states(task, path), 1.0)


def task_states(task: str, path: Path, n_trials: int = 100) -> np.ndarray:
    """States that a kept network passes in the second half of fresh trials, (n, N).

    Bins with a pulse are among them: without these the region of a task of points would be the points alone.
    """
    states, _ = run(task, path, n_trials)
    return states[:, 50:].reshape(-1, states.shape[2])


def run(task: str, path: Path, n_trials: int) -> tuple[np.ndarray, tasks.TaskTrials]:
    """States (trial, time, N) of a kept network on fresh trials, and the trials."""
    import torch

    from neurognode.dynamics import integrate

    field, maps = attractors.kept(path)
    trials = tasks.make(task, n_trials, random_state=11)
    start = torch.as_tensor(trials.inputs[:, 0] @ maps["encoder"] + maps["offset"])
    inputs = torch.as_tensor(
        np.concatenate([trials.inputs, trials.inputs[:, -1:]], axis=1), dtype=torch.float64
    )
    with torch.no_grad():
        times = trials.dt * torch.arange(inputs.shape[1])
        states = integrate(field, start, times, inputs, method="euler")[:, 1:]
    return states.numpy(), trials


def _written_and_proved(field: Any, states: np.ndarray, horizon: float) -> dict[str, Any]:
    written = {}
    for degree in (1, 3, 5, 7):
        found = equations(field, states, degree=degree, horizon=horizon)
        written[str(degree)] = {
            "terms": found.n_terms, "error": found.error.tolist(), "path_error": found.path_error, "text": str(found)
        }  # fmt: skip
    proof = proved_fixed_points(field, states, max_boxes=20_000)
    searched = _searched(field, states)
    pieces = {
        str(tolerance): [len(found), found.error, float(found.moving().mean()), found.n_unfinished]
        for tolerance in (0.5, 0.2, 0.1)
        for found in [piecewise_affine(field, states, tolerance=tolerance, max_pieces=8000)]
    }
    return {
        "equations": written,
        "proof": {
            "text": str(proof), "points": proof.points.tolist(), "kind": proof.kind.tolist(),
            "inside": proof.inside.tolist(), "excluded": proof.excluded, "undecided": len(proof.open_lower),
            "searched": searched.tolist(),
        },
        "pieces": pieces,
    }  # fmt: skip


def _searched(field: Any, states: np.ndarray, n_starts: int = 512) -> np.ndarray:
    """Zeros in the visited region that the search of the portraits finds, (P, N)."""
    region, flow = visited_region(states), Flow(field)
    starts = starting_points(region, n_starts, np.random.default_rng(0))
    speed = float(np.median(np.linalg.norm(flow.velocity(starts), axis=1)))
    points = find_roots(flow, starts, scale=region.diameter, speed=speed).points
    return points[region.inside(points)]


def _summary(picture: Portrait) -> dict[str, Any]:
    numbers = picture.scalars()
    return {
        "topology": picture.slow.topology.name,
        "stable": int(numbers["n_stable"]),
        "saddles": int(numbers["n_saddles"]),
        "cycles": len(picture.cycles),
    }


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    return float(np.median((one * two).sum(1) / np.maximum(size, 1e-300)))


def _has_weights(store: Store, task: str) -> bool:
    return store.path("attractors", task).with_suffix(".safetensors").exists()
