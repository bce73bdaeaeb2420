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
    states = view.portrait.region.states
    if view.trajectories is not None:
        lasting = np.isfinite(view.trajectories).all(2).sum(1)
        late = np.arange(view.trajectories.shape[1]) >= 0.75 * lasting[:, None]
        states = view.trajectories[late & np.isfinite(view.trajectories).all(2)]
    return _share_on(view, cycle, states)


def _share_on(view: View, cycle: Cycle, states: np.ndarray) -> float:
    if not len(states):
        return 0.0
    region = view.portrait.region
    tree = cKDTree(region.measure(cycle.orbit[::4]))
    return float((tree.query(region.measure(states))[0] < NEAR * region.diameter).mean())


def is_reached(view: View, cycle: Cycle) -> Criterion:
    """The data themselves have come to the orbit: on their way to it, motion that dies away looks the same."""
    share = data_on(view, cycle)
    return demand(
        True if share >= REACHED else None,
        f"Only {share:.0%} of the data's states are on the closed orbit late in trials: motion that dies away would "
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
