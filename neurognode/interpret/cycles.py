"""Limit cycles by shooting, with their Floquet multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region, farthest_points
from neurognode.interpret.variational import tangent_steps

COARSE, STEPS = 100, 400
"""Runge-Kutta steps a period while an orbit is looked for, and in the answer."""
SMALL = 1e-6
"""A multiplier below this share of the largest is taken from the volume that the flow contracts, not from itself."""
CLOSED = 1e-9
"""An orbit is closed if it returns to this share of the region's diameter."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """A periodic orbit.

    Attributes
    ----------
    orbit : array (401, N)
        One turn, equally spaced in time, the last state equal to the first.
    period : float
        Seconds.
    multipliers : complex array (N,)
        Floquet multipliers, the largest modulus first; one is 1, along the orbit.
    exponents : array (N,)
        Their logarithms' real parts over the period, 1/s.
    stable : bool
        Whether all others have a modulus below one.
    inside : float
        Share of the orbit in the visited region.
    """

    orbit: np.ndarray
    period: float
    multipliers: np.ndarray
    exponents: np.ndarray
    stable: bool
    inside: float


def find_cycles(
    flow: Flow,
    region: Region,
    states: np.ndarray,
    *,
    longest: float,
    n_tries: int = 3,
    step: float | None = None,
) -> list[Cycle]:
    """Periodic orbits that states still in motion are on, or close to.

    Parameters
    ----------
    flow : Flow
        The field; for a map see `map_cycles`.
    states : array (n, N)
        States after transients have died out.
    longest : float
        Longest period looked for, seconds.
    n_tries : int
        How many of the states, far apart, to start from.

    Examples
    --------
    >>> from neurognode.interpret import Flow, find_cycles, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("limit_cycle")
    >>> states = circuit.simulate(20).latents
    >>> found = find_cycles(Flow(circuit.field), visited_region(states), states[:, -1], longest=5.0)
    >>> abs(found[0].period - circuit.key.period) < 1e-6
    True
    """
    states = states[np.isfinite(states).all(1)]
    if flow.is_map or not len(states) or flow.dim < 2:
        return []
    cycles: list[Cycle] = []
    for start in states[farthest_points(region.measure(states), n_tries)]:
        if any(on_orbit(region, cycle, start) for cycle in cycles):
            continue
        guess = first_return(flow, region, start, longest, step)
        found = None if guess is None else shoot(flow, region, *guess)
        if (
            found is not None
            and found.period <= 1.5 * longest
            and not any(same_cycle(region, found, c) for c in cycles)
        ):
            cycles.append(found)
    return cycles


def first_return(
    flow: Flow, region: Region, start: np.ndarray, longest: float, step: float | None = None
) -> tuple[np.ndarray, float] | None:
    """The state and time of the closest return of `start` to the plane through it, across the flow.

    None if the state does not come back to within a fifth of the orbit's size in ``2 * longest`` seconds.
    """
    speed = np.linalg.norm(flow.velocity(start[None])[0])
    if not speed * longest > 0.05 * np.linalg.norm(region.upper - region.lower):
        return None
    times = np.linspace(0, 2 * longest, 801)
    reach = 10 * np.linalg.norm(region.upper - region.lower)
    path = flow.path(start[None], times, step=step, limit=reach)[0]
    if not np.isfinite(path).all():
        return None
    origin, later = path[400 - 1], path[400:]  # the second half: closer to the attractor
    normal = flow.velocity(origin[None])[0]
    side = (later - origin) @ normal
    crossings = np.flatnonzero((side[:-1] < 0) & (side[1:] >= 0))
    size = np.linalg.norm(np.ptp(path[400:], axis=0))
    for k in crossings:
        share = side[k] / (side[k] - side[k + 1])
        point = later[k] + share * (later[k + 1] - later[k])
        if np.linalg.norm(point - origin) < 0.2 * size:
            return point, float((k + 1 + share) * (times[1] - times[0]))
    return None


def _monodromy(
    flow: Flow, start: np.ndarray, period: float, steps: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Orbit of `start` over one period, the derivative of its end by its start, and the log of its determinant."""
    orbit: list[np.ndarray] = []
    monodromy, volume = np.eye(len(start)), 0.0
    for states, propagators in tangent_steps(flow, start[None], period / steps, steps):
        orbit.append(states[:, 0] if not orbit else states[1:, 0])
        for step in propagators[:, 0]:
            monodromy = step @ monodromy
        volume += float(np.linalg.slogdet(propagators[:, 0])[1].sum())
    return np.concatenate(orbit), monodromy, volume


