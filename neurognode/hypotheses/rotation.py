"""Rotation: a linear flow dominated by one rotating plane (jPCA), tested against tensor maximum entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurognode.hypotheses.base import OPEN, Criterion, Hypothesis, View, above, below, demand
from neurognode.hypotheses.limit_cycle import MISSED, data_on, is_reached
from neurognode.surrogates import fit_maximum_entropy

MOST_PATHS = 100
"""Single trials used where there are no conditions to average over."""


@dataclass(frozen=True)
class LinearFit:
    """The best linear flow dh/dt = M (h - c) over visited states.

    Attributes
    ----------
    r2 : float
        Share of the velocity's variance it explains.
    skew_share : float
        The share that a purely rotating M explains, over `r2` (Churchland et al. 2012).
    rate : complex
        The slowest complex pair of M, 1/s; 0 where there is none.
    leading : bool
        Whether that pair is slower than every real eigenvalue, or as slow.
    """

    r2: float
    skew_share: float
    rate: complex
    leading: bool


class Rotation(Hypothesis):
    """States turn in a plane, with a frequency shared by all conditions, and the turning dies away or holds.

    The turning of condition averages alone proves nothing: sequences of responses give it too. It is tested on
    surrogates that keep the covariances over times, units and conditions.
    """

    name = "rotation"
    title = "Rotational dynamics"
    predicts = "One linear flow turns states in a plane, whatever the condition."
    refuted_by = (
        "Real leading eigenvalues; less than half a turn a trial; no more turning than the surrogates have."
    )
    statistic_name = "share of the flow that a rotation explains, times the share that any linear flow does"
    effect_name = "frequency in Hz"
    null = "tensor_maximum_entropy"
    citation = "Churchland et al. 2012, Nature 487:51; Elsayed and Cunningham 2017, Nat. Neurosci. 20:1310"
    compatible = ("regime_switch",)
    draws_null = True

    def criteria(self, view: View) -> list[Criterion]:
        fit, length = field_fit(view), view.portrait.horizon
        return [
            demand(fit.rate != 0, "The flow's linear part does not turn."),
            above(
                abs(fit.rate.imag) / (2 * np.pi) * length, 0.5, 0.25,
                "The flow turns by only {value:.2f} of a turn a trial.",
            ),
            above(
                abs(fit.rate.imag) / max(abs(fit.rate.real), 1e-9), 1.5, 0.8,
                "The turning dies away within {value:.1f} radians.",
            ),
            demand(fit.leading, "A direction without turning is slower than the rotation."),
            above(fit.r2, 0.6, 0.35, "A linear flow explains only {value:.0%} of the field."),
            _centre(view),
            _no_cycle(view),
            below(view.numbers["spread_end"], 1.1, 2.0, "The motion grows without bound."),
        ]  # fmt: skip

    def statistic(self, view: View) -> float:
        fit = field_fit(view)
        return fit.skew_share * fit.r2

    def effect(self, view: View) -> float:
        return abs(field_fit(view).rate.imag) / (2 * np.pi)

    def signature(self, view: View) -> float:
        """jPCA's ratio on the latents' averages by condition (single trials where there is none)."""
        if view.trajectories is None or view.bin_size is None:
            return float("nan")
        return jpca_ratio(by_condition(view.trajectories, view.columns)[:MOST_PATHS], view.bin_size)

    def null_sample(self, view: View, n: int, rng: np.random.Generator) -> np.ndarray:
        """jPCA's ratio on maximum-entropy tensors with the covariances over times, latents and conditions."""
        if view.trajectories is None or view.bin_size is None:
            return np.empty(0)
        paths = by_condition(view.trajectories, view.columns)
        paths = paths[np.isfinite(paths).all((1, 2))][:MOST_PATHS]
        if len(paths) < 2 or paths.shape[1] < 4 or not paths.std() > 0:
            return np.empty(0)
        null = fit_maximum_entropy(paths.transpose(1, 2, 0))
        return np.array([jpca_ratio(null.sample(rng).transpose(2, 0, 1), view.bin_size) for _ in range(n)])

    def reason(self, view: View) -> str:
        fit = field_fit(view)
        return (
            f"A linear flow turning at {abs(fit.rate.imag) / (2 * np.pi):.2g} Hz explains {fit.r2:.0%} of the field; "
            f"its rate of decay is {-fit.rate.real:.2g} /s."
        )


def _no_cycle(view: View) -> Criterion:
    """No limit cycle keeps the motion going: none that data have come to; open where only some have."""
    cycles = [c for c in view.portrait.cycles if c.stable and c.period < 1.5 * view.portrait.horizon]
    come = [c for c in cycles if data_on(view, c) >= MISSED]
    if come and all(is_reached(view, c).outcome == OPEN for c in come):
        return is_reached(view, come[0])
    return demand(not come, "A limit cycle, not a linear rotation, keeps the motion going.")


