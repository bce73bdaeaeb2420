"""The visited region: where the data have been, and so where a portrait may claim anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

NEIGHBOUR = 3
MARGIN = 1.5
LARGEST = 5000


@dataclass(frozen=True, eq=False)
class Region:
    """States that were visited, and the yardsticks taken from them.

    Attributes
    ----------
    states : array (n, N)
        Visited states (at most 5,000 of them), in latent units.
    metric : array (M, N)
        Linear map under which distances are taken, for example the readout; the identity by default.
    lower, upper : arrays (N,)
        The box that holds 99 % of the values of each latent.
    diameter : float
        Diagonal of that box under the metric (of the principal axes of the states).
    radius : float
        A point is inside if its third nearest visited state is no farther than this.
    """

    states: np.ndarray
    metric: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    diameter: float
    radius: float
    tree: cKDTree = field(repr=False)

    @classmethod
    def restore(cls, **values: Any) -> Region:
        """A region from its stored attributes."""
        return cls(**values, tree=cKDTree(values["states"] @ values["metric"].T))

    def measure(self, points: np.ndarray) -> np.ndarray:
        """Points (..., N) in the coordinates in which distances are taken, (..., M)."""
        return np.asarray(points) @ self.metric.T

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which of the points (n, N) lie where data have been, bool (n,). Non-finite points do not.

        Examples
        --------
        >>> import numpy as np
        >>> from neurognode.interpret import visited_region
        >>> region = visited_region(np.random.default_rng(0).normal(size=(500, 2)))
        >>> region.inside(np.array([[0.0, 0.0], [9.0, 9.0]])).tolist()
        [True, False]
        """
        points = np.atleast_2d(np.asarray(points, float))
        result = np.zeros(len(points), bool)
        finite = np.isfinite(points).all(1)
        if finite.any():
            k = min(NEIGHBOUR, len(self.states))
            distance = self.tree.query(self.measure(points[finite]), k=[k])[0][:, 0]
            result[finite] = distance <= self.radius
        return result

    def box(self, widen: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (N,) of the box, each side widened by that share of its width."""
        pad = widen * np.maximum(self.upper - self.lower, 1e-9 * max(self.diameter, 1e-300))
        return self.lower - pad, self.upper + pad

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Up to `n` visited states without repeats: half at random, half as far apart as can be."""
        if n >= len(self.states):
            return self.states
        chosen = rng.permutation(len(self.states))
        pool = chosen[: min(len(chosen), 4 * n)]
        spread = pool[farthest_points(self.measure(self.states[pool]), n // 2)]
        rest = np.setdiff1d(chosen, spread, assume_unique=False)
        return self.states[np.concatenate([spread, rng.permutation(rest)[: n - len(spread)]])]


def farthest_points(points: np.ndarray, n: int) -> np.ndarray:
    """Indices of `n` points chosen greedily, each the farthest from those before it."""
    n = min(n, len(points))
    if n == 0:
        return np.empty(0, int)
    chosen = np.zeros(n, int)
    chosen[0] = int(np.argmax(((points - points.mean(0)) ** 2).sum(1)))
    distance = ((points - points[chosen[0]]) ** 2).sum(1)
    for i in range(1, n):
        chosen[i] = int(np.argmax(distance))
        distance = np.minimum(distance, ((points - points[chosen[i]]) ** 2).sum(1))
    return chosen


def box_diagonal(points: np.ndarray) -> float:
    """Diagonal of the box, along principal axes, that holds 99 % of the points (n, M) on each axis.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret.region import box_diagonal
    >>> round(box_diagonal(np.linspace(0, 1, 1001)[:, None] * [3.0, 4.0]), 2)
    4.95
    """
    if len(points) < 2:
        return 0.0
    centred = points - points.mean(0)
    axes = (
        np.linalg.svd(centred, full_matrices=False)[2]
        if len(points) >= points.shape[1]
        else np.eye(points.shape[1])
    )
    low, high = np.percentile(centred @ axes.T, [0.5, 99.5], axis=0)
    return float(np.linalg.norm(high - low))


def visited_region(
    states: np.ndarray, metric: np.ndarray | None = None, random_state: int | np.random.Generator | None = 0
) -> Region:
    """Describe where data have been.

    Parameters
    ----------
    states : array (..., N)
        Visited states; rows with NaN are dropped.
    metric : array (M, N), optional
        Distances are taken between ``metric @ state``.
    random_state : int, Generator or None
        Chooses 5,000 states where there are more.

    Raises
    ------
    ValueError
        If fewer than ten finite states are left.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import visited_region
    >>> line = np.linspace(0, 1, 1001)[:, None] * [3.0, 4.0]
    >>> round(visited_region(line).diameter, 2)
    4.95
    """
    flat = np.asarray(states, float).reshape(-1, np.shape(states)[-1])
    flat = flat[np.isfinite(flat).all(1)]
    if len(flat) < 10:
        raise ValueError(f"A portrait needs at least 10 finite visited states, got {len(flat)}.")
    rng = np.random.default_rng(random_state)
    if len(flat) > LARGEST:
        flat = flat[rng.choice(len(flat), LARGEST, replace=False)]
    matrix = np.eye(flat.shape[1]) if metric is None else np.atleast_2d(np.asarray(metric, float))
    if matrix.shape[1] != flat.shape[1]:
        raise ValueError(f"metric must have {flat.shape[1]} columns, one a latent, got shape {matrix.shape}.")
    seen = flat @ matrix.T
    tree = cKDTree(seen)
    own = tree.query(seen, k=[min(NEIGHBOUR + 1, len(seen))])[0][:, 0]
    diameter = box_diagonal(seen)
    lower, upper = np.percentile(flat, [0.5, 99.5], axis=0)
    radius = max(MARGIN * float(np.percentile(own, 99)), 0.02 * diameter)
    return Region(flat, matrix, lower, upper, diameter, radius, tree)
