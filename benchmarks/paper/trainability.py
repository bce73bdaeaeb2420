"""Trainability: test error of six models on flip-flops, matched in latents and in parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.paper.networks import MODELS, matched_dim, n_parameters, network
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.synthetic import tasks

DIMS = {"square": 2, "variable_3bit": 6, "fixed_3bit": 6}


def run(store: Store, scale: Scale) -> None:
    """Compute all cells that are missing."""
    for task, latent_dim in DIMS.items():
        for model in MODELS:
            if scale.name == "quick" and model in ("GRU", "LSTM") and task != "square":
                continue
            store.cell(
                ("trainability", task, model), lambda m=model, t=task, n=latent_dim: cell(t, m, n, scale)
            )
    task = "square"
    wanted = n_parameters("gnODE", 2, 2, 2)
    for model in ("RNN", "mGRU", "GRU", "LSTM"):
        n = matched_dim(model, wanted, 2, 2)
        if scale.name == "quick":
            continue
        store.cell(
            ("trainability", f"{task}, equal parameters", model), lambda m=model, n=n: cell(task, m, n, scale)
        )
    for init in ("glorot", "critical_closed", "critical"):
        store.cell(("trainability", "square, initialisation", init), lambda i=init: initialised(i, scale))


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


def initialised(init: str, scale: Scale) -> dict[str, Any]:
    """The nODE from another initialisation (claim C8)."""
    return cell("square", "nODE", 2, scale, init=init)


def _count(model: str, net: Any, train: Any) -> int:
    return n_parameters(model, net.latent_dim, train.inputs.shape[2], train.targets.shape[2])
