"""Explained variance of rates, latents and condition averages, in each of its usual meanings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurognode.errors import one_of

AVERAGES = ("weighted", "uniform", "flat")


def r2(
    true: np.ndarray, predicted: np.ndarray, *, average: str = "weighted", observed: np.ndarray | None = None
) -> float:
    """Coefficient of determination of a prediction, without any regression.

    Parameters
    ----------
    true, predicted : array (..., feature)
        Pairs in which either is NaN are left out.
    average : {"weighted", "uniform", "flat"}
        Over features: weighted by their variance, plain mean (features that never change are left out), or
        all numbers as one feature, with one mean.
    observed : bool array of shape (...), optional

    Returns
    -------
    float
        1 is perfect, 0 is no better than the mean of what is scored; there is no lower limit. NaN if there is
        nothing to score.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import r2
    >>> true = np.array([[0.0], [1.0], [2.0]])
    >>> r2(true, true + 0.1)
    0.985
    """
    one_of(average, AVERAGES, "average")
    a, b = _rows(true, predicted, observed)
    if not len(a):
        return float("nan")
    if average == "flat":
        a, b = a.reshape(-1, 1), b.reshape(-1, 1)
    residual = ((a - b) ** 2).sum(axis=0)
    total = ((a - a.mean(axis=0)) ** 2).sum(axis=0)
    if average == "weighted":
        return _ratio(residual.sum(), total.sum())
    alive = total > 0
    return float(np.mean(1 - residual[alive] / total[alive])) if alive.any() else float("nan")


def affine_map(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares ``target = source @ matrix + offset`` over rows without NaN.

    Parameters
    ----------
    source : array (..., p)
    target : array (..., q)

    Returns
    -------
    matrix : array (p, q)
    offset : array (q,)

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import affine_map
    >>> source = np.random.default_rng(0).normal(size=(50, 2))
    >>> matrix, offset = affine_map(source, source @ np.array([[0.0, 1.0], [2.0, 0.0]]) + 3.0)
    >>> (matrix.round(6) + 0.0).tolist(), offset.round(6).tolist()
    ([[0.0, 1.0], [2.0, 0.0]], [3.0, 3.0])
    """
    x, y = _rows(source, target, None)
    if not len(x):
        raise ValueError("There is not one row without NaN to fit a map on.")
    centre, goal = x.mean(axis=0), y.mean(axis=0)
    matrix = np.linalg.lstsq(x - centre, y - goal, rcond=None)[0]
    return matrix, goal - centre @ matrix


def latent_r2(
    latents: np.ndarray,
    true: np.ndarray,
    *,
    train: tuple[np.ndarray, np.ndarray] | None = None,
    average: str = "weighted",
) -> float:
    """How well true states can be read from the latents by one affine map: *latents to truth*.

    Extra latent dimensions cost nothing; compare `state_r2`.

    Parameters
    ----------
    latents : array (..., N)
        Inferred.
    true : array (..., D)
        True states.
    train : (latents, true), optional
        What the map is fitted on; by default the data that are scored.
    average : str
        As in `r2`.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import latent_r2
    >>> true = np.random.default_rng(0).normal(size=(50, 2))
    >>> round(latent_r2(true @ np.array([[1.0, 2.0], [0.0, 1.0]]), true), 6)
    1.0
    """
    return _mapped_r2(latents, true, train, average)


