"""What can be read from latents: conditions over time, behaviour, angles; always cross-validated by trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import one_of
from neurognode.metrics import r2, unwrapped_correlation
from neurognode.metrics.decoding import lagged_rows

RandomState = int | np.random.Generator | None


def decode_condition(
    latents: xr.DataArray,
    labels: np.ndarray,
    *,
    n_splits: int = 5,
    window: int = 1,
    is_test: np.ndarray | None = None,
    column: str = "condition",
    random_state: RandomState = 0,
) -> dict[str, Any] | None:
    """Accuracy of a logistic regression from the latents of each bin to the trials' condition.

    Parameters
    ----------
    latents : DataArray (trial, time, latent)
    labels : array (trial,)
        Conditions that occur in fewer than `n_splits` trials are left out.
    n_splits : int
        Folds over trials, stratified by condition.
    window : int
        Bins averaged before decoding.
    is_test : bool array (trial,), optional
        Trials that the model was not fitted to. The decoder is then fitted on the others and scored on these: a
        fit can carry what it learned of its own trials into their latents, even before an event and even with a
        causal encoder.
    column : str
        What the condition is called.
    random_state : int, Generator or None

    Returns
    -------
    dict or None
        ``time`` (s), ``accuracy``, ``error`` (standard error over folds or test trials), ``chance`` (share of the most
        frequent condition), ``column``, ``caption``; None if fewer than two conditions have enough trials.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode.evaluation import decode_condition
    >>> labels = np.array([0, 1] * 20)
    >>> values = np.random.default_rng(0).normal(size=(40, 2, 3)); values[:, 1, 0] += 20 * labels
    >>> latents = xr.DataArray(values, dims=("trial", "time", "latent"), coords={"time": [0.0, 0.1]})
    >>> found = decode_condition(latents, labels)
    >>> found["accuracy"][1], found["chance"]
    (1.0, 0.5)
    """
    names, place, counts = np.unique(np.asarray(labels).astype(str), return_inverse=True, return_counts=True)
    keep = counts[place] >= n_splits
    if len(np.unique(place[keep])) < 2:
        return None
    values, place = latents.values[keep], place[keep]
    if is_test is None:
        folds = _folds(place, n_splits, random_state)
        how = f"cross-validated over {len(place)} trials; band: standard error over folds."
    else:
        unseen = np.asarray(is_test, bool)[keep]
        if len(np.unique(place[~unseen])) < 2 or unseen.sum() < 2:
            return None
        folds = [(np.flatnonzero(~unseen), np.flatnonzero(unseen))]
        how = f"fitted on {(~unseen).sum()} training trials, scored on {unseen.sum()} test trials; band: its error."
    centres = range(window - 1, values.shape[1])
    scores = np.array([_accuracies(values[:, c - window + 1 : c + 1].mean(1), place, folds) for c in centres])
    with np.errstate(invalid="ignore"):
        accuracy = np.array([np.nanmean(s) if np.isfinite(s).any() else np.nan for s in scores])
        error = np.array([np.nanstd(s) / np.sqrt(max(np.isfinite(s).sum(), 1)) for s in scores])
    if is_test is not None:
        error = np.sqrt(accuracy * (1 - accuracy) / unseen.sum())
    good = np.isfinite(accuracy)
    return {
        "time": latents["time"].values[list(centres)][good].tolist(),
        "accuracy": accuracy[good].tolist(),
        "error": error[good].tolist(),
        "chance": float(np.bincount(place).max() / len(place)),
        "column": column,
        "caption": (
            f"Accuracy of decoding {column} ({len(names)} values) from the latents of one bin, by logistic "
            f"regression, {how}"
        ),
    }


def decode_behavior(
    latents: xr.DataArray,
    behavior: xr.DataArray,
    *,
    method: str = "ridge",
    lag: int = 0,
    n_splits: int = 5,
    random_state: RandomState = 0,
) -> dict[str, float]:
    """R2 of behaviour decoded from latents, cross-validated by trial.

    Parameters
    ----------
    latents : DataArray (trial, time, latent)
    behavior : DataArray (trial, time, covariate)
    method : {"ridge", "knn"}
        Ridge regression, or the mean of the 15 nearest neighbours.
    lag : int
        Bins by which behaviour follows the latents.
    n_splits : int
    random_state : int, Generator or None

    Returns
    -------
    dict of covariate to R2

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode.evaluation import decode_behavior
    >>> values = np.random.default_rng(0).normal(size=(30, 20, 3))
    >>> latents = xr.DataArray(values, dims=("trial", "time", "latent"))
    >>> speed = xr.DataArray(values[..., :1] * 2, dims=("trial", "time", "covariate"))
    >>> round(decode_behavior(latents, speed)["covariate_0"], 3)
    1.0
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    one_of(method, ("ridge", "knn"), "method")
    x, y = latents.values, behavior.values
    order = np.random.default_rng(random_state).permutation(len(x))
    true, guess = [], []
    for test in np.array_split(order, min(n_splits, len(order))):
        train = np.setdiff1d(order, test)
        decoder = RidgeCV(np.logspace(-4, 2, 7)) if method == "ridge" else KNeighborsRegressor(15)
        model = make_pipeline(StandardScaler(), decoder).fit(*lagged_rows(x[train], y[train], lag))
        rows, values = lagged_rows(x[test], y[test], lag)
        true.append(values)
        guess.append(model.predict(rows).reshape(len(rows), -1))
    names = [str(n) for n in behavior["covariate"].values] if "covariate" in behavior.coords else None
    names = names or [f"covariate_{i}" for i in range(y.shape[2])]
    a, b = np.concatenate(true), np.concatenate(guess)
    return {name: r2(a[:, [i]], b[:, [i]]) for i, name in enumerate(names)}


