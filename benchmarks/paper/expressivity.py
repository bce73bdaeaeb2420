"""Expressivity: error of fitting random smooth trajectories over latents and depth."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.models import TaskNetwork
from neurognode.synthetic import smooth_trajectories

WIDTHS = {0: (), 1: (96,), 2: (32, 32), 3: (24, 24, 24)}
SCALES = {"quick": (0.3, 0.1), "full": (0.5, 0.2, 0.1, 0.05)}


def run(store: Store, scale: Scale) -> None:
    """Compute all cells that are missing."""
    depths = (0, 1, 2) if scale.name == "quick" else tuple(WIDTHS)
    for length, depth, gated in itertools.product(SCALES[scale.name], depths, (True, False)):
        for n in scale.latent_dims:
            key = (
                "expressivity",
                f"length {length}",
                f"{'gnODE' if gated else 'nODE'} depth {depth}",
                f"N {n}",
            )
            store.cell(key, lambda a=length, d=depth, g=gated, n=n: cell(a, d, g, n, scale))


def cell(length: float, depth: int, gated: bool, latent_dim: int, scale: Scale) -> dict[str, Any]:
    """Normalised error of every seed at its best learning rate."""
    times, targets = smooth_trajectories(4, 2, length_scale=length, random_state=7)
    options = {"hidden": WIDTHS[depth], "activation": "tanh", "tau": 0.1, "init": "critical_closed"}
    rates = 1e-2 if scale.name == "quick" else (3e-3, 1e-2)
    net = TaskNetwork(
        latent_dim, dynamics="gnode" if gated else "node", dynamics_options=options, initial_state="per_trial",
        method="exponential_euler", dt=float(times[1]), n_members=scale.seeds, learning_rate=rates,
        batch_size=4, max_steps=scale.expressivity_steps, validate_every=25, random_state=0, progress=False,
    )  # fmt: skip
    net.fit(None, targets)
    seeds = range(scale.seeds)
    best = [min(m["validation_loss"] for m in net.members_ if m["seed"] == s) for s in seeds]
    return {"nmse": np.minimum(best, 1e9).tolist()}


def critical_dim(errors: dict[int, list[float]], limit: float = 0.05) -> float:
    """Smallest number of latents whose median error is below `limit`; infinite if none is."""
    good = [n for n, e in sorted(errors.items()) if np.median(e) < limit]
    return good[0] if good else float("inf")
