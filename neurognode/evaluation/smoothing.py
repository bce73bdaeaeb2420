"""What a model has to beat: constant rates, condition averages, smoothing with a Poisson regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.evaluation.glm import ALPHAS, PoissonRegression
from neurognode.evaluation.splits import held_out_units
from neurognode.metrics import mean_counts, poisson_nll, smoothed

WIDTHS = (0.015, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3)
"""Standard deviations of the smoothing that are tried, in seconds."""


def mean_rate(train: xr.Dataset, test: xr.Dataset) -> np.ndarray:
    """Every unit's mean count over the train trials, shape (trial, time, unit)."""
    counts, mask = schema.filled(train)
    n_trials, n_bins = test.sizes["trial"], test.sizes["time"]
    return np.broadcast_to(mean_counts(counts, mask), (n_trials, n_bins, counts.shape[2])).copy()


def psth(
    train: xr.Dataset, test: xr.Dataset, condition: str | None = None, width: float | None = None
) -> np.ndarray:
    """Average over the train trials of the same condition, smoothed in time; no single-trial information.

    Parameters
    ----------
    train, test : Trials
    condition : str, optional
        Trial column; None takes one average over all trials.
    width : float, optional
        Standard deviation of the smoothing in seconds; by default the best of `WIDTHS` on a fifth of the
        train trials.

    Returns
    -------
    array (trial, time, unit)
        Spikes per bin.
    """
    if width is None:
        fit, check = _inner(train.sizes["trial"])
        kept, tried = train.isel(trial=fit), train.isel(trial=check)
        counts, mask = schema.filled(tried)
        losses = [(poisson_nll(psth(kept, tried, condition, w), counts, mask).sum(), w) for w in WIDTHS]
        width = min(losses)[1]
    bins = width / float(train.attrs["bin_size"])
    counts, mask = schema.filled(train)
    overall = smoothed(_average(counts, mask), bins)
    fallback = np.where(np.isfinite(overall), overall, mean_counts(counts, mask))
    rates = np.broadcast_to(fallback, (test.sizes["trial"], *fallback.shape)).copy()
    if condition is not None:
        for value in np.unique(test[condition].values):
            rows = train[condition].values == value
            if rows.any():
                own = smoothed(_average(counts[rows], mask[rows]), bins)
                rates[test[condition].values == value] = np.where(np.isfinite(own), own, fallback)
    return np.maximum(rates, 1e-4)


