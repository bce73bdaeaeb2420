"""Expressivity: error of fitting random smooth trajectories over latents and depth."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.evaluation import Expressivity, expressivity

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
    found = expressivity(
        (latent_dim,),
        dynamics="gnode" if gated else "node",
        dynamics_options={"hidden": WIDTHS[depth], "activation": "tanh"},
        length_scale=length,
        n_seeds=scale.seeds,
        learning_rate=(1e-2,) if scale.name == "quick" else (3e-3, 1e-2),
        max_steps=scale.expressivity_steps,
        random_state=7,
    )
    return {"nmse": np.minimum(found.errors[0], 1e9).tolist()}


def critical_dim(errors: dict[int, list[float]], limit: float = 0.05) -> float:
    """Smallest number of latents whose median error is below `limit`; infinite if none is."""
    return Expressivity(np.array(list(errors)), np.array(list(errors.values())), 1.0).critical_dim(limit)
