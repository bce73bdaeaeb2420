"""Limit cycle: an isolated closed orbit that attracts, run through in less than about a trial."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand
from neurognode.interpret import Cycle

NEAR = 0.05
"""States nearer to a closed orbit than this share of the region's diameter are on it."""
REACHED, MISSED = 0.6, 0.2
"""Share of the data's states late in trials that are on an orbit which they have reached, and on one they have not."""
INSIDE = 0.15
"""Share of the data's states early in trials that are inside an orbit which they come to from both sides."""


class LimitCycle(Hypothesis):
    """A stable periodic orbit in the visited region, which most visited states are led to.

    An oscillation that dies away without noise is not one, whatever its spectrum.
    """

    name = "limit_cycle"
    title = "Limit cycle"
    predicts = "States are drawn to one closed orbit and keep running round it."
    refuted_by = "Motion that dies away without noise; no closed orbit; a Floquet multiplier above one."
    statistic_name = "share of end points on a stable orbit, times motion per trial (at most 1)"
    effect_name = "turns a trial"
    null = "phase_randomize"
    citation = "Linden et al. 2022, Nature 610:526; Russo et al. 2018, Neuron 97:953"
    compatible = ("regime_switch",)

    def criteria(self, view: View) -> list[Criterion]:
        number, cycle = view.numbers, best_cycle(view)
        found = [
            above(
                number["travel"], 0.5, 0.15, "Without noise the motion stops: {value:.2f} diameters a trial."
            ),
            demand(cycle is not None, "No stable closed orbit was found."),
        ]
        if cycle is None:
            return found
        length = view.portrait.horizon
        return [
            *found,
            below(cycle.period / length, 1.5, 3.0, "One turn takes {value:.1f} trials."),
            above(cycle.inside, 0.7, 0.3, "Only {value:.0%} of the orbit lies where data have been."),
            above(on_orbit(view, cycle), 0.7, 0.3, "Only {value:.0%} of end points lie on the orbit."),
            is_reached(view, cycle),
        ]

    def statistic(self, view: View) -> float:
        cycle = best_cycle(view)
        if cycle is None:
            return 0.0
        return on_orbit(view, cycle) * min(1.0, view.numbers["travel"]) * cycle.inside

    def effect(self, view: View) -> float:
        cycle = best_cycle(view)
        return 0.0 if cycle is None else view.portrait.horizon / cycle.period

    def signature(self, view: View) -> float:
        """Height of the first later peak of the latents' autocorrelation."""
        if view.trajectories is None:
            return float("nan")
        return later_peak(view.trajectories)

    def reason(self, view: View) -> str:
        cycle = best_cycle(view)
        if cycle is None:
            return self.predicts
        second = np.sort(np.abs(cycle.multipliers))[-2] if len(cycle.multipliers) > 1 else 0.0
        return (
            f"A closed orbit of period {cycle.period:.3g} s attracts {on_orbit(view, cycle):.0%} of states; a push off "
            f"it shrinks to {second:.2f} in a turn."
        )


def best_cycle(view: View) -> Cycle | None:
    """The stable orbit that most end points lie on, or None."""
    stable = [cycle for cycle in view.portrait.cycles if cycle.stable]
    return max(stable, key=lambda cycle: on_orbit(view, cycle), default=None)


def on_orbit(view: View, cycle: Cycle) -> float:
    """Share of end points on the orbit."""
    ends = view.portrait.behaviour.ends
    return _share_on(view, cycle, ends[np.isfinite(ends).all(1)])


def data_on(view: View, cycle: Cycle) -> float:
    """Share of the data's own states on the orbit in the last quarter of trials (of all visited states if unknown)."""
    return _share_on(view, cycle, _part_of_trials(view, 0.75, 1.0))


def data_inside(view: View, cycle: Cycle) -> float:
    """Share of them inside the orbit, nearer to its centre in its plane, in the first quarter of trials."""
    region = view.portrait.region
    orbit = region.measure(cycle.orbit[:-1])
    centre = orbit.mean(0)
    plane = np.linalg.svd(orbit - centre, full_matrices=False)[2][:2]
    if len(plane) < 2:
        return float("nan")
    states = region.measure(_part_of_trials(view, 0.0, 0.25))
    (angle, radius), (seen, distance) = (_polar((points - centre) @ plane.T) for points in (orbit, states))
    order = np.argsort(angle)
    return float((distance < np.interp(seen, angle[order], radius[order], period=2 * np.pi)).mean())


def _polar(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arctan2(points[:, 1], points[:, 0]), np.linalg.norm(points, axis=1)


def _part_of_trials(view: View, begin: float, end: float) -> np.ndarray:
    """The data's own states (n, N) between these shares of each trial; all visited states where trials are unknown."""
    if view.trajectories is None:
        return view.portrait.region.states
    inside = np.isfinite(view.trajectories).all(2)
    place = np.arange(inside.shape[1]) / np.maximum(inside.sum(1)[:, None], 1)
    return view.trajectories[inside & (place >= begin) & (place < end)]


def _share_on(view: View, cycle: Cycle, states: np.ndarray) -> float:
    if not len(states):
        return 0.0
    region = view.portrait.region
    tree = cKDTree(region.measure(cycle.orbit[::4]))
    return float((tree.query(region.measure(states))[0] < NEAR * region.diameter).mean())


def is_reached(view: View, cycle: Cycle) -> Criterion:
    """The data have come to the orbit, and from both sides: else motion that dies away looks the same."""
    share, inside = data_on(view, cycle), data_inside(view, cycle)
    like = "motion that dies away would look the same."
    if share < REACHED:
        return demand(
            None, f"Only {share:.0%} of the data's states are on the closed orbit late in trials: {like}"
        )
    return demand(
        True if inside >= INSIDE else None,
        f"Only {inside:.0%} of the data's states begin inside the closed orbit: coming from outside, {like}",
    )


def later_peak(trajectories: np.ndarray) -> float:
    """Largest autocorrelation after the first zero crossing, over principal axes; 0 if it never crosses.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses.limit_cycle import later_peak
    >>> angle = np.linspace(0, 8 * np.pi, 200)
    >>> later_peak(np.stack([np.cos(angle), np.sin(angle)], 1)[None]) > 0.9
    True
    """
    flat = trajectories[np.isfinite(trajectories).all((1, 2))]
    if not len(flat) or flat.shape[1] < 6:
        return float("nan")
    centred = flat - flat.mean((0, 1))
    n = flat.shape[1]
    values = np.empty(2 * n // 3)
    for lag in range(len(values)):
        a, b = centred[:, : n - lag], centred[:, lag:]
        values[lag] = (a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-300)
    below_zero = np.flatnonzero(values < 0)
    return float(max(0.0, values[below_zero[0] :].max())) if len(below_zero) else 0.0
