"""Sequence (transient channel): states run along a curve without stopping and are drawn to it from the sides."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand
from neurognode.interpret import local_dimension
from neurognode.interpret.rollouts import GRID


class Sequence(Hypothesis):
    """No rest state where data have been; one direction of travel; contraction across it; no loop."""

    name = "sequence"
    title = "Sequence (transient channel)"
    predicts = (
        "States pass through one after another along a contracting channel, without rest and without return."
    )
    refuted_by = (
        "A fixed point or closed orbit in the visited region; expansion across the channel; motion back."
    )
    statistic_name = (
        "slowest speed along the way, in region diameters a trial, times the straightness of the way"
    )
    effect_name = "rate of contraction across the channel, 1/s"
    null = "circular_shift"
    citation = "Rabinovich et al. 2008, PLoS Comput. Biol. 4:e1000072; Goldman 2009, Neuron 61:621"
    compatible = ("regime_switch",)

    def criteria(self, view: View) -> list[Criterion]:
        number, stops = view.numbers, stopping_points(view)
        return [
            demand(stops == 0, f"Fixed points where data have been, and rest if these are stable: {stops}."),
            above(speed_floor(view), 0.2, 0.08, "In places the flow stops: {value:.2f} diameters a trial."),
            demand(not any(c.stable for c in view.portrait.cycles), "States run round a closed orbit."),
            above(progress(view), 0.3, 0.15, "Only {value:.0%} of the way leads onward."),
            below(
                channel_dimension(view), 1, 1.5, "States do not run in one channel: dimension {value:.0f}."
            ),
            below(across(view), -1.0, 0.0, "Neighbouring paths do not come together ({value:+.1f} a trial)."),
            below(number["loop"], 0.3, 0.5, "The way closes on itself."),
        ]

    def statistic(self, view: View) -> float:
        return speed_floor(view) * max(0.0, progress(view))

    def effect(self, view: View) -> float:
        return across(view) / view.portrait.horizon

    def signature(self, view: View) -> float:
        """Rank correlation of the order of latent peaks between odd and even trials."""
        if view.trajectories is None or len(view.trajectories) < 4:
            return float("nan")
        return order_consistency(view.trajectories)

    def reason(self, view: View) -> str:
        return (
            f"The flow never slows below {speed_floor(view):.2f} diameters a trial, and neighbouring paths approach at "
            f"{-across(view) / view.portrait.horizon:.1f} /s."
        )


def stopping_points(view: View) -> int:
    """Fixed points where data have been, without stable ones that no trial reaches half its length before its end.

    Fits often let the flow end where trials do; whether states would rest there, no data show.
    """
    fixed = view.portrait.fixed_points
    inside = np.flatnonzero(fixed.inside)
    unseen = fixed.stable[inside]
    if view.trajectories is not None and unseen.any():
        unseen = unseen & np.isnan(view.held(fixed.points[inside]))
        return int((~unseen).sum())
    return len(inside)


def _first_trial(view: View) -> np.ndarray:
    """Measured roll-outs over one trial length, (n, T, M), finite ones."""
    paths = view.portrait.region.measure(view.portrait.behaviour.paths[:, : GRID // 2 + 1])
    return paths[np.isfinite(paths).all((1, 2))]


def speed_floor(view: View) -> float:
    """Fifth percentile of the field's speed at visited states, in region diameters a trial."""
    if view.flow is None:
        return float("nan")
    region = view.portrait.region
    speed = np.linalg.norm(region.measure(view.flow.velocity(region.states)), axis=1)
    return float(np.nanpercentile(speed, 5)) * view.portrait.horizon / region.diameter


def channel_dimension(view: View) -> float:
    """Local dimension of where states are after three quarters of a trial: 1 in a channel they have converged to."""
    region = view.portrait.region
    return float(local_dimension(region.measure(view.portrait.behaviour.relaxed(0.75)), region.diameter))


def progress(view: View) -> float:
    """Median of net displacement over path length in the first trial length."""
    paths = _first_trial(view)
    if not len(paths):
        return float("nan")
    net = np.linalg.norm(paths[:, -1] - paths[:, 0], axis=1)
    length = np.linalg.norm(np.diff(paths, axis=1), axis=2).sum(1)
    return float(np.median(net / np.maximum(length, 1e-300)))


def across(view: View) -> float:
    """Median over visited states of the growth per trial of distances across the flow (rate times trial length)."""
    if view.flow is None:
        return float("nan")
    region = view.portrait.region
    states = region.states[:: max(1, len(region.states) // 400)]
    velocity = view.flow.velocity(states)
    jacobian = view.flow.jacobian(states)
    along = velocity / np.maximum(np.linalg.norm(velocity, axis=1, keepdims=True), 1e-300)
    dim = states.shape[1]
    if dim < 2:
        return float("nan")
    # average contraction of the volume across the flow, per direction: exact for a straight channel
    volume = np.trace(jacobian, axis1=1, axis2=2) - np.einsum("ni,nij,nj->n", along, jacobian, along)
    return float(np.nanmedian(volume) / (dim - 1) * view.portrait.horizon)


def order_consistency(trajectories: np.ndarray, n_axes: int = 20) -> float:
    """Spearman correlation of peak times between halves of the trials, over random directions of latent space.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses.sequence import order_consistency
    >>> way = np.linspace(0, 1, 50)
    >>> path = np.stack([way, np.sin(2 * np.pi * way), np.cos(3 * way)], 1)
    >>> order_consistency(np.repeat(path[None], 6, axis=0)) > 0.99
    True
    """
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((trajectories.shape[2], n_axes))
    with np.errstate(all="ignore"):
        odd = np.nanmean(trajectories[1::2], axis=0) @ directions
        even = np.nanmean(trajectories[::2], axis=0) @ directions
    good = np.isfinite(odd).all(1) & np.isfinite(even).all(1)
    if good.sum() < 5:
        return float("nan")
    first, second = np.argmax(odd[good], axis=0), np.argmax(even[good], axis=0)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    ranks = [np.argsort(np.argsort(x)) for x in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
