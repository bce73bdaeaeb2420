"""Demands that several hypotheses share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurognode.hypotheses.base import Criterion, View, above, below, demand

WELLS, CONTINUUM = 0.05, 0.2
"""Noise empties wells in fewer than 5 % of cases within a trial, and moves states along a continuum in 20 %."""
HELD = 0.85
"""Of the data's own states near a place, so many are still there half a trial later where something holds them."""


def stays(view: View) -> Criterion:
    """The flow keeps visited states finite and near the data."""
    number = view.numbers
    lost = max(number["diverged"], number["leaving"])
    return below(lost, 0.4, 0.8, "The flow takes {value:.0%} of states outside the data within two trials.")


def persists(view: View, met: float = 0.5, violated: float = 0.15) -> Criterion:
    """States have not collapsed to one point after two trials."""
    return above(
        view.numbers["spread_end"], met, violated,
        "States collapse: after two trials their spread is {value:.2f} of the data's.",
    )  # fmt: skip


def rests(view: View) -> Criterion:
    """The data's own states have come to rest in the second half of trials, wherever the noiseless flow leads."""
    if np.isnan(view.late_motion):
        return demand(True, "")
    return below(
        view.late_motion, 0.5, 0.9,
        "Late in trials states still move by {value:.2f} of their spread in a quarter of a trial.",
    )  # fmt: skip


def holds_data(view: View) -> Criterion:
    """The data's own states stay at nearly all of what the flow ends in, and at two groups at least."""
    share = view.groups_held
    if view.trajectories is None or not len(share):
        return demand(True, "")
    unseen = view.in_groups(np.isnan(share))
    if unseen > 0.1:
        return demand(
            None,
            f"{unseen:.0%} of end points are where no states were seen for half a trial, but only at the end.",
        )
    holding = share >= HELD
    text = "Only {value:.0%} of end points are where the data's own states stay for half a trial."
    return above(view.in_groups(holding) * (holding.sum() > 1), 0.9, 0.3, text)


def no_wells(view: View) -> Criterion:
    """If the flow ends in separate groups, noise carries states between them, or the data's own states leave them."""
    number = view.numbers
    if number["n_clusters"] < 2 or number["width"] > 0.4 or _left(view):
        return demand(True, "")
    return above(
        number["switching"], CONTINUUM, WELLS,
        f"The flow ends in {number['n_clusters']:.0f} separate groups and noise moves only {{value:.0%}} between them.",
    )  # fmt: skip


def _left(view: View) -> bool:
    """Whether the data's own states leave the groups that the flow ends in."""
    seen = view.groups_held[np.isfinite(view.groups_held)]
    return bool(len(seen)) and float(seen.mean()) < HELD


def on_set(view: View, dimension: int, demanded: Sequence[Criterion]) -> list[Criterion]:
    """What is demanded of the slow set, if it has the right local dimension.

    If it has too many, but states return along the others by more than one time constant a trial, or may do so for all
    that data of this size can tell (two standard errors of a rate), they had not yet come back when the set was looked
    at (after a quarter of a trial): its dimension and shape are then left open.
    """
    found = int(view.numbers["dimension"])
    words = f"The set that states relax to has local dimension {found}, not {dimension}"
    if found > dimension:
        rate, error = rate_across(view, dimension), np.nan_to_num(view.numbers["rate_error"])
        if (rate - 2 * error) * view.portrait.horizon < -1:
            text = (
                f"{words}, but along the others states may still be on their way back: they move at {rate:.2g} /s, "
                f"known to within {2 * error:.2g} /s, and a trial lasts {view.portrait.horizon:.2g} s."
            )
            return [demand(None, text)]
    return [demand(found == dimension, f"{words}."), *demanded]


def rate_across(view: View, dimension: int) -> float:
    """Median over the slow set of the slowest rate after `dimension` slower ones, 1/s; NaN where there is none."""
    points = view.portrait.slow.points
    if view.flow is None or not len(points) or view.flow.dim <= dimension:
        return float("nan")
    real = view.flow.rates(points[:: max(1, len(points) // 100)]).real
    order = np.argsort(np.abs(real), axis=1)
    return float(np.nanmedian(np.take_along_axis(real, order, 1)[:, dimension]))


def has_topology(view: View, *allowed: str) -> Criterion:
    """The slow set has the right shape, and (where only one is right) the same one when resampled."""
    shape = view.portrait.slow.topology
    if shape.name == "cannot tell":
        return demand(None, f"Its shape cannot be told: {shape.note}.")
    if shape.name not in allowed:
        return demand(False, f"The set that states relax to is a {shape.name}, not a {' or '.join(allowed)}.")
    stable = shape.stability
    return demand(
        True if len(allowed) > 1 or np.isnan(stable) or stable >= 0.6 else None,
        f"The shape of the slow set is not stable: only {stable:.0%} of resamplings give a {shape.name}.",
    )


def is_slow(view: View, met: float, violated: float) -> Criterion:
    """Drift along the set is small within a trial."""
    text = "Drift along the set moves states by {value:.2f} diameters a trial."
    return below(view.numbers["drift_share"], met, violated, text)


def is_attractive(view: View, met: float = 3.0, violated: float = 1.5) -> Criterion:
    """Return to the set is much faster than motion along it."""
    number = view.numbers
    if number["normal_rate"] >= 0:
        return demand(False, f"States leave the set across it, at {number['normal_rate']:.2g} /s.")
    text = "Return to the set is only {value:.1f} times as fast as motion along it."
    return above(number["gap"], met, violated, text)


def rate_per_trial(view: View) -> float:
    """Median rate along the slow set times the trial length."""
    return view.numbers["tangent_rate"] * view.portrait.horizon
