"""When the samples of a series were taken: regular, stamped, or stamped and too long to hold in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from neurognode.errors import RecordingError

_HELD = 20_000_000
_PEEK = 4_096
_GAP = 1.75
_STRAY = 1e7


class Timeline:
    """Sorted, finite sample times of one series.

    Positions count the samples in order of time; `rows` says where they lie in the file.

    Attributes
    ----------
    n : int
        Samples kept.
    issues : list of str
        What had to be repaired, a sentence each.
    repeated : int
        Samples whose stamp is that of the one before.
    """

    n: int
    issues: list[str]
    repeated: int = 0

    @property
    def period(self) -> float:
        """Typical time between samples in seconds; NaN for fewer than two."""
        raise NotImplementedError

    @property
    def span(self) -> tuple[float, float]:
        """Times of the first and of the last sample in seconds."""
        raise NotImplementedError

    @property
    def regular(self) -> bool:
        """Whether no step differs from the period by over a quarter (of long series, their beginning)."""
        raise NotImplementedError

    def search(self, times: np.ndarray) -> np.ndarray:
        """Position of the first sample at or after each time."""
        raise NotImplementedError

    def at(self, start: int, stop: int) -> np.ndarray:
        """Times of the samples at positions start to stop, in seconds."""
        raise NotImplementedError

    def rows(self, start: int, stop: int) -> slice | np.ndarray:
        """Rows of the file that hold the samples at positions start to stop."""
        return slice(start, stop)

    @property
    def gap(self) -> float:
        """A step longer than this, in seconds, is a gap: nothing is interpolated across it."""
        return _GAP * self.period


class RegularTimeline(Timeline):
    """Samples at ``start + k / rate``.

    Examples
    --------
    >>> from neurognode.loaders.timeline import RegularTimeline
    >>> clock = RegularTimeline(1.0, 10.0, 100)
    >>> clock.span
    (1.0, 10.9)
    """

    def __init__(self, start: float, rate: float, n: int) -> None:
        if not (np.isfinite(rate) and rate > 0 and np.isfinite(start)):
            raise RecordingError(f"A series starts at {start} s with rate {rate} Hz: neither can be used")
        self.start, self.rate, self.n, self.issues = float(start), float(rate), int(n), []

    @property
    def period(self) -> float:
        return 1 / self.rate

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.start + max(self.n - 1, 0) / self.rate

    @property
    def regular(self) -> bool:
        return True

    def search(self, times: np.ndarray) -> np.ndarray:
        steps = np.ceil((np.asarray(times, float) - self.start) * self.rate - 1e-6)
        return np.clip(steps, 0, self.n).astype(np.int64)

    def at(self, start: int, stop: int) -> np.ndarray:
        return self.start + np.arange(start, stop) / self.rate


class StampedTimeline(Timeline):
    """Samples with a time stamp each; unsorted, repeated, non-finite and stray stamps are repaired and reported.

    Stamps that are not finite, or lie more than ten million seconds from the median, are dropped.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.timeline import StampedTimeline
    >>> clock = StampedTimeline(np.array([0.0, 2.0, 1.0, np.nan]))
    >>> clock.at(0, 3)
    array([0., 1., 2.])
    >>> clock.issues
    ['1 of 4 time stamps is not finite or far outside the recording and was dropped', 'time stamps were not in order (1 step back) and were sorted']
    """  # noqa: E501

    def __init__(self, stamps: np.ndarray) -> None:
        stamps = np.asarray(stamps, dtype=np.float64).reshape(-1)
        self.issues: list[str] = []
        keep = np.isfinite(stamps)
        if keep.any():
            keep &= np.abs(np.where(keep, stamps, 0) - np.median(stamps[keep])) < _STRAY
        rows: np.ndarray | None = None
        dropped = int(len(stamps) - keep.sum())
        if dropped:
            verb = "is" if dropped == 1 else "are"
            past = "was" if dropped == 1 else "were"
            self.issues.append(
                f"{dropped} of {len(stamps)} time stamps {verb} not finite or far outside the recording "
                f"and {past} dropped"
            )
            rows, stamps = np.flatnonzero(keep), stamps[keep]
        back = int((np.diff(stamps) < 0).sum())
        if back:
            order = np.argsort(stamps, kind="stable")
            rows, stamps = (order if rows is None else rows[order]), stamps[order]
            plural = "s" if back > 1 else ""
            self.issues.append(f"time stamps were not in order ({back} step{plural} back) and were sorted")
        self.repeated = int((np.diff(stamps) == 0).sum())
        if self.repeated:
            self.issues.append(
                f"{self.repeated} time stamps repeat the one before; their samples are averaged"
            )
        self.stamps, self._rows, self.n = stamps, rows, len(stamps)

    @cached_property
    def _steps(self) -> tuple[float, bool]:
        """Mean step outside gaps, and whether no step differs much from it."""
        steps = np.diff(self.stamps)
        steps = steps[steps > 0]
        if not len(steps):
            return float("nan"), False
        middle = float(np.median(steps))
        period = float(steps[(steps < 1.25 * middle) & (steps > 0.75 * middle)].mean())
        return period, bool((np.abs(np.diff(self.stamps) - period) < 0.25 * period).all())

    @property
    def period(self) -> float:
        return self._steps[0]

    @property
    def span(self) -> tuple[float, float]:
        return (float(self.stamps[0]), float(self.stamps[-1])) if self.n else (float("nan"), float("nan"))

    @property
    def regular(self) -> bool:
        return self._steps[1]

    def search(self, times: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.stamps, np.asarray(times, float) - 1e-9, side="left")

    def at(self, start: int, stop: int) -> np.ndarray:
        return self.stamps[start:stop]

    def rows(self, start: int, stop: int) -> slice | np.ndarray:
        return slice(start, stop) if self._rows is None else self._rows[start:stop]


class LongTimeline(Timeline):
    """Stamps too many to hold: found by bisection in the file, trusted to be in order."""

    def __init__(self, read: Callable[[slice], np.ndarray], n: int) -> None:
        self._read, self.n, self.issues = read, n, []
        self._head = StampedTimeline(read(slice(0, min(n, _PEEK))))
        self._ends = float(read(slice(0, 1))[0]), float(read(slice(n - 1, n))[0])

    @property
    def period(self) -> float:
        return self._head.period

    @property
    def span(self) -> tuple[float, float]:
        return self._ends

    @property
    def regular(self) -> bool:
        return self._head.regular

    def search(self, times: np.ndarray) -> np.ndarray:
        return np.array([self._bisect(t) for t in np.atleast_1d(np.asarray(times, float))], dtype=np.int64)

    def _bisect(self, time: float) -> int:
        low, high = 0, self.n
        while high - low > _PEEK:
            middle = (low + high) // 2
            low, high = (
                (middle + 1, high)
                if self._read(slice(middle, middle + 1))[0] < time - 1e-9
                else (low, middle)
            )
        return low + int(
            np.searchsorted(np.asarray(self._read(slice(low, high)), float), time - 1e-9, side="left")
        )

    def at(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self._read(slice(start, stop)), dtype=np.float64)


def stamped(read: Callable[[slice], np.ndarray], n: int) -> Timeline:
    """A timeline over `n` stamps that `read` gives: held in memory if short, bisected in the file if long."""
    return StampedTimeline(read(slice(0, n))) if n <= _HELD else LongTimeline(read, n)
