"""What a zero of a field is: its eigenvalues, type, time constants and frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region
from neurognode.interpret.roots import Roots

MARGINAL = 0.1
"""An eigenvalue that changes a state by less than this share (its rate times the trial length) is marginal."""


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Fixed points of a field with their linearisation.

    Attributes
    ----------
    points : array (P, N)
        Positions, latent units; the most stable first.
    residual : array (P,)
        Speed left, latent units per second.
    eigenvalues : complex array (P, N)
        1/s, the largest real part first. For a map, log(eigenvalue of the step) / dt.
    eigenvectors : complex array (P, N, N)
        One a column, in the order of `eigenvalues`.
    kind : array of str (P,)
        "stable node", "stable focus", "unstable node", "unstable focus", "saddle" or "marginal".
    index : int array (P,)
        Number of eigenvalues with a positive real part that are not marginal.
    inside : bool array (P,)
        Whether the point lies in the visited region; outside, it is extrapolation.
    isolated : bool array (P,)
        False for points of a continuum of zeros.
    """

    points: np.ndarray
    residual: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    kind: np.ndarray
    index: np.ndarray
    inside: np.ndarray
    isolated: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    @property
    def time_constants(self) -> np.ndarray:
        """Seconds to grow or shrink e-fold, (P, N): -1 / Re(eigenvalue); negative where it grows."""
        with np.errstate(divide="ignore"):
            return -1.0 / self.eigenvalues.real

    @property
    def frequencies(self) -> np.ndarray:
        """Hz, (P, N)."""
        return np.abs(self.eigenvalues.imag) / (2 * np.pi)

    @property
    def stable(self) -> np.ndarray:
        """Which points attract in every direction, bool (P,)."""
        return np.char.startswith(self.kind.astype(str), "stable") if len(self) else np.zeros(0, bool)


def kinds_of(
    eigenvalues: np.ndarray, horizon: float, tolerance: float = MARGINAL
) -> tuple[np.ndarray, np.ndarray]:
    """Type and index of fixed points from their eigenvalues (P, N) in 1/s.

    Parameters
    ----------
    eigenvalues : complex array (P, N)
        The linearisation.
    horizon : float
        Seconds over which a point has to prove itself: the length of a trial.
    tolerance : float
        A real part with ``abs(real) * horizon < tolerance`` is marginal.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret.stability import kinds_of
    >>> kinds_of(np.array([[3.0, -5], [-1 + 6j, -1 - 6j], [0.01, -9]]), 1.0)[0].tolist()
    ['saddle', 'stable focus', 'marginal']
    """
    if not len(eigenvalues):
        return np.empty(0, "U14"), np.empty(0, int)
    real, imaginary = eigenvalues.real, eigenvalues.imag
    bad = ~np.isfinite(real).all(1)
    marginal = (np.abs(real) * horizon < tolerance).any(1)
    up = ((real * horizon) >= tolerance).sum(1)
    turning = (np.abs(imaginary) * horizon > tolerance).any(1)
    n = eigenvalues.shape[1]
    kind = np.where(up == 0, "stable ", np.where(up == n, "unstable ", "saddle")).astype("U14")
    whole = (up == 0) | (up == n)
    kind[whole] = np.char.add(kind[whole], np.where(turning[whole], "focus", "node"))
    kind[marginal] = "marginal"
    kind[bad] = "undefined"
    return kind, np.where(bad, -1, up)


def linearise(flow: Flow, roots: Roots, region: Region, horizon: float) -> FixedPoints:
    """Describe zeros of a field by their Jacobians; points whose Jacobian is not finite are "undefined"."""
    n, dim = roots.points.shape if roots.points.size else (0, flow.dim)
    values = np.full((n, dim), np.nan, complex)
    vectors = np.full((n, dim, dim), np.nan, complex)
    jacobian = flow.jacobian(roots.points)
    good = np.isfinite(jacobian).all((1, 2))
    if good.any():
        found, vectors[good] = np.linalg.eig(jacobian[good])
        values[good] = flow.to_rates(found)
    order = np.argsort(np.where(np.isfinite(values.real), -values.real, np.inf), axis=1, kind="stable")
    values = np.take_along_axis(values, order, 1)
    vectors = np.take_along_axis(vectors, order[:, None, :], 2)
    kind, index = kinds_of(values, horizon)
    rank = np.lexsort((np.nan_to_num(values[:, 0].real, nan=np.inf), index)) if n else np.empty(0, int)
    inside = region.inside(roots.points) if n else np.zeros(0, bool)
    arrays = (roots.points, roots.residual, values, vectors, kind, index, inside, roots.isolated)
    return FixedPoints(*(np.asarray(array)[rank] for array in arrays))
