"""Drift-diffusion: evidence adds up along a line whose drift does not depend on the state, between bounds."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand


class DriftDiffusion(Hypothesis):
    """A flat line between two bounds that hold the state, along which inputs push.

    Without inputs it cannot be told from a line attractor with sticky ends.
    """

    name = "drift_diffusion"
    title = "Drift-diffusion to bounds"
    predicts = "On a line the drift is the evidence, whatever the state, until a bound catches it."
    refuted_by = (
        "Drift that depends on the state between the bounds; no bounds; inputs that push across the line."
    )
    statistic_name = "contrast of noise-driven movement between the middle of the line and its ends"
    effect_name = "slope of the drift between the bounds, per trial"
    null = "shuffle_trials"
    citation = "Ratcliff 1978, Psychol. Rev. 85:59; Luo, Kim et al. 2025, Nature (FINDR)"
    compatible = ("line_attractor", "regime_switch")

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        middle, ends = held(view)
        found = [
            demands.stays(view),
            above(
                number["extent"],
                0.3,
                0.12,
                "The set that states relax to is short: {value:.2f} of the region.",
            ),
            *demands.on_set(view, 1, [demands.has_topology(view, "line", "points")]),
            demands.persists(view),
            demands.is_slow(view, 0.5, 1.0),
            _seen_moving(middle, ends),
            above(
                middle, 0.2, 0.05,
                "Noise moves only {value:.0%} of states in the middle: wells, not a flat line.",
            ),
            below(
                ends, 0.12, 0.25, "Nothing holds states at the ends: noise moves {value:.0%} of them away."
            ),
            above(middle - ends, 0.2, 0.05, "The ends hold states no better than the middle does."),
            _bounds_hold_data(view),
            below(
                abs(middle_slope(view)),
                1.0,
                2.0,
                "Between the bounds the drift depends on the state ({value:.1f} a trial).",
            ),
        ]  # fmt: skip
        found.append(_pushed_along(view))
        return found

    def statistic(self, view: View) -> float:
        middle, ends = held(view)
        return middle - ends

    def effect(self, view: View) -> float:
        return middle_slope(view)

    def signature(self, view: View) -> float:
        """Correlation over trials of the summed inputs with the distance gone (largest over inputs, widest axis)."""
        if view.inputs is None or view.trajectories is None:
            return float("nan")
        return evidence_correlation(view.trajectories, view.inputs)

    def reason(self, view: View) -> str:
        middle, ends = held(view)
        return (
            f"Along a line inputs push and noise moves {middle:.0%} of states in the middle within a trial, but "
            f"{ends:.0%} at its ends."
        )


def _line(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Mean and widest axis (M,) of the end points, in the region's metric."""
    region, ends = view.portrait.region, view.portrait.behaviour.ends
    points = region.measure(ends[np.isfinite(ends).all(1)])
    centre = points.mean(0)
    return centre, np.linalg.svd(points - centre, full_matrices=False)[2][0]


def _seen_moving(middle: float, ends: float) -> Criterion:
    """Enough end points lie in the middle of the line and at its ends to see what noise does there."""
    where = "in the middle" if np.isnan(middle) else "at the ends"
    told = None if np.isnan(middle) or np.isnan(ends) else True
    return demand(told, f"Too few states end {where} of the line to see how noise moves them there.")


def _bounds_hold_data(view: View) -> Criterion:
    """The data's own states stay at the ends of the line, where enough of them were seen there for half a trial."""
    if view.trajectories is None:
        return demand(True, "")
    region, ends = view.portrait.region, view.portrait.behaviour.ends
    ends = ends[np.isfinite(ends).all(1)]
    centre, axis = _line(view)
    place = (region.measure(ends) - centre) @ axis
    low, high = np.percentile(place, [10, 90])
    bounds = np.stack([np.median(ends[place <= low], axis=0), np.median(ends[place >= high], axis=0)])
    text = "Of the data's own states at an end of the line only {value:.0%} are there half a trial later."
    share = view.held(bounds)
    share = share[np.isfinite(share)]
    return above(float(share.min()), 0.9, 0.4, text) if len(share) else demand(True, "")


def held(view: View) -> tuple[float, float]:
    """How often noise moves end points by more than 10 % of the diameter: in the middle half, and in the end tenths."""
    region, roll = view.portrait.region, view.portrait.behaviour
    good = np.isfinite(roll.ends).all(1) & np.isfinite(roll.noisy_ends).all(1)
    if good.sum() < 20:
        return float("nan"), float("nan")
    centre, axis = _line(view)
    before = (region.measure(roll.ends[good]) - centre) @ axis
    after = (region.measure(roll.noisy_ends[good]) - centre) @ axis
    moved = np.abs(after - before) > 0.1 * region.diameter
    low, high = before.min(), before.max()
    place = (before - low) / max(high - low, 1e-300)
    middle, ends = (place > 0.25) & (place < 0.75), (place < 0.1) | (place > 0.9)
    shares = [float(moved[where].mean()) if where.sum() >= 3 else float("nan") for where in (middle, ends)]
    return shares[0], shares[1]


def middle_slope(view: View) -> float:
    """Slope of the drift along the line between the bounds, times the trial length."""
    if view.flow is None:
        return float("nan")
    region, points = view.portrait.region, view.portrait.behaviour.relaxed(0.5)
    centre, axis = _line(view)
    place = (region.measure(points) - centre) @ axis
    speed = region.measure(view.flow.velocity(points)) @ axis
    low, high = np.percentile(place, [1, 99])
    inner = (place > low + 0.3 * (high - low)) & (place < low + 0.7 * (high - low)) & np.isfinite(speed)
    if inner.sum() < 8 or place[inner].std() == 0:
        return float("nan")
    return float(np.polyfit(place[inner], speed[inner], 1)[0]) * view.portrait.horizon


def _pushed_along(view: View) -> Criterion:
    """Inputs move states along the line rather than across it."""
    if view.flow is None or view.flow.inputs is None:
        return demand(
            None, "There are no inputs: a line with sticky ends and evidence accumulation look the same."
        )
    import torch

    region, points = view.portrait.region, view.portrait.behaviour.relaxed(0.5)[::10]
    h = torch.as_tensor(points)
    push = view.flow.field.input_jacobian(h, view.flow.inputs.expand(len(h), -1)).detach().numpy()
    push = np.einsum("mn,kni->kmi", region.metric, push)
    along = np.abs(np.einsum("kmi,m->ki", push, _line(view)[1]))
    share = along / np.maximum(np.linalg.norm(push, axis=1), 1e-300)
    return above(
        float(np.median(share.max(1))),
        0.7,
        0.4,
        "Inputs push along the line with only {value:.0%} of their size.",
    )


def evidence_correlation(trajectories: np.ndarray, inputs: np.ndarray) -> float:
    """Multiple correlation of the net change along the widest axis with the trial's summed inputs."""
    total = inputs.sum(1)
    finite = np.isfinite(trajectories).all(2)
    used = finite.sum(1) > 2
    paths = np.where(finite[:, :, None], trajectories, np.nan)[used]
    first = np.array([p[np.isfinite(p).all(1)][0] for p in paths])
    last = np.array([p[np.isfinite(p).all(1)][-1] for p in paths])
    change = last - first
    if len(change) < 5 or not total[used].std() > 0:
        return float("nan")
    centred = change - change.mean(0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    design = np.column_stack([total[used], np.ones(len(along))])
    fitted = design @ np.linalg.lstsq(design, along, rcond=None)[0]
    return float(np.sqrt(max(0.0, 1 - ((along - fitted) ** 2).sum() / max((along**2).sum(), 1e-300))))
