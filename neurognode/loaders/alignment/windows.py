"""Windows about moments: fixed, or from one event to another and therefore ragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.alignment.grid import check_positive, whole_bins
from neurognode.loaders.alignment.moments import Moments, column_times

_MANY = 1_000_000
_MOSTLY_PADDING = 10


@dataclass
class Windows:
    """Bins about each moment.

    Attributes
    ----------
    zero : array of shape (n,)
        Time of the event in file seconds.
    start : float
        Left edge of the first bin, seconds from the event.
    n_bins : int
        Bins in each window, padding included.
    bin_size : float
        Seconds.
    lower, upper : arrays of shape (n,)
        What was asked for of each window, seconds from the event; bins outside are padding.
    """

    zero: np.ndarray
    start: float
    n_bins: int
    bin_size: float
    lower: np.ndarray
    upper: np.ndarray

    @property
    def origins(self) -> np.ndarray:
        """Left edge of each window's first bin in file seconds, shape (n,)."""
        return self.zero + self.start

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Left and right edges of every bin in file seconds, each of shape (n, n_bins)."""
        origins = self.origins[:, None]
        steps = np.arange(self.n_bins + 1) * self.bin_size
        return origins + steps[:-1], origins + steps[1:]

    def asked(self) -> np.ndarray:
        """Which bins lie between `lower` and `upper`, but for a millionth of the window, shape (n, n_bins)."""
        slack = 1e-9 + 1e-6 * self.n_bins * self.bin_size
        left = self.start + np.arange(self.n_bins) * self.bin_size
        right = left + self.bin_size
        return (left >= self.lower[:, None] - slack) & (right <= self.upper[:, None] + slack)


def make_windows(
    moments: Moments, rows: np.ndarray, window: Any, bin_size: float, offset: float, mode: str
) -> Windows:
    """Windows about the moments of some rows.

    Parameters
    ----------
    moments : Moments
        All moments.
    rows : int array of shape (n,)
        Those to use.
    window : pair
        Each a number of seconds from the event, the name of a time column of the same table, or a pair
        (column, seconds).
    bin_size : float
        Seconds.
    offset : float
        Seconds added to every moment.
    mode : str
        As in `neurognode.loaders.alignment.moments.resolve`.

    Raises
    ------
    ValueError
        If the window is not a pair that ends after it starts, or the bins do not divide it.
    """
    check_positive(bin_size, "bin_size")
    if isinstance(window, str) or not isinstance(window, Sequence) or len(window) != 2:
        raise ValueError(
            f"window={window!r} must be a pair of seconds such as (-0.3, 0.7), or name a time column to "
            'end at, such as (0.0, "stop_time").'
        )
    zero = moments.times[rows] + offset
    ends = [_end(moments, rows, zero, part, mode) for part in window]
    lower, upper = (np.broadcast_to(e, zero.shape).astype(float) for e in ends)
    if all(np.ndim(e) == 0 for e in ends):
        n_bins = whole_bins(float(ends[1]) - float(ends[0]), bin_size)
        return Windows(zero, float(ends[0]), n_bins, bin_size, lower, upper)
    return _ragged(
        zero, lower, upper, bin_size, fixed_start=float(ends[0]) if np.ndim(ends[0]) == 0 else None
    )


def _end(moments: Moments, rows: np.ndarray, zero: np.ndarray, part: Any, mode: str) -> Any:
    """Seconds from the event: one number, or one per row."""
    if isinstance(part, (int, float, np.number)) and not isinstance(part, bool):
        if not np.isfinite(part):
            raise ValueError(f"window holds {part}; it must hold finite seconds or names of time columns.")
        return float(part)
    column, shift = (part, 0.0) if isinstance(part, str) else (str(part[0]), float(part[1]))
    if moments.table is None:
        raise ValueError(
            f"window ends at {column!r}, but the event does not come from a table that could hold it."
        )
    times, _ = column_times(moments.table, column, mode)
    return times[rows] + shift - zero


def _check_padding(lengths: np.ndarray, n_bins: int, bin_size: float) -> None:
    """Refuse windows of which a few are so long that the others would be nearly all padding."""
    used, whole = lengths.sum() / bin_size, len(lengths) * n_bins
    if whole < _MANY or whole < _MOSTLY_PADDING * used:
        return
    middle, longest = np.median(lengths), lengths.max()
    raise RecordingError(
        f"Half of the windows last {middle:.3g} s or less, but the longest {longest:.4g} s: padded to it, "
        f"{1 - used / whole:.0%} would be padding",
        hint=f'Leave out the longest, for example trials="stop_time - start_time < {2 * middle:.2g}".',
    )


def _ragged(
    zero: np.ndarray, lower: np.ndarray, upper: np.ndarray, bin_size: float, fixed_start: float | None
) -> Windows:
    known = np.isfinite(lower) & np.isfinite(upper) & (upper > lower)
    if not known.any():
        raise RecordingError("No window ends after it starts", hint="Check the two ends of window=.")
    first = (
        fixed_start if fixed_start is not None else np.floor(lower[known].min() / bin_size + 1e-6) * bin_size
    )
    n_bins = int(np.ceil((upper[known].max() - first) / bin_size - 1e-6))
    _check_padding(upper[known] - lower[known], n_bins, bin_size)
    empty = np.where(known, upper, -np.inf)
    return Windows(zero, float(first), max(n_bins, 1), bin_size, np.where(known, lower, np.inf), empty)
