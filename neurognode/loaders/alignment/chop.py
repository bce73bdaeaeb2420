"""Cut a continuous recording into windows that never cross a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError, listing
from neurognode.loaders.alignment.align import Request, build
from neurognode.loaders.alignment.grid import check_positive
from neurognode.loaders.alignment.moments import Moments
from neurognode.loaders.alignment.presence import merge
from neurognode.loaders.alignment.signal import choose_signal
from neurognode.loaders.alignment.spikes import activity_columns
from neurognode.loaders.base import Contents, Series, Table

_MAX_WINDOWS = 1_000_000


def chop(
    contents: Contents,
    window: float,
    *,
    bin_size: Any,
    step: float | None,
    within: Any,
    min_observed: float,
    **how: Any,
) -> xr.Dataset:
    """`Trials` of equal windows; see `neurognode.loaders.Recording.chop`."""
    if contents.aligned is not None:
        raise ValueError(
            "chop cannot be used: this recording is already cut into trials; use align(bin_size=...)."
        )
    length = check_positive(window, "window")
    stride = length if step is None else check_positive(step, "step")
    signal = choose_signal(contents, how.get("signal"))
    stretches, rows = _stretches(contents, signal, within)
    starts, owner = _starts(stretches, length, stride, signal != "units", contents)
    if not len(starts):
        longest = float((stretches[:, 1] - stretches[:, 0]).max(initial=0))
        raise ValueError(f"window={length:g} s is longer than any stretch of the recording ({longest:g} s).")
    table = contents.tables[within] if isinstance(within, str) else None
    trials = build(
        contents,
        Moments("chop", starts),
        np.arange(len(starts)),
        Request(bin_size, window=(0.0, length), **how),
    )
    columns = {"segment": owner}
    if table is not None:
        columns |= {k: table.column(k)[rows[owner]] for k in table.names if k not in trials.coords}
    trials = trials.assign_coords({k: ("trial", v) for k, v in columns.items()})
    seen = trials["observed"].mean([d for d in trials["observed"].dims if d != "trial"]).values
    keep = np.flatnonzero(seen >= min_observed)
    if not len(keep):
        raise RecordingError(
            f"In no window were {min_observed:.0%} of bins observed", hint="Lower min_observed."
        )
    return trials.isel(trial=keep).assign_coords(trial=np.arange(len(keep)))


def _stretches(contents: Contents, signal: str, within: Any) -> tuple[np.ndarray, np.ndarray]:
    """Start and stop of each stretch that windows may lie in, and the table row behind each."""
    whole = _continuous(contents, signal)
    if within is None:
        return whole, np.arange(len(whole))
    if isinstance(within, str):
        if within not in contents.tables:
            raise ValueError(
                f"within={within!r} is not a table of the recording. {listing(within, contents.tables)}"
            )
        asked, rows = _rows_of(contents.tables[within])
    else:
        pairs = [within] if isinstance(within, Sequence) and np.ndim(within[0]) == 0 else within
        asked = np.asarray(pairs, dtype=float).reshape(-1, 2)
        rows = np.arange(len(asked))
    if not np.isfinite(asked).all() or (asked[:, 1] <= asked[:, 0]).any():
        raise ValueError("within: every stretch must be a finite start and a later stop, in file seconds.")
    out, owner = [], []
    for row, (low, high) in zip(rows, asked):
        for a, b in whole:
            if min(b, high) > max(a, low):
                out.append((max(a, low), min(b, high)))
                owner.append(row)
    return np.array(out, float).reshape(-1, 2), np.array(owner, int)


def _rows_of(table: Table) -> tuple[np.ndarray, np.ndarray]:
    if not {"start_time", "stop_time"} <= set(table.names):
        raise ValueError(f"within={table.name!r}: the table has no start_time and stop_time.")
    bounds = np.stack([table.column(c).astype(float) for c in ("start_time", "stop_time")], axis=1)
    good = np.isfinite(bounds).all(axis=1) & (bounds[:, 1] > bounds[:, 0])
    return bounds[good], np.flatnonzero(good)


def _continuous(contents: Contents, signal: str) -> np.ndarray:
    """Stretches in which the signal was sampled without a gap, or the span of the spikes."""
    if signal != "units":
        return _runs(contents.series[signal])
    ends = activity_columns(contents)
    return np.array([[np.nanmin(ends["first_spike"]), np.nanmax(ends["last_spike"])]])


def _runs(series: Series) -> np.ndarray:
    clock = series.timeline
    if not clock.n or not np.isfinite(clock.period):
        raise RecordingError(f"The series {series.name!r} has fewer than two samples", where=series.path)
    times = np.asarray(clock.at(0, clock.n), float)
    breaks = np.flatnonzero(np.diff(times) > clock.gap)
    first = np.concatenate([[0], breaks + 1])
    last = np.concatenate([breaks, [clock.n - 1]])
    return merge(np.stack([times[first], times[last] + clock.period], axis=1))


def _starts(
    stretches: np.ndarray, length: float, stride: float, sampled: bool, contents: Contents
) -> tuple[np.ndarray, np.ndarray]:
    """Start of every window, and its stretch; computed in whole steps from the stretch's own start."""
    starts, owner = [], []
    for k, (low, high) in enumerate(stretches):
        n = int(np.floor((high - low - length) / stride + 1e-6)) + 1
        if n <= 0:
            continue
        if n > _MAX_WINDOWS:
            raise ValueError(
                f"window={length:g} s and step={stride:g} s give {n:,} windows; at most {_MAX_WINDOWS:,}."
            )
        starts.append(low + np.arange(n) * stride)
        owner.append(np.full(n, k))
    empty = np.empty(0)
    return (np.concatenate(starts), np.concatenate(owner)) if starts else (empty, empty.astype(int))
