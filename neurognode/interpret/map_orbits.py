"""Cycles of maps: orbits that close after a few steps, and closed curves that an orbit winds along."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from neurognode.interpret.cycles import Cycle, on_orbit, same_cycle
from neurognode.interpret.flow import Flow
from neurognode.interpret.lyapunov import lyapunov_exponents
from neurognode.interpret.region import Region, farthest_points

FEW = 8
"""Periods, in steps, that are solved for exactly."""
STEPS = 4000
"""Steps of an orbit from which a closed curve is read."""
CLOSED = 1e-9
POINTS = 401


def map_cycles(flow: Flow, region: Region, states: np.ndarray, *, n_tries: int = 3) -> list[Cycle]:
    """Periodic orbits and invariant closed curves of a map that late states are on, or close to.

    A map made of a flow, or fitted to one, turns a limit cycle into a closed curve that its orbit fills without
    ever closing. Its period is the mean time of a turn, its exponents are the orbit's Lyapunov exponents (one of
    them near zero, along the curve), and its multipliers what these make of a displacement in one period.

    Parameters
    ----------
    flow : Flow
        Of a map.
    states : array (n, N)
        States after transients have died out.
    n_tries : int
        How many of them, far apart, to start from.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from neurognode.dynamics import Map
    >>> from neurognode.interpret import Flow, map_cycles, visited_region
    >>> class Flip(Map):
    ...     def step(self, h, x=None):
    ...         return 3.2 * h * (1 - h)
    >>> states = np.random.default_rng(0).uniform(0.3, 0.9, size=(50, 1))
    >>> found = map_cycles(Flow(Flip(1, dt=0.1)), visited_region(states), states)
    >>> len(found), round(found[0].period, 6), found[0].stable
    (1, 0.2, True)
    """
    states = states[np.isfinite(states).all(1)]
    found: list[Cycle] = []
    for start in states[farthest_points(region.measure(states), n_tries)] if len(states) else states:
        late = flow.end(start[None], 200 * flow.map_step, limit=_reach(region))[0]
        if not np.isfinite(late).all() or any(on_orbit(region, cycle, late) for cycle in found):
            continue
        cycle = _short(flow, region, late)
        if cycle is None and flow.dim > 1:
            cycle = _curve(flow, region, late)
        if cycle is not None and not any(same_cycle(region, cycle, other) for other in found):
            found.append(cycle)
    return found


def _reach(region: Region) -> float:
    return 10 * float(np.linalg.norm(region.upper - region.lower))


def _short(flow: Flow, region: Region, state: np.ndarray) -> Cycle | None:
    """The orbit of the smallest period up to `FEW` steps near a state, by Newton's method; None if there is none."""
    size = float(np.linalg.norm(region.upper - region.lower))
    times = np.arange(FEW + 1) * flow.map_step
    path = flow.path(state[None], times)[0]
    gaps = np.linalg.norm(path[1:] - state, axis=1)
    for period in range(1, FEW + 1):
        if not gaps[period - 1] < 1e-3 * size:
            continue
        if period == 1:
            return None
        found = _closed(flow, state, period, size)
        return None if found is None else _periodic(flow, region, found, period)
    return None


def _product(flow: Flow, orbit: np.ndarray) -> np.ndarray:
    """Derivative of the map iterated along an orbit (p, N)."""
    whole = np.eye(flow.dim)
    for jacobian in flow.jacobian(orbit):
        whole = (np.eye(flow.dim) + flow.map_step * jacobian) @ whole
    return whole


def _orbit(flow: Flow, state: np.ndarray, period: int) -> np.ndarray:
    return flow.path(state[None], np.arange(period + 1) * flow.map_step)[0]


def _closed(flow: Flow, state: np.ndarray, period: int, size: float) -> np.ndarray | None:
    for _ in range(20):
        orbit = _orbit(flow, state, period)
        gap = orbit[-1] - state
        if not np.isfinite(gap).all():
            return None
        if np.linalg.norm(gap) < CLOSED * size:
            return state
        system = _product(flow, orbit[:-1]) - np.eye(flow.dim)
        state = state + np.linalg.lstsq(system, -gap, rcond=None)[0]
    return None


def _periodic(flow: Flow, region: Region, state: np.ndarray, period: int) -> Cycle | None:
    orbit = _orbit(flow, state, period)
    if np.linalg.norm(np.ptp(orbit, axis=0)) < 1e-3 * np.linalg.norm(region.upper - region.lower):
        return None
    multipliers = np.linalg.eigvals(_product(flow, orbit[:-1])).astype(complex)
    multipliers = multipliers[np.argsort(-np.abs(multipliers))]
    with np.errstate(divide="ignore"):
        exponents = np.log(np.abs(multipliers)) / (period * flow.map_step)
    stable, inside = bool((np.abs(multipliers) < 0.999).all()), float(region.inside(orbit).mean())
    return Cycle(orbit, period * flow.map_step, multipliers, exponents, stable, inside)


def _curve(flow: Flow, region: Region, state: np.ndarray) -> Cycle | None:
    """The closed curve that the orbit of a state fills; None if it fills something else."""
    path = flow.path(state[None], np.arange(STEPS + 1) * flow.map_step, limit=_reach(region))[0]
    if not np.isfinite(path).all():
        return None
    phase = _phase(path)
    size = float(np.linalg.norm(np.ptp(path, axis=0)))
    if phase is None or size < 0.01 * np.linalg.norm(region.upper - region.lower):
        return None
    turns = (phase[-1] - phase[0]) / (2 * np.pi)
    period = STEPS * flow.map_step / abs(turns) if abs(turns) > 2 else np.inf
    order = np.argsort(np.mod(phase, 2 * np.pi))
    curve = path[order]
    gaps = np.linalg.norm(np.diff(curve, axis=0, append=curve[:1]), axis=1)
    if not np.isfinite(period) or gaps.max() > 0.1 * size or _thickness(path) > 0.02 * size:
        return None
    exponents = lyapunov_exponents(flow, state[None], STEPS * flow.map_step)[0]
    if not abs(exponents[0]) * period < 0.1:
        return None
    kept = curve[np.linspace(0, len(curve) - 1, POINTS - 1).astype(int)]
    closed = np.vstack([kept, kept[:1]])
    multipliers = np.exp(exponents * period).astype(complex)
    return Cycle(
        closed, float(period), multipliers, exponents, bool(exponents[1] * period < -1e-3),
        float(region.inside(closed).mean()),
    )  # fmt: skip


def _phase(path: np.ndarray) -> np.ndarray | None:
    """Unwrapped angle (T,) in the plane of most variance; None where the orbit does not turn one way around."""
    centred = path - path.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    flat = centred @ axes.T
    if np.linalg.norm(flat, axis=1).min() < 0.05 * np.abs(flat).max():
        return None
    return np.unwrap(np.arctan2(flat[:, 1], flat[:, 0]))


def _thickness(path: np.ndarray) -> float:
    """How far states lie from the curve through their neighbours: second spread of neighbourhoods, 90th percentile."""
    index = cKDTree(path).query(path[::10], k=12)[1]
    local = path[index] - path[index].mean(1, keepdims=True)
    return float(np.percentile(np.linalg.svd(local, compute_uv=False)[:, 1] / np.sqrt(12), 90))
