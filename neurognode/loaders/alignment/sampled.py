"""Sampled signals on the bins of windows: native samples, averages, or interpolation, never across gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.alignment.grid import check_positive
from neurognode.loaders.alignment.windows import Windows
from neurognode.loaders.base import Series
from neurognode.loaders.guard import check_bytes

_SAME = 0.01


def native_step(series: Series, bin_size: float | str | None) -> tuple[float, int]:
    """Width of a bin and the number of samples in it, for a signal that keeps its own grid.

    Parameters
    ----------
    series : Series
        Counts (which cannot be cut), or any signal asked for at its native rate.
    bin_size : float or "native" or None
        Seconds.

    Returns
    -------
    (bin_size, factor) : (float, int)
        `factor` is 0 where a bin is not a whole number of samples; only signals that can be averaged allow
        that.

    Raises
    ------
    ValueError
        For counts, if the width is not a whole number of samples; names the nearest that are.
    """
    period = series.timeline.period
    if not np.isfinite(period):
        raise RecordingError(f"The series {series.name!r} has fewer than two samples", where=series.path)
    period = float(f"{period:.6g}") if series.timeline.regular else period
    if bin_size is None or bin_size == "native":
        return period, 1
    if isinstance(bin_size, str):
        raise ValueError(f"bin_size={bin_size!r} must be a number of seconds, or 'native'.")
    factor = round(check_positive(bin_size, "bin_size") / period)
    if factor >= 1 and abs(bin_size / period - factor) <= _SAME:
        return float(bin_size), factor if series.role == "counts" or factor == 1 else 0
    if series.role != "counts":
        return float(bin_size), 0
    options = [period * k for k in sorted({max(factor, 1), max(factor, 1) + 1})]
    raise ValueError(
        f"bin_size={bin_size:g} s: {series.name!r} is already binned at {period:g} s, so a bin must be a "
        f"whole number of those. The nearest: {' or '.join(f'{o:g}' for o in options)} s."
    )


def on_native(series: Series, windows: Windows, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples as they are, or sums of `factor` neighbours, from the sample nearest to each window's start.

    Returns
    -------
    values : array of shape (n, n_bins, channels)
        NaN where there is no sample.
    times : array of shape (n, n_bins)
        When each bin's first sample was taken, in file seconds.
    """
    clock, slots = series.timeline, windows.n_bins * factor
    n = len(windows.zero)
    check_bytes(n * slots * series.n_channels * 8, series.path, what=f"windows of {series.name!r}")
    values = np.full((n, slots, series.n_channels), np.nan)
    times = windows.origins[:, None] + np.arange(slots) * (windows.bin_size / factor)
    first = clock.search(windows.origins - 0.5 * clock.period)
    for i, (low, high) in enumerate(zip(first, np.minimum(first + slots + clock.repeated, clock.n))):
        if high <= low:
            continue
        stamps = np.asarray(clock.at(int(low), int(high)), float)
        at = _slots(stamps, windows.origins[i], clock.period, clock.gap)
        keep = at < slots
        samples = series.read(int(low), int(high))[keep]
        values[i, at[keep]], times[i, at[keep]] = samples, stamps[keep]
        if clock.repeated and len(np.unique(at[keep])) < keep.sum():
            _average_repeated(values[i], at[keep], samples)
    if factor == 1:
        return values, times
    return values.reshape(n, windows.n_bins, factor, -1).sum(axis=2), times[:, ::factor]


def _slots(stamps: np.ndarray, origin: float, period: float, gap: float) -> np.ndarray:
    """Place of each sample: one after the other, shared by repeated stamps, further on after a gap."""
    skipped = max(round((stamps[0] - origin) / period), 0)
    steps = np.diff(stamps)
    jumps = np.where(steps > gap, np.maximum(np.rint(steps / period), 1), np.where(steps > 0, 1, 0))
    return skipped + np.concatenate([[0], np.cumsum(jumps)]).astype(np.int64)


def _average_repeated(values: np.ndarray, at: np.ndarray, samples: np.ndarray) -> None:
    """Mean of the samples that share a place."""
    places, where, numbers = np.unique(at, return_inverse=True, return_counts=True)
    sums = np.zeros((len(places), samples.shape[1]))
    np.add.at(sums, where, samples)
    values[places] = sums / numbers[:, None]


