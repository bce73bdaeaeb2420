"""Decoding of continuous behaviour from rates, as the Neural Latents Benchmark does it."""

from __future__ import annotations

import numpy as np

ALPHAS = np.logspace(-4, 0, 9)


def velocity_r2(
    train_rates: np.ndarray,
    train_velocity: np.ndarray,
    test_rates: np.ndarray,
    test_velocity: np.ndarray,
    *,
    lag: int = 0,
    alphas: np.ndarray = ALPHAS,
) -> float:
    """R2 of a ridge regression from rates to velocity, fitted on train trials and scored on test trials.

    The penalty is chosen by 5-fold cross-validation on the train trials.

    Parameters
    ----------
    train_rates, test_rates : array (trial, time, feature)
        Rates or latents.
    train_velocity, test_velocity : array (trial, time, 2)
        NaN are left out.
    lag : int
        Bins by which behaviour follows the rates.
    alphas : array
        Penalties to choose from.

    Returns
    -------
    float
        Mean of the R2 of the velocity's components, flattened over trials and time.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import velocity_r2
    >>> rates = np.random.default_rng(0).normal(size=(20, 30, 5))
    >>> velocity = rates[..., :2] * 2.0
    >>> round(velocity_r2(rates[:15], velocity[:15], rates[15:], velocity[15:]), 3)
    1.0
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV

    x, y = lagged_rows(train_rates, train_velocity, lag)
    decoder = GridSearchCV(Ridge(), {"alpha": np.asarray(alphas)}).fit(x, y)
    return float(decoder.score(*lagged_rows(test_rates, test_velocity, lag)))


def lagged_rows(rates: np.ndarray, behavior: np.ndarray, lag: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, feature) and (n, covariate) of all trials, behaviour `lag` bins later, without NaN."""
    n_bins = np.shape(rates)[1]
    if not 0 <= lag < n_bins:
        raise ValueError(f"lag={lag} must be 0 to {n_bins - 1} bins.")
    x = np.asarray(rates, float)[:, : n_bins - lag].reshape(-1, np.shape(rates)[2])
    y = np.asarray(behavior, float)[:, lag:].reshape(-1, np.shape(behavior)[2])
    keep = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    return x[keep], y[keep]
