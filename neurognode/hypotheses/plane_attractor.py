"""Plane attractor: a two-dimensional sheet of nearly equal rest states."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above
from neurognode.hypotheses.line_attractor import linear_rates


class PlaneAttractor(Hypothesis):
    """States relax to a sheet and are held everywhere on it."""

    name = "plane_attractor"
    title = "Plane attractor"
    predicts = "States relax to a sheet without holes and hardly move on it."
    refuted_by = "One slow direction, or three; loops in the slow set; collapse; separate wells."
    statistic_name = "log2 of the second slowest time constant over the third"
    effect_name = "drift in region diameters a trial"
    null = "shuffle_trials"
    citation = "Mante et al. 2013, Nature 503:78; Khona and Fiete 2022, Nat. Rev. Neurosci. 23:744"
    compatible = ("regime_switch",)

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        return [
            demands.persists(view),
            demands.stays(view),
            *demands.on_set(
                view,
                2,
                [
                    demands.has_topology(view, "disk"),
                    demands.is_attractive(view),
                    demands.no_wells(view),
                ],
            ),
            demands.is_slow(view, 0.3, 0.6),
            above(number["extent"], 0.4, 0.15, "The slow set is small: {value:.2f} of the region."),
        ]

    def statistic(self, view: View) -> float:
        return float(np.log2(max(view.numbers["gap"], 1e-3))) if view.numbers["dimension"] == 2 else 0.0

    def effect(self, view: View) -> float:
        return view.numbers["drift_share"]

    def signature(self, view: View) -> float:
        """Log2 of the ratio of the second to the third slowest rate of a linear fit to the latents."""
        rates = linear_rates(view)
        if rates is None or len(rates) < 3:
            return float("nan")
        size = np.maximum(np.sort(np.abs(rates.real)), 1e-6)
        return float(np.log2(size[2] / size[1]))

    def reason(self, view: View) -> str:
        number = view.numbers
        return (
            f"States relax to a sheet at {number['normal_rate']:.1f} /s and move on it by {number['drift_share']:.2f} "
            "diameters a trial."
        )
