"""Expressivity: error of fitting random smooth trajectories over latents and depth."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.evaluation import Expressivity, expressivity

WIDTHS: dict[int, tuple[int, ...]] = {0: (), 1: (96,), 2: (32, 32), 3: (24, 24, 24)}
"""Hidden layers with about as many weights at every depth."""
EQUAL = {depth: (32,) * depth for depth in WIDTHS}
VARIANTS = {
    "": (WIDTHS, "tanh", (0, 1, 2, 3)),
    ", equal width": (EQUAL, "tanh", (1, 2, 3)),
    ", relu": (WIDTHS, "relu", (1, 2)),
    ", silu": (WIDTHS, "silu", (1, 2)),
}
"""Hidden layers, activation and depths; all but the first at the shortest length scale and few sizes."""


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Every length scale, depth, gate and number of latents; then other widths and activations."""
    found: list[Cell] = []
    for variant in VARIANTS if scale.name != "quick" else [""]:
        lengths, depths, sizes = extent(scale, variant)
        for length, depth, gated, n in itertools.product(lengths, depths, (False, True), sizes):
            key = ("expressivity", f"length {length}{variant}", model(gated, depth), f"N {n}")
            found.append((key, partial(cell, length, variant, depth, gated, n, scale)))
    return found


def model(gated: bool, depth: int) -> str:
    """How a model is called in results."""
    return f"{'gnODE' if gated else 'nODE'} depth {depth}"


def extent(scale: Scale, variant: str = "") -> tuple[list[float], list[int], list[int]]:
    """Length scales, depths and numbers of latents."""
    depths = [d for d in VARIANTS[variant][2] if d in scale.depths]
    if not variant:
        return list(scale.lengths), depths, list(scale.latent_dims)
    return [min(scale.lengths)], depths, [n for n in scale.latent_dims if 2 <= n <= 16]


def cell(
    length: float, variant: str, depth: int, gated: bool, latent_dim: int, scale: Scale
) -> dict[str, Any]:
    """Normalised error of every seed at its best learning rate."""
    widths, activation, _ = VARIANTS[variant]
    found = expressivity(
        (latent_dim,),
        dynamics="gnode" if gated else "node",
        dynamics_options={"hidden": widths[depth], "activation": activation},
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
