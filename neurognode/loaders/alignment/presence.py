"""When each unit was there to be seen: what the file says, and what it plainly implies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_EXPECTED = 20.0
_LONGER = 3.0


@dataclass(frozen=True)
class Activity:
    """What must be known of a train of spikes to judge its silences: number, ends, longest silence."""

    n: int
    first: float
    last: float
    longest: float

    @classmethod
    def of(cls, spikes: np.ndarray) -> Activity:
        """From sorted spike times in seconds."""
        return cls.with_steps(spikes, np.diff(spikes))

    @classmethod
    def with_steps(cls, spikes: np.ndarray, steps: np.ndarray) -> Activity:
        """The same where the silences between spikes are known already."""
        if not len(spikes):
            return cls(0, np.inf, -np.inf, np.inf)
        longest = float(steps.max()) if len(steps) else np.inf
        return cls(len(spikes), float(spikes[0]), float(spikes[-1]), longest)

    @classmethod
    def pooled(cls, trains: list[Activity]) -> Activity:
        """Of all units together; the longest silence is at most that of the most steadily active unit."""
        seen = [t for t in trains if t.n]
        if not seen:
            return cls(0, np.inf, -np.inf, np.inf)
        steady = min((t.longest for t in seen if t.n >= _EXPECTED), default=np.inf)
        return cls(sum(t.n for t in seen), min(t.first for t in seen), max(t.last for t in seen), steady)


def implied_presence(train: Activity, span: tuple[float, float]) -> tuple[float, float]:
    """From when to when a unit was there, in seconds; infinite where nothing speaks against it.

    A unit without ``obs_intervals`` may have been lost (or found) part way. It is taken to be absent before
    its first spike (after its last) when that silence should have held at least 20 spikes at its own rate
    and is three times longer than any other silence of the unit.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.alignment.presence import Activity, implied_presence
    >>> implied_presence(Activity.of(np.arange(100.0, 200.0, 0.5)), (0.0, 1000.0))
    (100.0, 199.5)
    """
    if train.n < _EXPECTED:
        return -np.inf, np.inf
    rate = (train.n - 1) / max(train.last - train.first, 1e-12)
    enough = max(_EXPECTED / rate, _LONGER * train.longest)
    start = train.first if train.first - span[0] > enough else -np.inf
    stop = train.last if span[1] - train.last > enough else np.inf
    return start, stop


def inside(intervals: np.ndarray, left: np.ndarray, right: np.ndarray, slack: float) -> np.ndarray:
    """Which bins lie wholly inside a union of intervals.

    Parameters
    ----------
    intervals : array of shape (k, 2)
        Starts and stops in seconds; may touch, overlap or be out of order.
    left, right : arrays
        Edges of the bins in seconds.
    slack : float
        Seconds by which a bin may stick out.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.alignment.presence import inside
    >>> inside(np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([0.5, 1.5]), np.array([1.5, 2.5]), 1e-9)
    array([ True, False])
    """
    merged = merge(intervals)
    if not len(merged):
        return np.zeros(left.shape, bool)
    at = np.searchsorted(merged[:, 0], left + slack, side="right") - 1
    safe = np.maximum(at, 0)
    return (at >= 0) & (right <= merged[safe, 1] + slack)


def touching(low: float, high: float, left: np.ndarray, right: np.ndarray, slack: float) -> np.ndarray:
    """Which bins touch the stretch between two spikes, both of which count as inside their bins."""
    return (right > low + slack) & (left <= high + slack)


def merge(intervals: np.ndarray) -> np.ndarray:
    """Intervals in order, those that touch or overlap made one, those that are not finite dropped."""
    rows = np.asarray(intervals, float).reshape(-1, 2)
    rows = rows[~np.isnan(rows).any(axis=1) & (rows[:, 1] >= rows[:, 0])]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    out: list[list[float]] = []
    for start, stop in rows:
        if out and start <= out[-1][1] + 1e-9:
            out[-1][1] = max(out[-1][1], stop)
        else:
            out.append([start, stop])
    return np.array(out, float).reshape(-1, 2)


class OutsideTrials:
    """Whether a file holds spikes inside its trials only, so that the time between trials is not silence.

    Fed with one unit's spikes after the other; `verdict` is True when none fell outside, though at least 50
    should have at the units' own rates.
    """

    def __init__(self, starts: np.ndarray, stops: np.ndarray) -> None:
        self.trials = merge(np.stack([starts, stops], axis=1))
        self.n, self.outside = 0, 0 if len(self.trials) > 1 else 1

    def add(self, spikes: np.ndarray) -> None:
        """Take account of one unit's sorted spike times."""
        self.n += len(spikes)
        if not self.outside and len(spikes):
            low = np.searchsorted(spikes, self.trials[:, 0] - 1e-9, side="left")
            high = np.searchsorted(spikes, self.trials[:, 1] + 1e-9, side="right")
            self.outside += len(spikes) - int((high - low).sum())

    @property
    def verdict(self) -> bool:
        if self.outside:
            return False
        within = float((self.trials[:, 1] - self.trials[:, 0]).sum())
        between = float(self.trials[-1, 1] - self.trials[0, 0]) - within
        return within > 0 and self.n / within * between >= 50
