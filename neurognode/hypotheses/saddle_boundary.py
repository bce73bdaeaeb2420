"""Saddle boundary: a saddle whose stable manifold separates two outcomes."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand
from neurognode.hypotheses.discrete_attractors import ashman_d, last_states


class SaddleBoundary(Hypothesis):
    """A saddle of index one in the visited region, whose two sides lead to outcomes that noise does not exchange."""

    name = "saddle_boundary"
    title = "Saddle as a decision boundary"
    predicts = "States on the two sides of a saddle's stable manifold part and end in different places."
    refuted_by = "No saddle where data have been; both sides end together; noise exchanges the outcomes."
    statistic_name = "growth rate of the saddle times the trial length, times the share noise leaves in place"
    effect_name = "share of states on the smaller side"
    null = "shuffle_trials"
    citation = "Wong and Wang 2006, J. Neurosci. 26:1314"
    compatible = ("discrete_attractors", "regime_switch")

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        return [
            above(len(saddles(view)), 1, 0.5, "There is no saddle of index one where data have been."),
            above(growth(view), 1.5, 0.7, "The saddle grows only {value:.2f}-fold in logarithm a trial."),
            above(number["n_clusters"], 2, 1.5, "States from both sides of the saddle end together."),
            above(number["balance"], 0.1, 0.03, "Only {value:.0%} of states end on the other side."),
            demands.rests(view),
            _parts(view),
            below(
                number["switching"],
                demands.WELLS,
                0.12,
                "Noise exchanges {value:.0%} of outcomes within a trial.",
            ),
        ]

    def statistic(self, view: View) -> float:
        switching = view.numbers["switching"]
        return (
            growth(view)
            * (1 - (switching if np.isfinite(switching) else 0.0))
            * (view.numbers["n_clusters"] >= 2)
        )

    def effect(self, view: View) -> float:
        return view.numbers["balance"]

    def signature(self, view: View) -> float:
        """Share of trials that end where their choice's others end; without choices, Ashman's D of the ends."""
        if view.trajectories is None:
            return float("nan")
        labels = view.columns.get("choice")
        if labels is None:
            return ashman_d(last_states(view.trajectories))
        return choice_agreement(view, np.asarray(labels))

    def reason(self, view: View) -> str:
        return (
            f"A saddle that grows at {growth(view) / view.portrait.horizon:.1f} /s parts states into groups that "
            f"noise does not exchange ({view.numbers['switching']:.0%} within a trial)."
        )


def saddles(view: View) -> np.ndarray:
    """Indices of index-one saddles inside the visited region."""
    fixed = view.portrait.fixed_points
    return np.flatnonzero((fixed.kind == "saddle") & (fixed.index == 1) & fixed.inside & fixed.isolated)


def growth(view: View) -> float:
    """Largest growth rate of these saddles times the trial length; 0 without one."""
    found = saddles(view)
    if not len(found):
        return 0.0
    return float(view.portrait.fixed_points.eigenvalues[found, 0].real.max() * view.portrait.horizon)


def _parts(view: View) -> Criterion:
    """The two unstable branches of some saddle come out at different places."""
    if view.flow is None:
        return demand(None, "The field is needed to follow the saddle's branches.")
    fixed, region, length = view.portrait.fixed_points, view.portrait.region, view.portrait.horizon
    gaps = []
    for i in saddles(view):
        direction = fixed.eigenvectors[i, :, 0].real
        size = 1e-2 * np.linalg.norm(region.upper - region.lower) / max(np.linalg.norm(direction), 1e-300)
        starts = fixed.points[i] + size * np.outer([1, -1], direction)
        ends = region.measure(view.flow.end(starts, 2 * length))
        gaps.append(np.linalg.norm(ends[0] - ends[1]) / region.diameter)
    gap = np.nanmax(gaps) if gaps and np.isfinite(gaps).any() else np.nan
    return above(gap, 0.25, 0.1, "The two sides of the saddle end {value:.2f} diameters apart.")


def choice_agreement(view: View, labels: np.ndarray) -> float:
    """How well groups of flow end points, reached from trials' last states, predict the labels (best mapping)."""
    roll, region = view.portrait.behaviour, view.portrait.region
    if view.trajectories is None or roll.n_clusters < 2:
        return float("nan")
    finite = np.isfinite(view.trajectories).all(2).any(1)
    ends, labels = region.measure(last_states(view.trajectories)), labels[finite]
    centres = [region.measure(roll.ends[roll.labels == k]).mean(0) for k in range(roll.n_clusters)]
    group = np.argmin(np.linalg.norm(ends[:, None] - np.array(centres)[None], axis=2), axis=1)
    names, coded = np.unique(labels.astype(str), return_inverse=True)
    table = np.zeros((roll.n_clusters, len(names)))
    np.add.at(table, (group, coded), 1)
    return float(table.max(1).sum() / table.sum())
