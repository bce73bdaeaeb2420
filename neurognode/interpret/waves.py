"""Many searches for zeros at the price of a few: a start that a known zero draws in is not searched itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import farthest_points

FIRST_WAVE, GROWTH = 16, 4
"""Size of the first wave, and of each after it in sizes of the one before."""
CHORD_STEPS = 12
TOGETHER = 0.02
"""States that the approach has brought this close together, in region diameters, are searched as one."""
ARRIVED = 1e-7
"""A chord iteration has arrived at a zero at this share of the region's diameter."""


def in_waves(
    flow: Flow,
    states: np.ndarray,
    search: Callable[[np.ndarray], np.ndarray],
    approach: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    scale: float,
) -> np.ndarray:
    """Search from a few states far apart, give the others what they converge to, and go on with what is left.

    Newton's method with the Jacobian kept at a zero (the chord method) costs a field evaluation a step. States
    that it brings to a zero that is known already are done. So are those that have come to where a search started
    that stalled. Each wave is larger than the one before.

    Parameters
    ----------
    flow : Flow
        The field.
    states : array (n, N)
        Where to begin.
    search : function
        States (k, N) -> where a full search ends, (k, N).
    approach : function
        The same, cheap: only into the neighbourhood of zeros.
    tolerance : float
        A zero has a speed below this, latent units per second.
    scale : float
        The region's diameter, latent units.

    Returns
    -------
    array (n, N)
        For every state a zero, or where its search stalled.
    """
    states = states.copy()
    waiting, size = np.arange(len(states)), FIRST_WAVE
    while len(waiting):
        states[waiting] = approach(states[waiting])
        pool = waiting[: 4 * size]
        chosen = pool[farthest_points(states[pool], size)]
        begun = states[chosen].copy()
        states[chosen] = search(begun)
        waiting = np.setdiff1d(waiting, chosen, assume_unique=True)
        if len(waiting):
            known, stalled = _zeros(flow, states[chosen], tolerance, scale)
            taken, where = _drawn_in(flow, states[waiting], known, scale)
            states[waiting[taken]] = known[where[taken]]
            waiting = waiting[~taken]
            waiting = waiting[~_beside(states[waiting], begun[stalled], TOGETHER * scale)]
        size *= GROWTH
    return states


def _beside(states: np.ndarray, others: np.ndarray, distance: float) -> np.ndarray:
    """Which states (n, N) have one of the others (m, N) within a distance, bool (n,)."""
    if not len(others) or not len(states):
        return np.zeros(len(states), bool)
    return np.asarray(cKDTree(np.nan_to_num(others)).query(np.nan_to_num(states))[0]) <= distance


def _zeros(flow: Flow, states: np.ndarray, tolerance: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """One of each group of converged states, and which states have not converged."""
    speed = np.linalg.norm(flow.velocity(states), axis=1)
    good = np.isfinite(speed) & (speed <= tolerance)
    points = states[good]
    if not len(points):
        return points, ~good
    groups = cKDTree(points).query_ball_point(points, ARRIVED * scale)
    return points[[min(group) == i for i, group in enumerate(groups)]], ~good


def _drawn_in(
    flow: Flow, states: np.ndarray, zeros: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which states the chord method takes to their nearest zero, bool (n,), and which zero that is, int (n,)."""
    taken = np.zeros(len(states), bool)
    if not len(zeros):
        return taken, np.zeros(len(states), int)
    nearest = np.asarray(cKDTree(zeros).query(np.nan_to_num(states))[1])
    for k, jacobian in enumerate(flow.open_jacobian(zeros)):
        mine = np.flatnonzero(nearest == k)
        size = np.linalg.svd(jacobian, compute_uv=False)
        if len(mine) and size[-1] > 1e-9 * size[0]:
            taken[mine] = _chord(flow, states[mine], zeros[k], np.linalg.inv(jacobian), scale)
    return taken, nearest


def _chord(flow: Flow, states: np.ndarray, zero: np.ndarray, inverse: np.ndarray, scale: float) -> np.ndarray:
    """Which states end at the zero, each step being at most half as long as the one before."""
    state, going = states.copy(), np.isfinite(states).all(1)
    arrived, before = np.zeros(len(states), bool), np.full(len(states), np.inf)
    for _ in range(CHORD_STEPS):
        index = np.flatnonzero(going & ~arrived)
        if not len(index):
            break
        move = -flow.open_velocity(state[index]) @ inverse.T
        length = np.linalg.norm(move, axis=1)
        going[index] = length <= 0.5 * before[index]
        state[index] += np.where(going[index, None], move, 0.0)
        before[index] = length
        arrived[index] = going[index] & (np.linalg.norm(state[index] - zero, axis=1) <= ARRIVED * scale)
    return arrived
