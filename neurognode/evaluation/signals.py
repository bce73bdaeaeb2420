"""Scores of continuous signals (calcium and the like) on held-out units, beside smoothing with ridge."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.metrics import mean_counts, smoothed

ALPHAS = np.logspace(-3, 4, 8)
WIDTHS = (0.5, 1.0, 2.0, 4.0)
"""Standard deviations of the smoothing that are tried, in bins."""


def signal_r2(predicted: np.ndarray, test: xr.Dataset, train: xr.Dataset, units: np.ndarray) -> float:
    """R2 of a prediction (trial, time, unit) over the chosen units, against their means in the train trials.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.evaluation.signals import signal_r2
    >>> values = np.random.default_rng(0).normal(size=(4, 10, 3))
    >>> trials = make_trials(values, bin_size=0.1, kind="calcium")
    >>> round(signal_r2(values, trials, trials, np.ones(3, bool)), 6)
    1.0
    """
    values, mask = schema.filled(test)
    mean = mean_counts(*schema.filled(train))
    keep = (mask & np.isfinite(predicted))[..., units]
    true, guess = values[..., units][keep].astype(float), predicted[..., units][keep]
    null = np.broadcast_to(mean, values.shape)[..., units][keep]
    return float(1 - ((true - guess) ** 2).sum() / max(((true - null) ** 2).sum(), 1e-12))


def smoothing_ridge(train: xr.Dataset, test: xr.Dataset, held_out: np.ndarray) -> np.ndarray | None:
    """Held-out units of the test trials from the smoothed signal of the others, by ridge regression.

    Smoothing and penalty are chosen by cross-validation over train trials.

    Parameters
    ----------
    train, test : Trials
        Of the same units.
    held_out : bool array (unit,)
        Units to predict; the others are seen.

    Returns
    -------
    array (trial, time, unit) or None
        NaN for units that are seen; None if no unit is held out.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.evaluation.signals import smoothing_ridge
    >>> values = np.random.default_rng(0).normal(size=(6, 30, 3)).cumsum(1)
    >>> values[..., 2] = values[..., :2].sum(-1)
    >>> trials = make_trials(values, bin_size=0.1, kind="calcium")
    >>> guess = smoothing_ridge(trials, trials, np.array([False, False, True]))
    >>> bool(np.abs(guess[..., 2] - values[..., 2]).mean() < 0.5)
    True
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold

    if not held_out.any():
        return None
    values, mask = schema.filled(train)
    target, good = values[..., held_out], mask[..., held_out].all(2)
    trial = np.broadcast_to(np.arange(len(values))[:, None], good.shape)[good]
    folds = GroupKFold(min(5, len(np.unique(trial))))
    best: tuple[float, float, Ridge | None] = (-np.inf, 0.0, None)
    for width in WIDTHS:
        seen = smoothed(values[..., ~held_out], width, axis=1, observed=mask[..., ~held_out])
        search = GridSearchCV(Ridge(), {"alpha": ALPHAS}, cv=folds)
        search.fit(np.nan_to_num(seen[good]), target[good], groups=trial)
        if search.best_score_ > best[0]:
            best = (float(search.best_score_), width, search.best_estimator_)
    _, width, model = best
    assert model is not None
    own, own_mask = schema.filled(test)
    seen = np.nan_to_num(smoothed(own[..., ~held_out], width, axis=1, observed=own_mask[..., ~held_out]))
    guess = np.full(own.shape, np.nan)
    flat = model.predict(seen.reshape(-1, seen.shape[2]))
    guess[..., held_out] = flat.reshape(*seen.shape[:2], -1)
    return guess