def state_r2(
    true: np.ndarray,
    inferred: np.ndarray,
    *,
    train: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """How much of the inferred latents the true states explain: affine map from *truth to latents*.

    Variance weighted; it punishes invented dimensions [1]_.

    Parameters
    ----------
    true : array (..., D)
    inferred : array (..., N)
    train : (true, inferred), optional
        What the map is fitted on; by default the data that are scored.

    References
    ----------
    .. [1] Versteeg et al., "Computation-through-Dynamics Benchmark", 2025: State R2.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import latent_r2, state_r2
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=(500, 2))
    >>> inferred = np.hstack([true, rng.normal(size=(500, 2))])     # two dimensions are invented
    >>> round(latent_r2(inferred, true), 2), round(state_r2(true, inferred), 1)
    (1.0, 0.5)
    """
    return _mapped_r2(true, inferred, train, "weighted")


def mutual_r2(states: Sequence[np.ndarray]) -> float:
    """How much of each fit's latents an affine map of another fit's explains, averaged over ordered pairs.

    Fits that found the system's own states explain each other; dimensions that a fit invented, or that follow its
    noise, do not recur. It needs no truth, and falls, as `state_r2` does, where there are too many latents.

    Parameters
    ----------
    states : sequence of array (..., N)
        Latents of the same bins from several fits; rows that are not finite in both are left out.

    Raises
    ------
    ValueError
        If there are fewer than two.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import mutual_r2
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=(500, 2))
    >>> round(mutual_r2([true, true @ rng.normal(size=(2, 2)) + 1]), 6)
    1.0
    >>> invented = [np.hstack([true, rng.normal(size=(500, 2))]) for _ in range(2)]
    >>> round(mutual_r2(invented), 1)
    0.5
    """
    if len(states) < 2:
        raise ValueError("Agreement needs the latents of two fits or more.")
    pairs = [_rows(a, b, None) for i, a in enumerate(states) for j, b in enumerate(states) if i != j]
    return float(np.mean([state_r2(a, b) for a, b in pairs]))


def psth_r2(
    rates: np.ndarray,
    counts: np.ndarray,
    conditions: np.ndarray,
    *,
    observed: np.ndarray | None = None,
    smooth: float = 0.0,
) -> float:
    """R2 of condition averages: predicted rates against recorded counts, mean over units.

    Conditions are stacked in time, as in the Neural Latents Benchmark.

    Parameters
    ----------
    rates, counts : array (trial, time, unit)
        In one unit, both per bin or both per second.
    conditions : array (trial,)
    observed : bool array, optional
        (trial, time) or (trial, time, unit).
    smooth : float
        Standard deviation in bins of a Gaussian that smooths the recorded averages.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import psth_r2
    >>> rates = np.abs(np.random.default_rng(0).normal(size=(2, 30, 4)))[[0, 1, 0, 1]]
    >>> psth_r2(rates, rates, np.array([0, 1, 0, 1]))
    1.0
    """
    counts = np.asarray(counts, float)
    mask = np.isfinite(counts) & np.isfinite(rates)
    if observed is not None:
        given = np.asarray(observed, bool)
        mask &= given if given.ndim == 3 else given[..., None]
    recorded: list[np.ndarray] = []
    predicted: list[np.ndarray] = []
    for condition in np.unique(conditions):
        rows = np.asarray(conditions) == condition
        seen = mask[rows].sum(axis=0)
        for values, out in ((counts, recorded), (np.asarray(rates, float), predicted)):
            total = np.where(mask[rows], values[rows], 0).sum(axis=0)
            out.append(np.where(seen > 0, total / np.maximum(seen, 1), np.nan))
        if smooth > 0:
            recorded[-1] = smoothed(recorded[-1], smooth)
    true, guess = np.concatenate(recorded), np.concatenate(predicted)
    scores = np.array([r2(true[:, [u]], guess[:, [u]]) for u in range(true.shape[1])])
    scores = scores[np.isfinite(scores)]
    return float(scores.mean()) if len(scores) else float("nan")


def smoothed(
    values: np.ndarray, width: float, axis: int = 0, observed: np.ndarray | None = None
) -> np.ndarray:
    """Gaussian smoothing that normalises at edges and over gaps, so that a missing bin is not a zero.

    Parameters
    ----------
    values : array
        NaN counts as not observed.
    width : float
        Standard deviation in bins; 0 leaves values as they are.
    axis : int
        Of time.
    observed : bool array of the shape of `values`, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import smoothed
    >>> smoothed(np.ones(5), 2.0).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    from scipy.ndimage import gaussian_filter1d

    values = np.asarray(values, float)
    mask = np.isfinite(values) if observed is None else np.isfinite(values) & observed
    if width <= 0:
        return np.where(mask, values, np.nan)
    above = gaussian_filter1d(np.where(mask, values, 0.0), width, axis=axis, mode="constant")
    below = gaussian_filter1d(mask.astype(float), width, axis=axis, mode="constant")
    return np.where(below > 1e-6, above / np.maximum(below, 1e-6), np.nan)


def _mapped_r2(
    source: np.ndarray, target: np.ndarray, train: tuple[np.ndarray, np.ndarray] | None, average: str
) -> float:
    matrix, offset = affine_map(*(train or (source, target)))
    return r2(target, np.asarray(source, float) @ matrix + offset, average=average)


def _rows(a: np.ndarray, b: np.ndarray, observed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape[:-1] != b.shape[:-1]:
        raise ValueError(f"Shapes {a.shape} and {b.shape} do not describe the same rows.")
    keep = np.isfinite(a).all(axis=-1) & np.isfinite(b).all(axis=-1)
    if observed is not None:
        keep &= np.asarray(observed, bool)
    return a[keep], b[keep]


def _ratio(residual: float, total: float) -> float:
    return float(1 - residual / total) if total > 0 else float("nan")
