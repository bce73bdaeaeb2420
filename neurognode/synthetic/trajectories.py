"""Random smooth trajectories of set complexity, the targets of the expressivity measure."""

from __future__ import annotations

import numpy as np


def smooth_trajectories(
    n_trajectories: int,
    dim: int = 2,
    *,
    length_scale: float = 0.2,
    n_bins: int = 100,
    duration: float = 1.0,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw trajectories from a Gaussian process with covariance ``exp(-(t - t')^2 / (2 length_scale^2))``.

    Their complexity is ``duration / length_scale``.

    Parameters
    ----------
    n_trajectories : int
        M.
    dim : int
        D, output channels; independent.
    length_scale : float
        Seconds.
    n_bins : int
        T.
    duration : float
        Seconds.
    random_state : int, Generator or None

    Returns
    -------
    times : array (T,)
        Seconds.
    targets : array (M, T, D)
        Each channel has zero mean and unit variance over trajectories and time.

    Examples
    --------
    >>> from neurognode.synthetic import smooth_trajectories
    >>> times, targets = smooth_trajectories(4, 3, length_scale=0.1)
    >>> targets.shape, round(float(targets.var(axis=(0, 1)).mean()), 6)
    ((4, 100, 3), 1.0)
    """
    for name, value in (("n_trajectories", n_trajectories), ("dim", dim), ("n_bins", n_bins)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1.")
    if not length_scale > 0:
        raise ValueError(f"length_scale={length_scale} must be positive (seconds).")
    rng = np.random.default_rng(random_state)
    times = np.linspace(0, duration, n_bins)
    covariance = np.exp(-((times[:, None] - times[None]) ** 2) / (2 * length_scale**2))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    paths = rng.standard_normal((n_trajectories, dim, n_bins)) @ root.T
    paths = paths.transpose(0, 2, 1)
    paths -= paths.mean(axis=(0, 1))
    return times, paths / paths.std(axis=(0, 1))
