"""Regime switch (commitment): inputs drive the state first, then the flow's own dynamics take over."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, demand


class RegimeSwitch(Hypothesis):
    """Part of the visited region is ruled by inputs, another by the autonomous flow, along another axis."""

    name = "regime_switch"
    title = "Regime switch (commitment)"
    predicts = "Inputs move the state along one axis until the flow's own dynamics carry it along another."
    refuted_by = "One regime everywhere; both along the same axis; no inputs."
    statistic_name = (
        "share of states in the smaller regime, times twice the sine of the angle between the axes"
    )
    effect_name = "angle between the two axes, degrees"
    null = "shuffle_trials"
    citation = "Luo, Kim et al. 2025, Nature (s41586-025-09528-4)"
    compatible = (
        "ring_attractor", "line_attractor", "discrete_attractors", "saddle_boundary", "rotation", "limit_cycle",
        "plane_attractor", "torus_attractor", "sequence", "drift_diffusion",
    )  # fmt: skip

    def criteria(self, view: View) -> list[Criterion]:
        if view.flow is None or view.flow.inputs is None or view.inputs is None:
            return [demand(None, "There are no inputs, so there is no regime in which they rule.")]
        share, angle = regimes(view)
        return [
            above(share, 0.2, 0.08, "Only {value:.0%} of visited states are in the smaller regime."),
            above(
                angle,
                60.0,
                40.0,
                "Inputs and the flow move the state along nearly the same axis ({value:.0f} degrees).",
            ),
            _order(view),
        ]

    def statistic(self, view: View) -> float:
        share, angle = regimes(view)
        return 2 * share * float(np.sin(np.deg2rad(angle)))

    def effect(self, view: View) -> float:
        return regimes(view)[1]

    def signature(self, view: View) -> float:
        """How much better inputs predict the motion in the first half of trials than in the second (R2)."""
        if view.inputs is None or view.trajectories is None:
            return float("nan")
        return early_input_share(view.trajectories, view.inputs)

    def reason(self, view: View) -> str:
        share, angle = regimes(view)
        return f"Inputs rule one part of the region and the flow the other ({share:.0%}), {angle:.0f} degrees apart."


def _speeds(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Trajectories' states, velocity without input, and velocity that inputs add (typical size), measured."""
    flow, region = view.flow, view.portrait.region
    if flow is None or flow.inputs is None or view.inputs is None or view.trajectories is None:
        return None
    states = view.trajectories.reshape(-1, flow.dim)
    states = states[np.isfinite(states).all(1)]
    states = states[:: max(1, len(states) // 2000)]
    size = np.sqrt(np.nanmean(np.where(view.inputs != 0, view.inputs, np.nan) ** 2, axis=(0, 1)))
    h = torch.as_tensor(states)
    gain = flow.field.input_jacobian(h, flow.inputs.expand(len(h), -1)).detach().numpy() * np.nan_to_num(size)
    pushed = np.einsum("mn,kni->kmi", region.metric, gain)
    strongest = pushed[np.arange(len(pushed)), :, np.argmax(np.linalg.norm(pushed, axis=1), axis=1)]
    return states, region.measure(flow.velocity(states)), strongest


def regimes(view: View) -> tuple[float, float]:
    """Share of states in the smaller regime, and the angle in degrees between what moves states in the two."""
    found = _speeds(view)
    if found is None:
        return float("nan"), float("nan")
    _, own, pushed = found
    ruled = np.linalg.norm(pushed, axis=1) > np.linalg.norm(own, axis=1)
    share = float(min(ruled.mean(), 1 - ruled.mean()))
    if share == 0:
        return 0.0, 0.0
    first = np.linalg.svd(pushed[ruled], full_matrices=False)[2][0]
    second = np.linalg.svd(own[~ruled], full_matrices=False)[2][0]
    return share, float(np.rad2deg(np.arccos(np.clip(abs(first @ second), 0, 1))))


def _order(view: View) -> Criterion:
    """The input's regime comes first within trials."""
    flow, trajectories = view.flow, view.trajectories
    if flow is None or trajectories is None or view.inputs is None:
        return demand(None, "Trajectories are needed to see which regime comes first.")
    half = trajectories.shape[1] // 2
    region = view.portrait.region
    speed = []
    for part in (trajectories[:, :half], trajectories[:, half:]):
        states = part.reshape(-1, flow.dim)
        states = states[np.isfinite(states).all(1)]
        speed.append(np.median(np.linalg.norm(region.measure(flow.velocity(states[::5])), axis=1)))
    return above(
        speed[1] / max(speed[0], 1e-300),
        1.2,
        0.8,
        "The flow is not faster later in the trial ({value:.2f} times).",
    )


def early_input_share(trajectories: np.ndarray, inputs: np.ndarray) -> float:
    """R2 of the motion on the inputs in the first half of trials, minus that in the second."""
    half = trajectories.shape[1] // 2
    change = np.diff(trajectories, axis=1)
    shares = []
    for part in (slice(0, half), slice(half, None)):
        motion = change[:, part].reshape(-1, trajectories.shape[2])
        push = inputs[:, :-1][:, part].reshape(-1, inputs.shape[2])
        good = np.isfinite(motion).all(1)
        if good.sum() < 10:
            return float("nan")
        design = np.column_stack([push[good], np.ones(good.sum())])
        left = motion[good] - design @ np.linalg.lstsq(design, motion[good], rcond=None)[0]
        total = ((motion[good] - motion[good].mean(0)) ** 2).sum()
        shares.append(1 - (left**2).sum() / max(total, 1e-300))
    return float(shares[0] - shares[1])
