"""Basins of attraction, the surfaces between them, and the paths that join fixed points."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region
from neurognode.interpret.stability import FixedPoints

OFFSET = 1e-3
ARRIVED = 0.02


@dataclass(frozen=True, eq=False)
class Connections:
    """Heteroclinic paths: where the unstable directions of each saddle lead.

    Attributes
    ----------
    source : int array (C,)
        Index of the saddle among the fixed points.
    target : int array (C,)
        Index of the fixed point reached, -1 where none was.
    duration : array (C,)
        Seconds from 0.1 % of the diameter beside the saddle to 2 % of it beside the target; NaN without one.
    paths : array (C, T, N)
        The way there, equally spaced in time.
    """

    source: np.ndarray
    target: np.ndarray
    duration: np.ndarray
    paths: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0)))


def basins(
    flow: Flow, region: Region, attractors: np.ndarray, states: np.ndarray, duration: float
) -> np.ndarray:
    """Index of the attractor (A, N) that each state (n, N) is led to, -1 where none is reached in `duration`.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow, basins, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> region = visited_region(circuit.simulate(30).latents)
    >>> wells = circuit.key.fixed_points[circuit.key.stable]
    >>> basins(Flow(circuit.field), region, wells, wells, 1.0).tolist()
    [0, 1]
    """
    reach = 10 * np.linalg.norm(region.upper - region.lower)
    return nearest_attractor(region, attractors, flow.end(states, duration, limit=reach))


def nearest_attractor(region: Region, attractors: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Index of the attractor (A, N) that each end point (n, N) lies at (10 % of the diameter), -1 for none."""
    if not len(attractors):
        return np.full(len(ends), -1)
    ends = region.measure(ends)
    distance = np.linalg.norm(ends[:, None] - region.measure(attractors)[None], axis=2)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    nearest = np.argmin(distance, axis=1)
    return np.where(distance[np.arange(len(ends)), nearest] <= 0.1 * region.diameter, nearest, -1)


def connections(flow: Flow, region: Region, fixed: FixedPoints, duration: float) -> Connections:
    """Follow both sides of every unstable real direction of every saddle with one or two of them."""
    source, starts = [], []
    size = OFFSET * np.linalg.norm(region.upper - region.lower)
    for i in np.flatnonzero((fixed.kind == "saddle") & fixed.isolated & (fixed.index <= 2)):
        for k in np.flatnonzero((fixed.eigenvalues[i].real > 0) & (np.abs(fixed.eigenvalues[i].imag) < 1e-9)):
            direction = fixed.eigenvectors[i, :, k].real
            direction = direction / max(np.linalg.norm(direction), 1e-300)
            for sign in (1, -1):
                source.append(i)
                starts.append(fixed.points[i] + sign * size * direction)
    if not starts:
        return Connections(np.empty(0, int), np.empty(0, int), np.empty(0))
    times = np.linspace(0, duration, 201)
    reach = 10 * np.linalg.norm(region.upper - region.lower)
    paths = flow.path(np.array(starts), times, limit=reach)
    gaps = np.linalg.norm(
        region.measure(paths)[:, :, None] - region.measure(fixed.points)[None, None], axis=3
    )
    near = gaps < ARRIVED * region.diameter
    near[np.arange(len(source)), :, source] = False
    near &= np.isfinite(gaps) & (fixed.index == 0)[None, None]
    ended = near[:, -1]
    target = np.where(ended.any(1), np.argmax(ended, axis=1), -1)
    reached = near[np.arange(len(source)), :, target]
    when = np.where(target >= 0, times[np.argmax(reached, axis=1)], np.nan)
    return Connections(np.array(source), target, when, paths)


def separatrix(
    flow: Flow,
    region: Region,
    fixed: FixedPoints,
    index: int,
    duration: float,
    *,
    n: int = 64,
    random_state: int = 0,
) -> np.ndarray:
    """Points of the stable manifold of a saddle, inside the region's widened box.

    The flow is run backwards from states beside the saddle in its stable subspace. With two latents these are
    the two branches of a curve.

    Parameters
    ----------
    fixed : FixedPoints
        Fixed points of the field; `index` is the saddle's place among them.
    duration : float
        Seconds to run backwards.
    n : int
        Number of starts around the saddle.

    Returns
    -------
    array (k, N)

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow, portrait, separatrix, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> states = circuit.simulate(30).latents
    >>> fixed = portrait(circuit.field, states, horizon=1.2).fixed_points
    >>> saddle = int(np.flatnonzero(fixed.kind == "saddle")[0])
    >>> line = separatrix(Flow(circuit.field), visited_region(states), fixed, saddle, 0.5)
    >>> bool(np.abs(line[:, 0]).max() < 1e-6)
    True
    """
    stable = fixed.eigenvalues[index].real < 0
    directions = fixed.eigenvectors[index][:, stable]
    rank = int(stable.sum())
    if rank == 0:
        return np.empty((0, flow.dim))
    rng = np.random.default_rng(random_state)
    around = rng.standard_normal((n, rank)) if rank > 1 else np.array([[1.0], [-1.0]])
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    size = 1e-4 * np.linalg.norm(region.upper - region.lower)
    state = fixed.points[index] + size * around @ _stable_basis(directions, rank).T
    lower, upper = region.box(0.5)
    step = flow.time_step(state, duration)
    found = [state]
    for _ in range(int(np.ceil(duration / step))):
        state = _backward(flow, state, step)
        state = state[np.isfinite(state).all(1) & (state >= lower).all(1) & (state <= upper).all(1)]
        if not len(state):
            break
        found.append(state)
    return np.concatenate(found)


def _stable_basis(directions: np.ndarray, rank: int) -> np.ndarray:
    """Orthonormal basis (N, rank) of the real span of the complex directions."""
    stacked = np.concatenate([directions.real, directions.imag], axis=1)
    left = np.linalg.svd(stacked, full_matrices=False)[0]
    return left[:, :rank]


def _backward(flow: Flow, h: np.ndarray, dt: float) -> np.ndarray:
    a = flow.velocity(h)
    b = flow.velocity(h - dt / 2 * a)
    c = flow.velocity(h - dt / 2 * b)
    return h - dt / 6 * (a + 2 * b + 2 * c + flow.velocity(h - dt * c))
