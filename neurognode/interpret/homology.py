"""The shape of a point set by persistent homology, with its stability under resampling."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from neurognode.errors import MissingExtraError
from neurognode.interpret.region import box_diagonal, farthest_points

LONG, LONG_SHEET = 0.15, 0.12
"""A bar counts if it lives for this share of the set's diameter (curve, sheet), and longer than 1.3 sampling gaps."""
COLLAPSED = 0.05
NAMES = {
    (1, 0, 0): "disk",
    (1, 1, 0): "ring",
    (1, 2, 1): "torus",
    (1, 0, 1): "sphere",
    (1, 2, 0): "two loops",
}


@dataclass(frozen=True, eq=False)
class Topology:
    """Shape of a set of states.

    Attributes
    ----------
    name : str
        "point", "points", "line", "ring", "disk", "sphere", "torus", "two loops", "other" or "cannot tell".
    betti : int array (3,)
        Number of parts, loops and voids; -1 where not computed.
    stability : float
        Share of resamplings that give the same name; NaN where it cannot be told.
    loop : float
        Life of the longest loop over the diameter of the set.
    second_loop : float
        The same of the second longest.
    note : str
        Why it cannot be told, with what would help.
    """

    name: str
    betti: np.ndarray
    stability: float
    loop: float
    second_loop: float
    note: str = ""


def topology(
    points: np.ndarray,
    dimension: int,
    *,
    reference: float | None = None,
    n_points: int | None = None,
    n_resamples: int = 5,
    random_state: int | np.random.Generator | None = 0,
) -> Topology:
    """Name the shape of a set.

    Collapse to a point is tested first: the homology of a point's noise means nothing.

    Parameters
    ----------
    points : array (n, M)
        The set, in coordinates in which distances make sense.
    dimension : int
        Its local dimension (see `local_dimension`): an open line and a filled disk have the same homology.
    reference : float, optional
        Diameter of the whole region: a set smaller than 5 % of it is a point.
    n_points : int, optional
        Landmarks used: 160, or 150 where voids are needed.
    n_resamples : int
        Random subsets of 70 % that must give the same name.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import topology
    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 300)
    >>> topology(np.stack([np.cos(angle), np.sin(angle)], 1), 1).name
    'ring'
    """
    points = np.asarray(points, float)
    points = points[np.isfinite(points).all(1)]
    nothing = np.full(3, -1)
    if len(points) < 20:
        return Topology("cannot tell", nothing, np.nan, np.nan, np.nan, f"only {len(points)} states")
    size = box_diagonal(points)
    if size <= COLLAPSED * (reference or 0.0) or size == 0:
        return Topology("point", np.array([1, 0, 0]), 1.0, 0.0, 0.0)
    try:
        import ripser  # noqa: F401
    except ImportError:
        return Topology(
            "cannot tell", nothing, np.nan, np.nan, np.nan, str(MissingExtraError("ripser", "topology"))
        )
    rng = np.random.default_rng(random_state)
    sheet = dimension >= 2
    if sheet:
        points = evened(points)
        size = box_diagonal(points)
    count = n_points or (150 if sheet else 160)
    name, betti, loops = _name(points, dimension, size, count, sheet)
    names = []
    for _ in range(n_resamples):
        subset = points[rng.permutation(len(points))[: max(20, int(0.7 * len(points)))]]
        names.append(_name(subset, dimension, size, min(count, len(subset)), sheet)[0])
    stability = float(np.mean([n == name for n in names])) if names else np.nan
    return Topology(name, betti, stability, float(loops[0] / size), float(loops[1] / size))


def evened(points: np.ndarray) -> np.ndarray:
    """Points along principal axes, the main ones scaled to equal spread: undoes a linear distortion of a sheet."""
    centred = points - points.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    along = centred @ axes.T
    spread = along.std(0)
    return along / np.where(spread > 0.15 * spread.max(), spread, spread.max())


def _name(
    points: np.ndarray, dimension: int, size: float, count: int, sheet: bool
) -> tuple[str, np.ndarray, np.ndarray]:
    from ripser import ripser

    chosen = points[farthest_points(points, count)]
    voids = sheet and np.linalg.matrix_rank(chosen - chosen.mean(0), tol=1e-6 * size) > 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bars = ripser(chosen, maxdim=2 if voids else 1)["dgms"]
    merge = np.sort(bars[0][np.isfinite(bars[0][:, 1]), 1])
    gap = float(np.percentile(merge, 90)) if len(merge) else 0.0
    parts = 1 + int((merge > max(LONG * size, 3 * gap)).sum())
    loops = np.sort(bars[1][:, 1] - bars[1][:, 0])[::-1] if len(bars[1]) else np.empty(0)
    loops = np.concatenate([loops, np.zeros(2)])
    hollow = bars[2][:, 1] - bars[2][:, 0] if voids and len(bars[2]) else np.empty(0)
    least = max((LONG_SHEET if sheet else LONG) * size, 1.3 * gap)
    betti = np.array([parts, int((loops > least).sum()), int((hollow > 0.5 * least).sum()) if voids else 0])
    if parts > 1:
        return "points", betti, loops
    if dimension <= 1:
        return {0: "line", 1: "ring"}.get(int(betti[1]), "other"), betti, loops
    return NAMES.get((int(betti[0]), int(betti[1]), int(betti[2])), "other"), betti, loops
