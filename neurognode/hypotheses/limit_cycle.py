"""Limit cycle: an isolated closed orbit that attracts, run through in less than about a trial."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand
from neurognode.interpret import Cycle

INSIDE = 0.25
"""Share of visited states inside a closed orbit (half of them where states run round it) that shows it from within."""


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
            both_sides(view, cycle),
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
    """Share of end points within 5 % of the region's diameter of the orbit."""
    region, ends = view.portrait.region, view.portrait.behaviour.ends
    ends = ends[np.isfinite(ends).all(1)]
    if not len(ends):
        return 0.0
    gap = np.linalg.norm(region.measure(ends)[:, None] - region.measure(cycle.orbit[::4])[None], axis=2).min(
        1
    )
    return float((gap < 0.05 * region.diameter).mean())


def within(view: View, cycle: Cycle) -> float:
    """Share of visited states that are nearer to the orbit's centre than the orbit is, in the plane of the orbit."""
    region = view.portrait.region
    orbit = region.measure(cycle.orbit[:-1])
    centre = orbit.mean(0)
    plane = np.linalg.svd(orbit - centre, full_matrices=False)[2][:2]
    if len(plane) < 2:
        return float("nan")
    turned, states = ((points - centre) @ plane.T for points in (orbit, region.measure(region.states)))
    angle = np.arctan2(turned[:, 1], turned[:, 0])
    order = np.argsort(angle)
    radius = np.interp(
        np.arctan2(states[:, 1], states[:, 0]), angle[order], np.linalg.norm(turned, axis=1)[order],
        period=2 * np.pi,
    )  # fmt: skip
    return float((np.linalg.norm(states, axis=1) < radius).mean())


def both_sides(view: View, cycle: Cycle) -> Criterion:
    """Data have been inside the orbit too: coming in from outside, a rotation that dies away looks the same."""
    share = within(view, cycle)
    return demand(
        True if share >= INSIDE else None,
        f"Only {share:.0%} of states lie inside the closed orbit: coming in from outside, motion that dies away would "
        "look the same.",
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
