"""Expressivity: error of fitting random smooth trajectories over latents and depth."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.evaluation import Expressivity, expressivity

WIDTHS = {0: (), 1: (96,), 2: (32, 32), 3: (24, 24, 24)}


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Every length scale, depth, gate and number of latents."""
    found: list[Cell] = []
    for length, depth, gated in itertools.product(scale.lengths, scale.depths, (False, True)):
        for n in scale.latent_dims:
            model = f"{'gnODE' if gated else 'nODE'} depth {depth}"
            key = ("expressivity", f"length {length}", model, f"N {n}")
            found.append((key, partial(cell, length, depth, gated, n, scale)))
    return found


def cell(length: float, depth: int, gated: bool, latent_dim: int, scale: Scale) -> dict[str, Any]:
    """Normalised error of every seed at its best learning rate."""
    found = expressivity(
        (latent_dim,),
        dynamics="gnode" if gated else "node",
        dynamics_options={"hidden": WIDTHS[depth], "activation": "tanh"},
        length_scale=length,
        n_seeds=scale.seeds,
        learning_rate=scale.expressivity_rates,
        max_steps=scale.expressivity_steps,
        random_state=7,
    )
    return {"nmse": np.minimum(found.errors[0], 1e9).tolist()}


def critical_dim(errors: dict[int, list[float]], limit: float = 0.05) -> tuple[float, float, float]:
    """Smallest number of latents whose median error is below `limit` (infinite if none is), and its interval."""
    found = Expressivity(np.array(list(errors)), np.array(list(errors.values())), 1.0)
    return (found.critical_dim(limit), *found.interval(limit))
