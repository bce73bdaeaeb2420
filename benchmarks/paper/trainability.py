"""Trainability: test error of six models on flip-flops, matched in latents and in parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.paper.networks import MODELS, matched_dim, n_parameters, network
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.synthetic import tasks

DIMS = {"square": 2, "variable_3bit": 6, "fixed_3bit": 6}


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Matched in latents on three tasks, and in parameters on the square."""
    found: list[Cell] = []
    for task, latent_dim in DIMS.items():
        for model in MODELS:
            if scale.name == "quick" and model in ("GRU", "LSTM") and task != "square":
                continue
            found.append((("trainability", task, model), partial(cell, task, model, latent_dim, scale)))
    wanted = n_parameters("gnODE", 2, 2, 2)
    for model in () if scale.name == "quick" else ("RNN", "mGRU", "GRU", "LSTM"):
        n = matched_dim(model, wanted, 2, 2)
        found.append(
            (("trainability", "square, equal parameters", model), partial(cell, "square", model, n, scale))
        )
    return found


def cell(task: str, model: str, latent_dim: int, scale: Scale, **options: Any) -> dict[str, Any]:
    """Train all seeds and settings as one population; choose on validation trials, report fresh ones."""
    train = tasks.make(task, scale.n_train, random_state=1)
    held = tasks.make(task, scale.n_validation, random_state=2)
    test = tasks.make(task, scale.n_test, random_state=3)
    settings = {
        "n_members": scale.seeds, "max_steps": scale.steps, "batch_size": 50, "random_state": 0,
        "learning_rate": scale.rates, "weight_decay": scale.decays,
    }  # fmt: skip
    net = network(model, latent_dim, **settings)
    if options:
        net.set_params(dynamics_options={**net.dynamics_options, **options})
    net.fit(train, validation=held)
    return {"latent_dim": net.latent_dim, "n_parameters": _count(model, net, train), **summary(net, test)}


def summary(net: Any, test: Any) -> dict[str, Any]:
    """Test error of every seed at the setting that is best on validation trials on average over seeds."""
    losses = net.losses(test)
    members = net.members_
    keys = sorted({(m["learning_rate"], m["weight_decay"]) for m in members})
    validation = {
        k: np.mean([m["validation_loss"] for m in members if (m["learning_rate"], m["weight_decay"]) == k])
        for k in keys
    }
    best = min(keys, key=lambda k: validation[k])
    chosen = [i for i, m in enumerate(members) if (m["learning_rate"], m["weight_decay"]) == best]
    mse = losses[chosen].astype(float)
    variance = float(np.var(test.targets, axis=(0, 1)).mean())
    return {
        "mse": mse.tolist(),
        "r2": (1 - mse / variance).tolist(),
        "learning_rate": best[0],
        "weight_decay": best[1],
        "history": [
            {k: np.asarray(h[k])[chosen].tolist() if isinstance(h[k], list) else h[k] for k in h}
            for h in net.history_
        ],
    }


def _count(model: str, net: Any, train: Any) -> int:
    return n_parameters(model, net.latent_dim, train.inputs.shape[2], train.targets.shape[2])