def _centre(view: View) -> Criterion:
    """Something that states turn about, from all sides: a fixed point with a complex pair (it may be a hole)."""
    fixed = view.portrait.fixed_points
    lower, upper = view.portrait.region.box(0.2)
    within_box = ((fixed.points >= lower) & (fixed.points <= upper)).all(1) & fixed.isolated
    turning = np.flatnonzero((np.abs(fixed.eigenvalues.imag) > 1e-6).any(1) & within_box)
    if not len(turning):
        return demand(None, "No fixed point was found that the states could turn about.")
    sides = max(sides_seen(view, int(k)) for k in turning)
    return above(sides, 0.75, 0.5, "States are on {value:.0%} of the sides of what they would turn about.")


def sides_seen(view: View, k: int) -> float:
    """Share of twelve directions, in the plane in which fixed point `k` turns, in which there are visited states."""
    fixed, region = view.portrait.fixed_points, view.portrait.region
    pair = int(np.argmax(np.abs(fixed.eigenvalues[k].imag)))
    vector = region.measure(fixed.eigenvectors[k, :, pair])
    plane = np.linalg.qr(np.stack([vector.real, vector.imag], axis=1))[0]
    flat = region.measure(region.states - fixed.points[k]) @ plane
    angle = np.arctan2(flat[:, 1], flat[:, 0])
    counts = np.histogram(angle, 12, (-np.pi, np.pi))[0]
    return float((counts >= 0.01 * len(angle)).mean())


def field_fit(view: View) -> LinearFit:
    """`linear_fit` of the field at visited states, in the region's metric."""
    region = view.portrait.region
    if view.flow is None:
        return LinearFit(float("nan"), float("nan"), 0j, False)
    states = region.states[:: max(1, len(region.states) // 1500)]
    velocity = view.flow.velocity(states)
    good = np.isfinite(velocity).all(1)
    return linear_fit(region.measure(states[good]), region.measure(velocity[good]))


def linear_fit(states: np.ndarray, velocity: np.ndarray) -> LinearFit:
    """Fit dh/dt = M (h - c), and the same with a skew-symmetric M, to states and velocities (n, N).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses.rotation import linear_fit
    >>> h = np.random.default_rng(0).normal(size=(300, 2))
    >>> round(linear_fit(h, h @ np.array([[0.0, 2.0], [-2.0, 0.0]])).skew_share, 3)
    1.0
    """
    if len(states) < 3 * states.shape[1]:
        return LinearFit(float("nan"), float("nan"), 0j, False)
    h, v = states - states.mean(0), velocity - velocity.mean(0)
    matrix = np.linalg.lstsq(h, v, rcond=None)[0].T
    total = max(float((v**2).sum()), 1e-300)
    r2 = 1 - float(((v - h @ matrix.T) ** 2).sum()) / total
    skew = skew_fit(h, v)
    r2_skew = 1 - float(((v - h @ skew.T) ** 2).sum()) / total
    rates = np.linalg.eigvals(matrix)
    turning = rates[np.abs(rates.imag) > 1e-6 * np.abs(rates).max()] if len(rates) else rates
    slowest = turning[np.argmax(turning.real)] if len(turning) else 0j
    real = rates[np.abs(rates.imag) <= 1e-6 * np.abs(rates).max()].real
    leading = bool(len(turning)) and not bool((real > slowest.real + 0.5 * abs(slowest.imag)).any())
    return LinearFit(r2, max(r2_skew, 0.0) / max(r2, 1e-12), complex(slowest), leading)


def skew_fit(h: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Least-squares skew-symmetric M with v = M h: the Lyapunov equation C M + M C = B - B' for C = h'h, B = v'h."""
    covariance, cross = h.T @ h, v.T @ h
    values, vectors = np.linalg.eigh(covariance)
    rotated = vectors.T @ (cross - cross.T) @ vectors
    pair = np.maximum(values[:, None] + values[None, :], 1e-12 * max(values.max(), 1e-300))
    return vectors @ (rotated / pair) @ vectors.T


def by_condition(trajectories: np.ndarray, columns: object) -> np.ndarray:
    """Averages over trials of each condition, (condition, time, N); the trials themselves without a ``condition``."""
    labels = columns.get("condition") if hasattr(columns, "get") else None
    if labels is None:
        return trajectories
    names, coded = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    with np.errstate(all="ignore"):
        means = [np.nanmean(trajectories[coded == k], axis=0) for k in range(len(names))]
    return np.stack(means)


def jpca_ratio(paths: np.ndarray, bin_size: float, n_axes: int = 6) -> float:
    """R2 of a rotating flow over R2 of any linear flow, on paths (condition, time, N).

    The mean over conditions is removed at each time, and up to `n_axes` principal axes are kept.
    """
    paths = paths[np.isfinite(paths).all((1, 2))]
    if len(paths) < 2 or paths.shape[1] < 4:
        return float("nan")
    centred = paths - paths.mean(0)
    flat = centred.reshape(-1, centred.shape[2])
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:n_axes]
    reduced = centred @ axes.T
    velocity = np.diff(reduced, axis=1) / bin_size
    middle = (reduced[:, 1:] + reduced[:, :-1]) / 2
    size = reduced.shape[2]
    return linear_fit(middle.reshape(-1, size), velocity.reshape(-1, size)).skew_share
