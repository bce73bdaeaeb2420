"""Ring attractor: a closed curve of nearly equal rest states."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, demand


class RingAttractor(Hypothesis):
    """States relax to a closed curve and then hardly move, or drift round it slowly.

    Bumps that noise crosses within a trial do not count against it, and a hole that was never visited does not
    count as explored.
    """

    name = "ring_attractor"
    title = "Ring attractor"
    predicts = "States relax to a closed curve, return to it from the sides, and are held all along it."
    refuted_by = (
        "Collapse to a point; a slow set without a loop; wells that noise does not leave within a trial."
    )
    statistic_name = "life of the longest loop over the diameter of the slow set"
    effect_name = "return rate over drift rate"
    null = "circular_shift"
    citation = "Chaudhuri et al. 2019, Nat. Neurosci. 22:1512; Zhang 1996, J. Neurosci. 16:2112"
    compatible = ("regime_switch",)

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        return [
            demands.persists(view),
            demands.stays(view),
            *demands.on_set(
                view,
                1,
                [
                    demands.has_topology(view, "ring"),
                    above(number["loop"], 0.3, 0.15, "The hole is small: {value:.2f} of the set's diameter."),
                    demands.is_attractive(view),
                    demands.no_wells(view),
                ],
            ),
            demands.is_slow(view, 0.5, 1.0),
            _no_full_turn(view),
        ]

    def statistic(self, view: View) -> float:
        return (
            view.numbers["loop"]
            * min(1.0, view.numbers["spread_end"])
            / max(1.0, 2 * view.numbers["drift_share"])
        )

    def effect(self, view: View) -> float:
        return view.numbers["gap"]

    def variant(self, view: View) -> str:
        if view.numbers["drift_share"] > 0.15:
            return "drifting"
        return "bumpy" if view.numbers["n_clusters"] > 1 else ""

    def signature(self, view: View) -> float:
        """Longest loop of the data's own latents, relative to their size."""
        return view.loops[0]

    def reason(self, view: View) -> str:
        number = view.numbers
        return (
            f"States relax to a closed curve at {number['normal_rate']:.1f} /s and move along it by "
            f"{number['drift_share']:.2f} diameters a trial."
        )


def _no_full_turn(view: View) -> Criterion:
    fastest = min((c.period for c in view.portrait.cycles if c.stable), default=np.inf)
    held = (
        True
        if fastest > 3 * view.portrait.horizon
        else None
        if fastest > 1.5 * view.portrait.horizon
        else False
    )
    return demand(
        held, f"States run round the loop in {fastest:.2g} s: a cycle rather than a ring of rest states."
    )
