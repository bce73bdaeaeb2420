"""What the latents of a run say about behaviour and, where it is known, the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

ALPHAS = np.logspace(-4, 4, 9)
MAX_LAG = 0.15
"""Longest lag from latents to behaviour that is tried, seconds."""
FLOOR = 0.01
"""Spikes/s added before logarithms of rates are compared."""


def behavior_r2(latents: xr.DataArray, trials: xr.Dataset, is_test: np.ndarray) -> dict[str, Any] | None:
    """Ridge regression from latents to behaviour: fitted on training trials, scored on test trials.

    The lag (behaviour after the latents, up to 150 ms) and the penalty are chosen by five-fold
    cross-validation over training trials.

    Parameters
    ----------
    latents : DataArray of shape (trial, time, latent)
        Latents of the trials.
    trials : Dataset
        The same trials, with ``behavior``.
    is_test : bool array of shape (trial,)
        Which are test trials.

    Returns
    -------
    dict or None
        ``r2`` by covariate, ``mean``, ``lag`` in seconds; None without behaviour or enough trials.
    """
    if "behavior" not in trials or is_test.sum() < 1 or (~is_test).sum() < 5:
        return None
    states = latents.transpose("trial", "time", "latent").values
    target = trials["behavior"].transpose("trial", "time", "covariate").values.astype(float)
    width = float(trials.attrs["bin_size"])
    best: tuple[float, int, Any] = (-np.inf, 0, None)
    for lag in range(min(round(MAX_LAG / width), states.shape[1] - 2) + 1):
        model, score = _ridge(*_pairs(states, target, ~is_test, lag))
        if score > best[0]:
            best = (score, lag, model)
    _, lag, model = best
    if model is None:
        return None
    x, y, _ = _pairs(states, target, is_test, lag)
    if len(x) < 2:
        return None
    residual, total = ((y - model.predict(x).reshape(y.shape)) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
    r2 = 1 - residual / np.maximum(total, 1e-12)
    names = [str(name) for name in trials["covariate"].values]
    return {"r2": dict(zip(names, r2.tolist())), "mean": float(r2.mean()), "lag": lag * width}


def _pairs(
    states: np.ndarray, target: np.ndarray, chosen: np.ndarray, lag: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows where both are known: latents, behaviour `lag` bins later, and the trial of each row."""
    x, y = states[chosen, : states.shape[1] - lag], target[chosen, lag:]
    trial = np.broadcast_to(np.arange(len(x))[:, None], x.shape[:2])
    good = np.isfinite(x).all(2) & np.isfinite(y).all(2)
    return x[good], y[good], trial[good]


def _ridge(x: np.ndarray, y: np.ndarray, trial: np.ndarray) -> tuple[Any, float]:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n_groups = len(np.unique(trial))
    if n_groups < 2:
        return None, -np.inf
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": ALPHAS}, cv=GroupKFold(min(5, n_groups))
    )
    search.fit(x, y, groups=trial)
    return search.best_estimator_, float(search.best_score_)


def against_truth(
    latents: xr.DataArray, rates: xr.DataArray | None, truth: xr.Dataset, is_test: np.ndarray
) -> dict[str, float]:
    """How near latents and rates of test trials are to a simulation's truth.

    Returns
    -------
    dict
        ``latent_r2``: true latents from inferred ones by one affine map; ``state_r2``: inferred from true,
        which punishes dimensions that were made up; ``rate_r2`` and ``log_rate_r2`` over all
        units at once. Maps are fitted on training trials, scores are of test trials.
    """
    from neurognode.metrics import latent_r2, r2, state_r2

    found = {}
    states = latents.transpose("trial", "time", "latent").values
    if "latents" in truth:
        true = truth["latents"].values
        pairs = (states[~is_test], true[~is_test])
        found["latent_r2"] = latent_r2(states[is_test], true[is_test], train=pairs)
        found["state_r2"] = state_r2(true[is_test], states[is_test], train=pairs[::-1])
    if rates is not None and "rates" in truth:
        true, ours = truth["rates"].values[is_test], rates.values[is_test]
        found["rate_r2"] = r2(true, ours, average="flat")
        found["log_rate_r2"] = r2(np.log(true + FLOOR), np.log(ours + FLOOR), average="flat")
    return found
