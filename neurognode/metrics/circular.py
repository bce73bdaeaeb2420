"""Agreement of angles."""

from __future__ import annotations

import numpy as np


def circular_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Circular correlation of two sets of angles, -1 to 1 (Jammalamadaka and SenGupta 2001, eq. 8.2.2).

    Parameters
    ----------
    a, b : array
        Radians; pairs with NaN are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import circular_correlation
    >>> angles = np.linspace(0, 5, 40)
    >>> round(circular_correlation(angles, angles + 2.0), 6)
    1.0
    """
    a, b = _pairs(a, b)
    x, y = np.sin(a - circular_mean(a)), np.sin(b - circular_mean(b))
    return float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))


def circular_mean(angles: np.ndarray) -> float:
    """Mean direction in radians."""
    return float(np.angle(np.exp(1j * np.asarray(angles, float)).mean()))


def unwrapped_correlation(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Pearson correlation of two angles followed continuously through time, and the slope of a on b.

    A correlation near -1 means that the two turn in opposite senses; the slope need not be one.

    Parameters
    ----------
    a, b : array (time,)
        Radians, wrapped or not; NaN are left out before unwrapping.

    Returns
    -------
    r, slope : float

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import unwrapped_correlation
    >>> heading = np.linspace(0, 20, 200)
    >>> r, slope = unwrapped_correlation(np.angle(np.exp(-0.5j * heading)), heading)
    >>> round(r, 3), round(slope, 3)
    (-1.0, -0.5)
    """
    a, b = _pairs(a, b)
    a, b = np.unwrap(a), np.unwrap(b)
    da, db = a - a.mean(), b - b.mean()
    size = np.sqrt((da**2).sum() * (db**2).sum())
    if size == 0:
        return float("nan"), float("nan")
    return float((da * db).sum() / size), float((da * db).sum() / (db**2).sum())


def _pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, float).ravel(), np.asarray(b, float).ravel()
    if a.shape != b.shape:
        raise ValueError(f"The two sets of angles have {len(a)} and {len(b)} entries.")
    keep = np.isfinite(a) & np.isfinite(b)
    return a[keep], b[keep]