def decode_angle(latents: xr.DataArray, angle: np.ndarray) -> list[dict[str, float]]:
    """Phase of a ring in the latents against a measured angle, run by run.

    The angle is not used to find the ring. The plane is that of the two leading principal components of
    all latents together, scaled to equal variance; the phase is the angle around the mean. Its sense is
    arbitrary, so the sign of r is free, but should be one over runs; offset and gain are free too.

    Parameters
    ----------
    latents : DataArray (trial, time, latent)
    angle : array (trial, time)
        Radians, wrapped or not; NaN where not measured.

    Returns
    -------
    list of dict
        For each trial (run) ``r``, ``slope`` (phase turned per angle turned), ``range`` (of the angle, rad).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode.evaluation import decode_angle
    >>> angle = np.linspace(0, 15, 300).reshape(1, -1)
    >>> circle = np.stack([np.cos(angle), np.sin(angle)], axis=2)
    >>> ring = xr.DataArray(circle, dims=("trial", "time", "latent"))
    >>> round(abs(decode_angle(ring, angle)[0]["r"]), 2)
    1.0
    """
    phase = ring_phase(latents)
    found = []
    for own, measured in zip(phase, np.asarray(angle, float)):
        keep = np.isfinite(own) & np.isfinite(measured)
        if keep.sum() < 3:
            found.append({"r": float("nan"), "slope": float("nan"), "range": 0.0})
            continue
        r, slope = unwrapped_correlation(own[keep], measured[keep])
        found.append({"r": r, "slope": slope, "range": float(np.ptp(np.unwrap(measured[keep])))})
    return found


def ring_phase(latents: xr.DataArray) -> np.ndarray:
    """Angle around the mean in the plane of the two leading principal components, (trial, time), radians."""
    values = latents.values
    pooled = values.reshape(-1, values.shape[-1])
    centred = pooled - np.nanmean(pooled, axis=0)
    seen = np.isfinite(centred).all(axis=1)
    _, size, axes = np.linalg.svd(centred[seen], full_matrices=False)
    plane = centred @ (axes[:2] / size[:2, None]).T
    return np.arctan2(plane[:, 1], plane[:, 0]).reshape(values.shape[:2])


def _folds(
    place: np.ndarray, n_splits: int, random_state: RandomState
) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedKFold

    seed = np.random.default_rng(random_state).integers(2**31)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=int(seed))
    return list(folds.split(place, place))


def _accuracies(values: np.ndarray, place: np.ndarray, folds: list) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seen = np.isfinite(values).all(axis=1)
    scores = np.full(len(folds), np.nan)
    for index, (train, test) in enumerate(folds):
        train, test = train[seen[train]], test[seen[test]]
        if len(test) and len(np.unique(place[train])) > 1:
            decoder = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            scores[index] = decoder.fit(values[train], place[train]).score(values[test], place[test])
    return scores
