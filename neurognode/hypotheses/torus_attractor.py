"""Torus attractor: a closed sheet of rest states with two independent loops (grid-cell modules)."""

from __future__ import annotations

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above


class TorusAttractor(Hypothesis):
    """States relax to a set with one part, two loops and one void, and are held on it.

    A torus in the data alone does not imply it: a one-dimensional network, or cells with oscillating gain, can
    give one (di Sarra et al. 2025, arXiv:2501.19262).
    """

    name = "torus_attractor"
    title = "Torus attractor"
    predicts = "States relax to a torus and hardly move on it."
    refuted_by = "Fewer than two loops or no void in the slow set; collapse; separate wells."
    statistic_name = "life of the second longest loop over the diameter of the slow set"
    effect_name = "return rate over drift rate"
    null = "circular_shift"
    citation = "Gardner et al. 2022, Nature 602:123"
    compatible = ("regime_switch",)

    def criteria(self, view: View) -> list[Criterion]:
        loop = view.numbers["second_loop"]
        return [
            demands.persists(view),
            demands.stays(view),
            *demands.on_set(
                view,
                2,
                [
                    demands.has_topology(view, "torus"),
                    above(loop, 0.12, 0.06, "The second loop is short: {value:.2f} of the diameter."),
                    demands.is_attractive(view),
                    demands.no_wells(view),
                ],
            ),
            demands.is_slow(view, 0.4, 0.8),
        ]

    def statistic(self, view: View) -> float:
        return view.numbers["second_loop"]

    def effect(self, view: View) -> float:
        return view.numbers["gap"]

    def signature(self, view: View) -> float:
        """Second longest loop of the data's own latents, relative to their size."""
        return view.loops[1]

    def reason(self, view: View) -> str:
        number = view.numbers
        return f"States relax to a torus at {number['normal_rate']:.1f} /s; its loops are stable under resampling."