def shoot(flow: Flow, region: Region, start: np.ndarray, period: float, max_steps: int = 16) -> Cycle | None:
    """Newton's method for a closed orbit near `start` of about `period` seconds; None if there is none near.

    It is given up when four steps leave the ends 2 % of the region's size apart, or the orbit shrinks to a point.
    """
    size, steps, first_extent = float(np.linalg.norm(region.upper - region.lower)), COARSE, 0.0
    for k in range(max_steps):
        orbit, monodromy, volume = _monodromy(flow, start, period, steps)
        gap = orbit[-1] - start
        if not (np.isfinite(monodromy).all() and np.isfinite(gap).all()):
            return None
        miss = np.linalg.norm(gap) / size
        if miss < CLOSED and steps == STEPS:
            return _cycle(region, orbit, period, monodromy, volume, size)
        extent = float(np.linalg.norm(np.ptp(orbit, axis=0)))
        first_extent = extent if k == 0 else first_extent
        if (k >= 4 and miss > 0.02) or extent < 0.2 * first_extent:
            return None
        if miss < 1e-4:
            steps = STEPS
        move, change = _correction(flow, start, orbit[-1], monodromy, gap)
        cut = float(
            np.min([1.0, 0.2 * size / (np.linalg.norm(move) + 1e-300), 0.3 * period / (abs(change) + 1e-300)])
        )
        start, period = start + cut * move, float(period + cut * change)
        if period <= 0:
            return None
    return None


def _correction(
    flow: Flow, start: np.ndarray, end: np.ndarray, monodromy: np.ndarray, gap: np.ndarray
) -> tuple[np.ndarray, float]:
    """Newton step of start and period that closes the orbit, the start moving across the flow."""
    n = len(start)
    first = flow.velocity(start[None])[0]
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = monodromy - np.eye(n)
    system[:n, n] = flow.velocity(end[None])[0]
    system[n, :n] = first / max(np.linalg.norm(first), 1e-300)
    step = np.linalg.lstsq(system, np.append(-gap, 0.0), rcond=None)[0]
    return step[:n], float(step[n])


def _cycle(
    region: Region, orbit: np.ndarray, period: float, monodromy: np.ndarray, volume: float, size: float
) -> Cycle | None:
    """The orbit with its exponents; the smallest from the volume, as rounding swamps a tiny multiplier."""
    if np.linalg.norm(np.ptp(orbit, axis=0)) < 1e-3 * size:
        return None
    multipliers = np.linalg.eigvals(monodromy).astype(complex)
    multipliers = multipliers[np.argsort(-np.abs(multipliers))]
    along = int(np.argmin(np.abs(multipliers - 1)))
    others = np.delete(np.abs(multipliers), along)
    with np.errstate(divide="ignore"):
        exponents = np.log(np.abs(multipliers)) / period
    if len(exponents) > 1 and np.abs(multipliers[-1]) < SMALL * np.abs(multipliers[0]):
        exponents[-1] = volume / period - exponents[:-1].sum()
    return Cycle(
        orbit,
        period,
        multipliers,
        exponents,
        bool((others < 0.999).all()),
        float(region.inside(orbit).mean()),
    )


def on_orbit(region: Region, cycle: Cycle, state: np.ndarray) -> bool:
    """Whether a state (N,) lies within 2 % of the region's diameter of a cycle's orbit."""
    gap = region.measure(cycle.orbit) - region.measure(state[None])
    return bool(np.linalg.norm(gap, axis=1).min() < 0.02 * region.diameter)


def same_cycle(region: Region, one: Cycle, other: Cycle) -> bool:
    """Whether two cycles have the same period (5 %) and a place in common."""
    return abs(one.period - other.period) < 0.05 * other.period and on_orbit(region, other, one.orbit[0])
