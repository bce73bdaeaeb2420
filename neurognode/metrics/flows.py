"""Comparing a fitted flow with the true one, after the affine map between their state spaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurognode.metrics.explained import affine_map


@dataclass(frozen=True)
class DriftComparison:
    """How a fitted drift compares with the true one, both in true coordinates.

    Attributes
    ----------
    cosine : float
        Median over states of the cosine between the two velocities.
    slope : float
        Size of the fitted drift: least-squares factor of the true velocity; 1 is right.
    share : float
        Share of the states at which the true drift is large enough to be compared.
    cosines : array
        One for each compared state.
    """

    cosine: float
    slope: float
    share: float
    cosines: np.ndarray


def compare_drifts(
    fitted: np.ndarray,
    true: np.ndarray,
    *,
    metric: np.ndarray | None = None,
    noise_floor: np.ndarray | float = 0.0,
) -> DriftComparison:
    """Cosine and slope between velocities given at the same states, in the same coordinates.

    Parameters
    ----------
    fitted, true : array (state, D)
        Velocities, units per second; see `carry_velocity`.
    metric : array (U, D), optional
        Velocities are compared after this linear map. With the readout's weights, the comparison is in log
        rates and does not depend on the scale of the latents.
    noise_floor : float or array (state,)
        Standard error of the drift; states whose true drift is not larger are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import compare_drifts
    >>> true = np.random.default_rng(0).normal(size=(100, 2))
    >>> found = compare_drifts(0.5 * true, true)
    >>> round(found.cosine, 6), round(found.slope, 6)
    (1.0, 0.5)
    """
    a, b = np.asarray(fitted, float), np.asarray(true, float)
    keep = np.linalg.norm(b, axis=1) > np.maximum(noise_floor, 1e-12)
    if metric is not None:
        a, b = a @ np.asarray(metric, float).T, b @ np.asarray(metric, float).T
    a, b = a[keep], b[keep]
    if not len(a):
        return DriftComparison(float("nan"), float("nan"), 0.0, np.array([]))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(norms, 1e-300)
    slope = (a * b).sum() / (b**2).sum()
    return DriftComparison(float(np.median(cosines)), float(slope), float(keep.mean()), cosines)


def carry_velocity(
    flow: Callable[[np.ndarray], np.ndarray], source: np.ndarray, target: np.ndarray, states: np.ndarray
) -> np.ndarray:
    """Velocities of a flow on `source` coordinates, at given `target` states, in target coordinates.

    Both state spaces are joined by affine maps fitted on paired samples.

    Parameters
    ----------
    flow : callable
        (n, N) states to (n, N) velocities, in source coordinates.
    source : array (n, N)
        Paired with `target`: for instance fitted latents.
    target : array (n, D)
        For instance true states.
    states : array (m, D)
        Where to evaluate, in target coordinates.

    Returns
    -------
    array (m, D)

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import carry_velocity
    >>> target = np.random.default_rng(0).normal(size=(100, 2))
    >>> carry_velocity(lambda h: -3 * h, 2 * target, target, np.array([[1.0, -1.0]])).round(6).tolist()
    [[-3.0, 3.0]]
    """
    to_source, shift = affine_map(target, source)
    to_target, _ = affine_map(source, target)
    return np.asarray(flow(np.asarray(states, float) @ to_source + shift), float) @ to_target
