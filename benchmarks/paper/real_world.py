"""Real-world tasks: handwritten characters with dropped samples, a walker, spoken digits."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.paper import references
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
PUBLISHED: dict[str, list[tuple[str, str]]] = {
    "characters, 30% dropped": [("Neural CDE [1]", "98.7 %")],
    "characters, 50% dropped": [("Neural CDE [1]", "98.8 %")],
    "characters, 70% dropped": [("Neural CDE [1]", "98.6 %")],
    "walker": [("ODE-LSTM [2]", "0.883"), ("CfC [3]", "0.64")],
}
"""What others have reported; not computed here."""
SOURCES = (
    "[1] Kidger et al., NeurIPS 2020, arXiv:2005.08926; [2] Lechner and Hasani 2020, arXiv:2006.04418; "
    "[3] Hasani et al., Nature Machine Intelligence 2022, arXiv:2106.13898."
)
AIMS = {"characters": 0.988, "digits, takes": 0.98, "walker": 0.64}
"""Accuracy to reach, and squared error to stay below; the hard split of the digits has no published figure."""


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

REFERENCES: dict[str, Any] = {"ODE-LSTM": references.ODELSTM, "Neural CDE": references.NeuralCDE}
WALKER_REFERENCES: dict[str, Any] = {
    "ODE-LSTM": partial(references.ODELSTM, width=128),
    "Neural CDE": partial(references.NeuralCDE, width=64),
}
REFERENCE_SEEDS, REFERENCE_STEPS = 2, {"quick": 400, "standard": 600, "full": 4000}
"""They train without the population axis, so they get fewer seeds and, on the walker, fewer steps."""


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
    for model in REFERENCES:
        found.append((("walker", model), partial(walker, model, scale)))
        for dropped in (0.0, 0.3, 0.5, 0.7):
            key = ("real_world", f"characters, {dropped:.0%} dropped", model)
            found.append((key, partial(characters, model, dropped, scale)))
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
    Fields get the elapsed time as time; maps, which have none, as one more input. The simulator clips velocities,
    so predictions are kept inside the range of the training data.
    """
    parts = datasets.walker2d()
    seen = parts.train.inputs.reshape(-1, parts.train.inputs.shape[2])
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    arrays = [((p.inputs - centre) / spread, p.targets - p.inputs, 0.01 * p.times) for p in _parts(parts)]
    run = _walker_reference if model in REFERENCES else _walker_network
    changes, about = run(model, arrays, scale)
    low, high = (f(parts.train.targets, axis=(0, 1)) for f in (np.min, np.max))
    for name, change, part in zip(("validation_", ""), changes, (parts.validation, parts.test)):
        free = change + part.inputs
        kept = np.clip(free, low, high)
        about[f"{name}squared_error"] = [float(np.mean((one - part.targets) ** 2)) for one in kept]
        about[f"{name}squared_error_unclipped"] = [float(np.mean((one - part.targets) ** 2)) for one in free]
        about[f"{name}squared_error_of_mean"] = float(np.mean((kept.mean(axis=0) - part.targets) ** 2))
    return {**about, "n_test": len(parts.test.inputs)}


def _walker_network(model: str, arrays: list, scale: Scale) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Changes (member, window, time, state) on validation and test, and what to write down."""
    dynamics, latent_dim, options = WALKER_MODELS[model]
    net = TaskNetwork(
        latent_dim, dynamics=dynamics, dynamics_options=options, dt=0.01, initial_state="learned",
        method="exponential_euler", n_members=scale.walker_seeds, learning_rate=3e-3, weight_decay=0.3,
        batch_size=64, max_steps=scale.walker_steps, validate_every=200, random_state=0, progress=False,
    )  # fmt: skip
    if dynamics in ("gru", "lstm"):
        arrays = [(np.concatenate([x, _gaps(t)[..., None] - 1], axis=2), y, t) for x, y, t in arrays]
    (x, y, t), held, test = arrays
    net.fit(x, y, times=t, validation=(held[0], held[1], None, held[2]))
    changes = [
        np.stack([net.predict(u, times=w, member=k) for k in range(len(net.members_))])
        for u, _, w in (held, test)
    ]
    curve = [[entry["step"], entry["validation"]] for entry in net.history_]
    return changes, {"curve": curve, "n_weights": sum(p.numel() for p in net.field_.parameters())}


def _walker_reference(model: str, arrays: list, scale: Scale) -> tuple[list[np.ndarray], dict[str, Any]]:
    train, held, test = ((x, y, None, _gaps(t)) for x, y, t in arrays)
    nets = [
        references.trained(
            lambda: WALKER_REFERENCES[model](17, 17), train, held, seed=seed,
            max_steps=REFERENCE_STEPS[scale.name], rate=3e-3, decay=1e-4, validate_every=100,
        )
        for seed in range(REFERENCE_SEEDS)
    ]  # fmt: skip
    with torch.no_grad():
        changes = [
            np.stack([references.run(net, x, None, gaps).numpy() for net in nets])
            for x, _, _, gaps in (held, test)
        ]
    return changes, {
        "n_weights": sum(p.numel() for p in nets[0].parameters()),
        "steps": REFERENCE_STEPS[scale.name],
    }


def _gaps(times: np.ndarray) -> np.ndarray:
    """Time before each sample in units of 10 ms, (window, time)."""
    return (np.diff(times, axis=1, prepend=times[:, :1] - 0.01) / 0.01).astype(np.float32)


def _parts(parts: Any) -> tuple[Any, Any, Any]:
    return parts.train, parts.validation, parts.test


def _classify(parts: Any, model: str, dt: float, scale: Scale) -> dict[str, Any]:
    p, q, r = _parts(parts)
    if model in REFERENCES:
        return _classify_reference(parts, model, scale)
    net = _network(model, 32, "cross_entropy", dt, scale)
    net.fit(p.inputs, p.targets, mask=p.mask, validation=(q.inputs, q.targets, q.mask))
    guesses = [net.predict(r.inputs, member=k, mask=r.mask) for k in range(len(net.members_))]
    return {"accuracy": [float((g == r.targets).mean()) for g in guesses], "n_test": len(r)}


def _classify_reference(parts: Any, model: str, scale: Scale) -> dict[str, Any]:
    train, held, test = ((p.inputs, p.targets, p.mask, np.ones(p.mask.shape)) for p in _parts(parts))
    n_inputs, n_classes = train[0].shape[2], int(train[1].max()) + 1
    accuracy = []
    for seed in range(REFERENCE_SEEDS):
        net = references.trained(
            lambda: REFERENCES[model](n_inputs, n_classes, 32), train, held, seed=seed,
            max_steps=scale.real_steps, rate=1e-2, decay=1e-4, validate_every=50,
        )  # fmt: skip
        with torch.no_grad():
            guesses = references.run(net, test[0], test[2], test[3]).argmax(-1).numpy()
        accuracy.append(float((guesses == test[1]).mean()))
    return {"accuracy": accuracy, "n_test": len(test[0])}


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
