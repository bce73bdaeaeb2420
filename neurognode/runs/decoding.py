"""What the latents of a run say about behaviour and, where it is known, the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode.evaluation import ring_phase
from neurognode.metrics import unwrapped_correlation

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
        ``r2`` by covariate, ``mean``, ``lag`` in seconds; None without behaviour or enough trials. Angles are
        decoded as their cosine and sine.
    """
    if "behavior" not in trials or is_test.sum() < 1 or (~is_test).sum() < 5:
        return None
    states = latents.transpose("trial", "time", "latent").values
    names, target = _targets(trials)
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
    return {"r2": dict(zip(names, r2.tolist())), "mean": float(r2.mean()), "lag": lag * width}


def _angles(trials: xr.Dataset) -> np.ndarray:
    """Which covariates are angles in radians, bool (covariate,)."""
    if "covariate_unit" not in trials.coords:
        return np.zeros(trials.sizes["covariate"], bool)
    return np.isin([str(u).lower() for u in trials["covariate_unit"].values], ("rad", "radian", "radians"))


def _targets(trials: xr.Dataset) -> tuple[list[str], np.ndarray]:
    """Names and values (trial, time, target) to decode, angles as cosine and sine."""
    values = trials["behavior"].transpose("trial", "time", "covariate").values.astype(float)
    names: list[str] = []
    columns = []
    for k, (name, angle) in enumerate(zip(trials["covariate"].values, _angles(trials))):
        if angle:
            names += [f"cos {name}", f"sin {name}"]
            columns += [np.cos(values[..., k]), np.sin(values[..., k])]
        else:
            names.append(str(name))
            columns.append(values[..., k])
    return names, np.stack(columns, axis=-1)


def phase_against_angles(latents: xr.DataArray, trials: xr.Dataset) -> dict[str, list[float]]:
    """Correlation of the latents' phase on a ring with each angle of the behaviour, stretch by stretch.

    The phase is that around the mean in the plane of most latent variance; both are followed continuously through
    each stretch (windows of the same ``segment``, otherwise each trial), and the angle is used for nothing else.

    Parameters
    ----------
    latents : DataArray of shape (trial, time, latent)
        Latents of the trials.
    trials : Dataset
        The same trials, with ``behavior`` and the coordinate ``covariate_unit``.

    Returns
    -------
    dict of covariate to list
        r of each stretch; its sign is free but should be one.
    """
    if "behavior" not in trials or latents.sizes["latent"] < 2:
        return {}
    phase = ring_phase(latents)
    stretch = trials["segment"].values if "segment" in trials.coords else np.arange(trials.sizes["trial"])
    start = trials["absolute_time"].values[:, 0]
    found = {}
    for k in np.flatnonzero(_angles(trials)):
        angle = trials["behavior"].transpose("trial", "time", "covariate").values[..., k].astype(float)
        rows = []
        for name in np.unique(stretch):
            mine = np.flatnonzero(stretch == name)
            mine = mine[np.argsort(start[mine], kind="stable")]
            own, measured = phase[mine].ravel(), angle[mine].ravel()
            good = np.isfinite(own) & np.isfinite(measured)
            rows.append(
                unwrapped_correlation(own[good], measured[good])[0] if good.sum() > 2 else float("nan")
            )
        found[str(trials["covariate"].values[k])] = rows
    return found


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