def on_bins(
    series: Series, windows: Windows, edges: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Average in bins that hold samples; interpolate at the centre where samples lie close on both sides.

    Parameters
    ----------
    series : Series
        The signal. Angles (radians) are averaged as angles and come out between -pi and pi.
    windows : Windows
        The bins.
    edges : pair of arrays of shape (n, n_bins), optional
        Left and right edges in file seconds, where they are not those of `windows`.

    Returns
    -------
    array of shape (n, n_bins, channels)
        NaN outside the record, in gaps, and where samples are NaN.
    """
    left, right = windows.edges() if edges is None else edges
    clock, channels = series.timeline, series.n_channels
    check_bytes(left.size * channels * 8, series.path, what=f"windows of {series.name!r}")
    out = np.full((*left.shape, channels), np.nan)
    if not clock.n:
        return out
    period = clock.period if np.isfinite(clock.period) else 0.0
    average = period <= windows.bin_size * (1 + 1e-6)
    low = np.maximum(clock.search(left[:, 0] - max(period, windows.bin_size)) - 1, 0)
    high = np.minimum(clock.search(right[:, -1] + max(period, windows.bin_size)) + 1, clock.n)
    for i in range(len(left)):
        if high[i] <= low[i]:
            continue
        times = np.asarray(clock.at(int(low[i]), int(high[i])), float)
        samples = series.read(int(low[i]), int(high[i]))
        run = _angular if series.angle else _linear
        out[i] = run(times, samples, left[i], right[i], clock.gap, average)
    return out


def _linear(
    times: np.ndarray, samples: np.ndarray, left: np.ndarray, right: np.ndarray, gap: float, average: bool
) -> np.ndarray:
    samples = np.asarray(samples, dtype=np.float64)
    out = np.full((len(left), samples.shape[1]), np.nan)
    if average:
        out = _means(times, samples, left, right)
    _fill(out, times, samples, (left + right) / 2, gap, np.isnan)
    return out


def _angular(
    times: np.ndarray, samples: np.ndarray, left: np.ndarray, right: np.ndarray, gap: float, average: bool
) -> np.ndarray:
    turned = np.exp(1j * np.asarray(samples, dtype=np.float64))
    out = np.full((len(left), samples.shape[1]), np.nan, complex)
    if average:
        out = _means(times, turned, left, right)
    _fill(out, times, turned, (left + right) / 2, gap, np.isnan)
    return np.where(np.isnan(out), np.nan, np.angle(out))


def _means(times: np.ndarray, samples: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean of the finite samples in each half-open bin; NaN where there are none."""
    start = np.searchsorted(times, left - 1e-9, side="left")
    stop = np.searchsorted(times, right - 1e-9, side="left")
    padded = np.concatenate([samples, np.zeros((1, samples.shape[1]), samples.dtype)])
    finite = np.isfinite(padded)
    marks = np.stack([start, stop], axis=1).reshape(-1)
    sums = np.add.reduceat(np.where(finite, padded, 0), marks, axis=0)[::2]
    numbers = np.add.reduceat(finite.astype(np.int64), marks, axis=0)[::2]
    numbers[stop <= start] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(numbers > 0, sums / numbers, np.nan)


def _fill(
    out: np.ndarray,
    times: np.ndarray,
    samples: np.ndarray,
    centres: np.ndarray,
    gap: float,
    missing: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Interpolate `out` where it is missing, between finite samples no further apart than `gap`."""
    need = missing(out)
    if not need.any():
        return
    known = np.isfinite(samples)
    if known.all():
        rows = need.any(axis=1)
        values = _between(times, samples, centres[rows], gap)
        out[rows] = np.where(need[rows], values, out[rows])
        return
    for channel in np.flatnonzero(need.any(axis=0)):
        rows, seen = need[:, channel], known[:, channel]
        values = _between(times[seen], samples[seen, channel : channel + 1], centres[rows], gap)
        out[rows, channel] = values[:, 0]


def _between(times: np.ndarray, samples: np.ndarray, at: np.ndarray, gap: float) -> np.ndarray:
    """Values at some times, (n, channels); NaN where the samples on both sides are further apart than `gap`."""
    if len(times) < 2:
        return np.full((len(at), samples.shape[1]), np.nan, samples.dtype)
    after = np.searchsorted(times, at, side="left")
    low, high = np.clip(after - 1, 0, len(times) - 1), np.clip(after, 0, len(times) - 1)
    width = times[high] - times[low]
    share = np.where(width > 0, (at - times[low]) / np.where(width > 0, width, 1), 0)[:, None]
    exact = (after < len(times)) & (times[high] == at)
    values = np.where(exact[:, None], samples[high], samples[low] + share * (samples[high] - samples[low]))
    good = ((after > 0) & (after < len(times)) & (width <= gap)) | exact
    return np.where(good[:, None], values, np.nan)
