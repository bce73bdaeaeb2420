"""How near a fitted flow is to the one that made the spikes: drift, noise, fixed points, cycles."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.hypotheses.demands import WELLS
from neurognode.interpret import Flow, as_diffusion, drift_precision, portrait, visited_region
from neurognode.models.alignment import align

NEAR = 0.15
"""A fitted fixed point within this share of the region's diameter stands for a true one of its kind."""


def recovery(recording: Any, view: Any, bin_size: float) -> dict[str, Any]:
    """Compare one member's view with the circuit behind a simulated recording.

    Distances and velocities are those of log rates (the true readout), so that no scale of latents enters.

    Returns
    -------
    dict
        ``state_r2``; ``cosine`` (median over cells of visited states in which the true drift exceeds its standard
        error), ``slope`` (of fitted on true drift in them), ``cells`` (their number); ``noise`` (ratio of the
        variances of the noise); ``nodes`` and ``saddles``: for each true fixed point where data have been, the error
        in region diameters, None where none was found; ``invented``: stable points that are not there, where noise
        does not empty the flow's wells; ``period`` ratio and ``orbit`` error of the stable cycle.
    """
    circuit = recording.circuit
    true = recording.truth(bin_size).latents.values
    inside = np.isfinite(view.trajectories).all(2) & (
        (np.arange(true.shape[1]) + 1) * bin_size <= recording.lengths[:, None] + 1e-6
    )
    forward = align(view.trajectories[inside], true[inside])
    back = align(true[inside], view.trajectories[inside])
    states = np.where(inside[:, :, None], true, np.nan)
    metric = recording.weights / np.sqrt(len(recording.weights))
    region = visited_region(states, metric)
    left = true[inside] - forward(view.trajectories[inside])
    found: dict[str, Any] = {"state_r2": 1 - left.var(0).sum() / true[inside].var(0).sum()}
    found |= _drift(circuit, view, region, states, bin_size, forward, back)
    found |= _points(circuit, view, region, forward)
    found |= _cycle(circuit, view, region, states, bin_size, forward)
    return found


def _drift(
    circuit: Any, view: Any, region: Any, states: np.ndarray, bin_size: float, forward: Any, back: Any
) -> dict[str, Any]:
    noise = as_diffusion(circuit.noise, circuit.latent_dim)
    assert noise is not None
    own = Flow(circuit.field)
    cells = drift_precision(own, region, states.reshape(-1, circuit.latent_dim), bin_size, noise, n_cells=40)
    told = np.linalg.norm(cells.drift, axis=1) > cells.error * np.sqrt(circuit.latent_dim)
    true = region.measure(cells.drift[told])
    fitted = region.measure(view.flow.velocity(back(cells.centres[told])) @ forward.linear)
    size = np.linalg.norm(true, axis=1) * np.linalg.norm(fitted, axis=1)
    product = (true * fitted).sum(1)
    basis = np.eye(circuit.latent_dim)
    true_noise = region.measure(noise(np.zeros_like(basis), basis))
    std = np.asarray(view.noise)
    fitted_noise = region.measure(np.diag(std) @ forward.linear)
    return {
        "cosine": float(np.median(product / np.maximum(size, 1e-300))) if told.any() else float("nan"),
        "slope": float(product.sum() / max((true**2).sum(), 1e-300)) if told.any() else float("nan"),
        "cells": int(told.sum()),
        "noise": float((fitted_noise**2).sum() / (true_noise**2).sum()),
    }


def _points(circuit: Any, view: Any, region: Any, forward: Any) -> dict[str, Any]:
    key, fixed = circuit.key, view.portrait.fixed_points
    lower, upper = region.box(0.0)
    visited = ((key.fixed_points >= lower) & (key.fixed_points <= upper)).all(1)
    if key.topology in ("line", "ring", "plane", "torus"):
        visited[:] = False
    kept = fixed.isolated & fixed.inside
    points = region.measure(forward(fixed.points[kept]))
    stable = fixed.stable[kept]
    out: dict[str, Any] = {}
    for name, kind in (("nodes", True), ("saddles", False)):
        target = region.measure(key.fixed_points[visited & (key.stable == kind)])
        pool = points[stable == kind]
        errors = []
        for one in target:
            gap = np.linalg.norm(pool - one, axis=1).min() / region.diameter if len(pool) else np.inf
            errors.append(round(float(gap), 4) if gap < NEAR else None)
        out[name] = errors
    nodes = region.measure(key.fixed_points[key.stable])
    gaps = [np.linalg.norm(nodes - p, axis=1).min() if len(nodes) else np.inf for p in points[stable]]
    roll = view.portrait.behaviour
    wells = roll.n_clusters > 1 and roll.switching < WELLS
    out["invented"] = int(sum(gap > NEAR * region.diameter for gap in gaps)) if wells else 0
    return out


def _cycle(
    circuit: Any, view: Any, region: Any, states: np.ndarray, bin_size: float, forward: Any
) -> dict[str, Any]:
    if circuit.key.period is None or circuit.key.topology != "cycle":
        return {}
    own = portrait(
        circuit.field,
        states,
        horizon=circuit.duration,
        bin_size=bin_size,
        metric=region.metric,
        depth="quick",
    )
    true = [c for c in own.cycles if c.stable]
    fitted = [c for c in view.portrait.cycles if c.stable]
    if not true or not fitted:
        return {"period": None, "orbit": None}
    path = region.measure(true[0].orbit)
    mapped = region.measure(forward(fitted[0].orbit))
    gap = np.linalg.norm(mapped[:, None] - path[None], axis=2).min(1)
    return {
        "period": float(fitted[0].period / true[0].period),
        "orbit": float(gap.mean() / region.diameter),
    }