class SmoothingGLM:
    """Smoothing, square root, and a Poisson regression from the seen units to the scored ones.

    Width of the smoothing and ridge penalty are chosen on a fifth of the train trials; the regression is
    then fitted to all of them. Where a unit was not recorded, its mean count stands in for it.

    Parameters
    ----------
    widths : sequence of float
        Standard deviations to choose from, seconds.
    alphas : sequence of float
        Penalties to choose from.
    two_scale : bool
        Use each width together with three times that width.

    Attributes
    ----------
    width_, alpha_ : float
        What was chosen.

    Examples
    --------
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> from neurognode.evaluation.smoothing import SmoothingGLM
    >>> trials = simulate_recording(circuits.make("ring"), n_units=20, n_trials=30).trials()
    >>> model = SmoothingGLM(widths=(0.08,), alphas=(1e-2,)).fit(trials, seen=trials.unit.values < 15)
    >>> model.predict(trials).shape
    (30, 80, 5)
    """

    def __init__(
        self, widths: Sequence[float] = WIDTHS, alphas: Sequence[float] = ALPHAS, *, two_scale: bool = False
    ) -> None:
        self.widths, self.alphas, self.two_scale = tuple(widths), tuple(alphas), two_scale

    def fit(self, trials: xr.Dataset, seen: np.ndarray | None = None) -> SmoothingGLM:
        """Fit; units in `seen` (unit,) are smoothed, the others predicted (all, if none is left)."""
        n_units = trials.sizes["unit"]
        self.seen_ = np.ones(n_units, bool) if seen is None else np.asarray(seen, bool)
        self.scored_ = ~self.seen_ if (~self.seen_).any() else np.ones(n_units, bool)
        self.mean_ = mean_counts(*schema.filled(trials))[self.seen_]
        bin_size = float(trials.attrs["bin_size"])
        fit, check = _inner(trials.sizes["trial"])
        middle = self.alphas[len(self.alphas) // 2]
        usable = [w for w in self.widths if w >= 0.5 * bin_size] or [bin_size]

        rows = {w: self._flat(trials, w, fit, check) for w in usable}
        self.width_ = usable[0] if len(usable) == 1 else min(usable, key=lambda w: _loss(rows[w], middle))
        chosen = rows[self.width_]
        self.alpha_ = middle if len(self.alphas) == 1 else min(self.alphas, key=lambda a: _loss(chosen, a))
        everything = self._flat(trials, self.width_, np.concatenate([fit, check]), fit[:0])[0]
        self.model_ = PoissonRegression(self.alpha_).fit(*everything)
        return self

    def predict(self, trials: xr.Dataset) -> np.ndarray:
        """Expected spikes per bin of the scored units, shape (trial, time, scored unit)."""
        return self.model_.predict(self._features(trials, self.width_))

    def _features(self, trials: xr.Dataset, width: float) -> np.ndarray:
        counts, mask = schema.filled(trials)
        bins = width / float(trials.attrs["bin_size"])
        scales = (bins, 3 * bins) if self.two_scale else (bins,)
        parts = []
        for scale in scales:
            values = smoothed(counts[..., self.seen_], scale, axis=1, observed=mask[..., self.seen_])
            known = np.where(np.isfinite(values), values, self.mean_)
            parts.append(np.sqrt(np.maximum(known, 0)))
        return np.concatenate(parts, axis=2)

    def _flat(self, trials: xr.Dataset, width: float, *parts: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        """Rows (features, counts, weight) of each set of trials, without bins in which nothing is scored."""
        x = self._features(trials, width)
        counts, mask = schema.filled(trials)
        counts, mask = counts[..., self.scored_].astype(float), mask[..., self.scored_]
        found: list[tuple[np.ndarray, ...]] = []
        for part in parts:
            keep = mask[part].any(axis=2)
            found.append((x[part][keep], counts[part][keep], mask[part][keep].astype(float)))
        return found


def baselines(
    train: xr.Dataset,
    test: xr.Dataset,
    *,
    encode_units: Any = None,
    condition: str | None = None,
    widths: Sequence[float] = WIDTHS,
    alphas: Sequence[float] = ALPHAS,
) -> dict[str, np.ndarray]:
    """Predictions for the test trials that know nothing of dynamics.

    Parameters
    ----------
    train, test : Trials
        Counts of the same units.
    encode_units : sequence of unit ids, optional
        What the regression may see; all other units are predicted. None: every unit is seen and predicted.
    condition : str, optional
        Trial column for the condition averages.
    widths, alphas : sequence of float
        See `SmoothingGLM`.

    Returns
    -------
    dict of name to array (trial, time, scored unit)
        Spikes per bin: ``mean rate``, ``PSTH`` and ``smoothing + GLM``.

    Examples
    --------
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> from neurognode.evaluation import baselines
    >>> trials = simulate_recording(circuits.make("ring"), n_units=20, n_trials=30).trials()
    >>> train, test = trials.isel(trial=slice(20)), trials.isel(trial=slice(20, 30))
    >>> sorted(baselines(train, test, encode_units=range(15)))
    ['PSTH', 'mean rate', 'smoothing + GLM']
    """
    hidden = held_out_units(train, encode_units)
    scored = hidden if hidden.any() else ~hidden
    model = SmoothingGLM(widths, alphas).fit(train, seen=~hidden)
    return {
        "mean rate": mean_rate(train, test)[..., scored],
        "PSTH": psth(train, test, condition)[..., scored],
        "smoothing + GLM": model.predict(test),
    }


def _loss(rows: list[tuple[np.ndarray, ...]], alpha: float) -> float:
    fit, check = rows
    return PoissonRegression(alpha).fit(*fit).nll(*check)


def _inner(n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Four fifths of the trials to fit on and one to choose on, in a fixed order."""
    order = np.random.default_rng(0).permutation(n_trials)
    n_check = max(1, n_trials // 5)
    return order[n_check:] if n_trials > 1 else order, order[:n_check]


def _average(counts: np.ndarray, mask: np.ndarray) -> np.ndarray:
    seen = mask.sum(axis=0)
    return np.where(seen > 0, (counts * mask).sum(axis=0) / np.maximum(seen, 1), np.nan)
