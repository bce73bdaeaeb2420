"""From trials to one series in file time: padding dropped, overlaps resolved, stamps strictly increasing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError
from neurognode.trials import observed


@dataclass
class Continuous:
    """Which bins make up the series, in order of time.

    Attributes
    ----------
    times : array of shape (n,)
        Left edge of each bin in file seconds, strictly increasing.
    trial, bin : int arrays of shape (n,)
        Where each comes from.
    rate : float or None
        Samples per second where the series has no gap.
    dropped : int
        Bins left out because an earlier window covers them.
    """

    times: np.ndarray
    trial: np.ndarray
    bin: np.ndarray
    rate: float | None
    dropped: int

    def take(self, values: np.ndarray) -> np.ndarray:
        """Rows of an array of shape (trial, time, ...), in order of time."""
        return np.ascontiguousarray(values[self.trial, self.bin])


def continuous(trials: xr.Dataset) -> Continuous:
    """Put the bins of all trials in one order of file time.

    Bins in which nothing was observed, or before the start of the clock, are left out. Where windows overlap,
    the earlier window keeps its bins and the later one starts after them.

    Parameters
    ----------
    trials : Dataset
        `Trials` with ``absolute_time``.

    Raises
    ------
    RecordingError
        If nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.export.continuous import continuous
    >>> trials = make_trials(np.zeros((2, 3, 1), int), bin_size=0.1, absolute_start=np.array([1.0, 1.2]))
    >>> continuous(trials).times.round(3).tolist()
    [1.0, 1.1, 1.2, 1.3, 1.4]
    """
    width = float(trials.attrs["bin_size"])
    times = np.asarray(trials["absolute_time"].values, float)
    if times.shape[0] > 1 and np.ptp(times[:, 0]) == 0:
        gap = times.shape[1] * width
        times = times - times[0, 0] + np.arange(len(times))[:, None] * np.ceil(gap + 1.0)
    keep = observed(trials).any(axis=2) & np.isfinite(times) & (times >= 0)
    if not keep.any():
        raise RecordingError(
            "No bin of these trials was observed at a time after 0, so there is nothing to export"
        )
    order = np.argsort(np.where(keep, times, np.inf).min(axis=1), kind="stable")
    parts, end, dropped = [], -np.inf, 0
    for trial in order:
        bins = np.flatnonzero(keep[trial])
        free = bins[times[trial, bins] >= end - 1e-6 * width]
        dropped += len(bins) - len(free)
        if len(free):
            end = max(end, times[trial, free[-1]] + width)
            parts.append((np.full(len(free), trial), free))
    rows, bins = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
    stamps = times[rows, bins]
    steps = np.diff(stamps)
    regular = len(steps) > 0 and bool(np.all(np.abs(steps - width) < 1e-6 * width))
    return Continuous(stamps, rows, bins, 1 / width if regular else None, dropped)
