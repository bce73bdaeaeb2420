"""Discrete attractors: two or more separate rest states, with barriers that noise does not cross in a trial."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below


class DiscreteAttractors(Hypothesis):
    """The flow ends in two or more tight groups of states, and noise does not exchange them.

    Eigenvalues cannot tell bumps on a continuum from wells, since fits of a continuum invent bumps as steep as a
    planted saddle; the barrier against the fitted diffusion can.
    """

    name = "discrete_attractors"
    title = "Discrete attractors (bistable choice)"
    predicts = "The flow ends in separate tight groups, and noise moves few states between them in a trial."
    refuted_by = "One group; groups that noise exchanges within a trial; wide groups."
    statistic_name = "share of end-point variance between groups, times the share that noise leaves in place"
    effect_name = "number of attractors"
    null = "shuffle_trials"
    citation = "Wang 2002, Neuron 36:955; Inagaki et al. 2019, Nature 566:212"
    compatible = ("saddle_boundary", "regime_switch")

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        return [
            above(number["n_clusters"], 2, 1.5, "The flow ends in {value:.0f} group of states."),
            above(number["balance"], 0.05, 0.03, "The second group has only {value:.0%} of the end points."),
            demands.stays(view),
            demands.rests(view),
            demands.holds_data(view),
            below(number["travel"], 0.1, 0.3, "States still move after two trials, {value:.2f} diameters a trial."),
            *_barriers(view),
        ]  # fmt: skip

    def statistic(self, view: View) -> float:
        roll, region = view.portrait.behaviour, view.portrait.region
        kept = roll.labels >= 0
        if roll.n_clusters < 2 or not kept.any():
            return 0.0
        points, labels = region.measure(roll.ends[kept]), roll.labels[kept]
        total = points.var(0).sum()
        within = sum(points[labels == k].var(0).sum() * (labels == k).mean() for k in np.unique(labels))
        switching = view.numbers["switching"]
        return float((1 - within / max(total, 1e-300)) * (1 - (switching if np.isfinite(switching) else 0.0)))

    def effect(self, view: View) -> float:
        return view.numbers["n_clusters"]

    def variant(self, view: View) -> str:
        return {2: "bistable"}.get(view.portrait.behaviour.n_clusters, "")

    def signature(self, view: View) -> float:
        """Ashman's D of the states at the end of trials along their widest axis, split by two means."""
        if view.trajectories is None:
            return float("nan")
        return ashman_d(last_states(view.trajectories))

    def reason(self, view: View) -> str:
        number = view.numbers
        return (
            f"The flow ends in {number['n_clusters']:.0f} separate groups and noise moves "
            f"{number['switching']:.0%} of states between them within a trial."
        )


def _barriers(view: View) -> list[Criterion]:
    """Tight groups that the noise does not empty.

    Where the data's own states are nearly all at the middles of these groups and stay there, a flow that is too slow
    between two of them, or noise that crosses now and then, is the fit's fault: it does not count against the wells.
    """
    number = view.numbers
    kept = view.in_groups(view.groups_held >= demands.HELD) >= 0.9 and view.late_in_groups >= 0.75
    tight, wide = (0.5, np.inf) if kept else (0.2, 0.4)
    still, crossed = (demands.CONTINUUM, np.inf) if kept else (demands.WELLS, 0.12)
    return [
        below(number["width"], tight, wide, "A group of end points is {value:.2f} of the region wide."),
        below(
            number["switching"], still, crossed,
            "Noise moves {value:.0%} of end points to another place within a trial: no barrier.",
        ),
    ]  # fmt: skip


def last_states(trajectories: np.ndarray) -> np.ndarray:
    """The last finite state of each trial, (n, N)."""
    finite = np.isfinite(trajectories).all(2)
    last = trajectories.shape[1] - 1 - np.argmax(finite[:, ::-1], axis=1)
    return trajectories[np.arange(len(trajectories)), last][finite.any(1)]


def ashman_d(states: np.ndarray) -> float:
    """Separation of two groups along the widest axis: sqrt(2) |m1 - m2| / sqrt(s1^2 + s2^2); above 2 is bimodal.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses.discrete_attractors import ashman_d
    >>> x = np.random.default_rng(0).normal(size=(200, 2)) * 0.1
    >>> ashman_d(x + np.repeat([[-1, 0], [1, 0]], 100, axis=0)) > 10
    True
    """
    if len(states) < 10:
        return float("nan")
    centred = states - states.mean(0)
    line = np.sort(centred @ np.linalg.svd(centred, full_matrices=False)[2][0])
    n = len(line)
    sizes = np.arange(2, n - 1)
    total, square = np.cumsum(line), np.cumsum(line**2)
    left = square[sizes - 1] - total[sizes - 1] ** 2 / sizes
    right = square[-1] - square[sizes - 1] - (total[-1] - total[sizes - 1]) ** 2 / (n - sizes)
    cut = sizes[int(np.argmin(left + right))]
    low, high = line[:cut], line[cut:]
    return float(np.sqrt(2) * (high.mean() - low.mean()) / max(np.sqrt(low.var() + high.var()), 1e-12))
