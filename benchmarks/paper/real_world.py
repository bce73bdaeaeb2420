"""Real-world tasks: handwritten characters with dropped samples, a walker, spoken digits."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode import datasets
from neurognode.models import TaskNetwork

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gnODE": ("gnode", {"hidden": (64,), "gate_hidden": (), "activation": "tanh", "init": "critical_closed"}),
    "nODE": ("node", {"hidden": (64,), "activation": "tanh", "init": "critical_closed"}),
    "mGRU": ("gnode", {"hidden": (), "bounded": True, "gate_hidden": (), "init": "glorot"}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {}),
}
WIDE: dict[str, Any] = {
    "hidden": (256, 256), "activation": "silu", "init": "critical_closed", "tau": 0.003
}  # fmt: skip
"""A wide and fast flow: the next state of the walker is a strongly nonlinear function of this one."""
PUBLISHED = {
    "characters": "Neural CDE 98.7 / 98.8 / 98.6 % at 30 / 50 / 70 % dropped",
    "walker": "squared error: CfC 0.64, ODE-LSTM 0.883",
    "digits": "-",
}


WALKER_MODELS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "gnODE": ("gnode", 64, {**WIDE, "gate_hidden": ()}),
    "nODE": ("node", 64, WIDE),
    "mGRU": (
        "gnode",
        192,
        {"hidden": (), "bounded": True, "gate_hidden": (), "init": "glorot", "tau": 0.003},
    ),
    "GRU": ("gru", 160, {}),
    "LSTM": ("lstm", 256, {}),
}
"""Dynamics, latents and options; all have about 100,000 weights."""


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Every task and model; none, and it is said, where the data are not there."""
    if not os.environ.get("NEUROGNODE_DATA"):
        print("   real-world tasks skipped: set NEUROGNODE_DATA to the folder that holds the data sets")
        return []
    models = ("gnODE", "nODE", "mGRU") if scale.name == "quick" else tuple(MODELS)
    found: list[Cell] = [(("walker", m), partial(walker, m, scale)) for m in models]
    for model in models:
        for dropped in (0.0, 0.3, 0.5, 0.7):
            key = ("real_world", f"characters, {dropped:.0%} dropped", model)
            found.append((key, partial(characters, model, dropped, scale)))
        for split in ("takes", "speaker george"):
            key = ("real_world", f"digits, {split}", model)
            found.append((key, partial(digits, model, split.removeprefix("speaker "), scale)))
    return found


def characters(model: str, dropped: float, scale: Scale) -> dict[str, Any]:
    """Accuracy on the test characters; every fifth time step is used."""
    return _classify(datasets.character_trajectories(dropped=dropped, stride=5), model, 0.025, scale)


def digits(model: str, split: str, scale: Scale) -> dict[str, Any]:
    """Accuracy on the test recordings; every second frame is used."""
    return _classify(datasets.spoken_digits(split=split, stride=2, max_frames=80), model, 0.02, scale)


def walker(model: str, scale: Scale) -> dict[str, Any]:
    """Mean squared error of the next state, with the true times between samples.

    The network sees standardised states and predicts the change to the next; the error is in the data's units.
    Fields get the elapsed time as time; maps, which have none, as one more input.
    """
    parts = datasets.walker2d()
    seen = parts.train.inputs.reshape(-1, parts.train.inputs.shape[2])
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    dynamics, latent_dim, options = WALKER_MODELS[model]
    net = TaskNetwork(
        latent_dim, dynamics=dynamics, dynamics_options=options, dt=0.01, initial_state="learned",
        method="exponential_euler", n_members=scale.walker_seeds, learning_rate=3e-3, weight_decay=0.3,
        batch_size=64, max_steps=scale.walker_steps, validate_every=200, random_state=0, progress=False,
    )  # fmt: skip
    arrays = [((p.inputs - centre) / spread, p.targets - p.inputs, 0.01 * p.times) for p in _parts(parts)]
    if dynamics in ("gru", "lstm"):
        arrays = [(np.concatenate([x, _gaps(t)], axis=2), y, t) for x, y, t in arrays]
    (x, y, t), held, (u, _, w) = arrays
    net.fit(x, y, times=t, validation=(held[0], held[1], None, held[2]))
    kept = np.stack([net.predict(u, times=w, member=k) for k in range(len(net.members_))]) + parts.test.inputs
    together = kept.mean(axis=0)
    return {
        "squared_error": [float(np.mean((one - parts.test.targets) ** 2)) for one in kept],
        "squared_error_of_mean": float(np.mean((together - parts.test.targets) ** 2)),
        "n_weights": sum(p.numel() for p in net.field_.parameters()),
        "n_test": len(u),
    }


def _gaps(times: np.ndarray) -> np.ndarray:
    """Seconds before each sample in units of 10 ms, less one, (window, time, 1)."""
    gaps = np.diff(times, axis=1, prepend=times[:, :1] - 0.01)
    return (gaps[..., None] / 0.01 - 1).astype(np.float32)


def _parts(parts: Any) -> tuple[Any, Any, Any]:
    return parts.train, parts.validation, parts.test


def _classify(parts: Any, model: str, dt: float, scale: Scale) -> dict[str, Any]:
    net = _network(model, 32, "cross_entropy", dt, scale)
    p, q, r = parts.train, parts.validation, parts.test
    net.fit(p.inputs, p.targets, mask=p.mask, validation=(q.inputs, q.targets, q.mask))
    guesses = [net.predict(r.inputs, member=k, mask=r.mask) for k in range(len(net.members_))]
    return {"accuracy": [float((g == r.targets).mean()) for g in guesses], "n_test": len(r)}


def _network(model: str, latent_dim: int, loss: str, dt: float, scale: Scale) -> TaskNetwork:
    dynamics, options = MODELS[model]
    if dynamics in ("gnode", "node"):
        options = {**options, "tau": 4 * dt}
    return TaskNetwork(
        latent_dim, dynamics=dynamics, dynamics_options=options, loss=loss, dt=dt, initial_state="learned",
        method="exponential_euler", n_members=1 if scale.name == "quick" else scale.seeds, learning_rate=1e-2,
        weight_decay=1e-4, batch_size=64, max_steps=scale.real_steps, validate_every=50, random_state=0,
        progress=False,
    )  # fmt: skip
