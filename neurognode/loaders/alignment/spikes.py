"""Spike times on the bins of windows, one unit in memory at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.errors import RecordingError, one_of
from neurognode.loaders.alignment.grid import count_spikes, sorted_finite, tolerance
from neurognode.loaders.alignment.presence import (
    Activity,
    OutsideTrials,
    implied_presence,
    inside,
    merge,
    touching,
)
from neurognode.loaders.alignment.resolution import aliasing, grid_of
from neurognode.loaders.alignment.signal import Block, pick_units
from neurognode.loaders.alignment.windows import Windows
from neurognode.loaders.base import Contents, Table, Units
from neurognode.loaders.guard import check_bytes

_TOGETHER = 128
_BYTES, _BYTES_A_BIN = 5, 64
"""Memory of an entry (counts and mask), and of a bin whatever the number of units (edges, times, masks)."""


def span_of(contents: Contents) -> tuple[float, float]:
    """First and last moment that anything in the recording speaks of, except spikes, in file seconds."""
    starts, stops = [np.inf], [-np.inf]
    for series in contents.series.values():
        if series.usable and series.timeline.n:
            first, last = series.timeline.span
            starts.append(first)
            stops.append(last)
    for table in contents.tables.values():
        for name in ("start_time", "stop_time"):
            values = table.column(name) if name in table.names else np.empty(0)
            if values.dtype.kind in "fiu":
                finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
                starts.extend(finite.min(initial=np.inf, keepdims=True))
                stops.extend(finite.max(initial=-np.inf, keepdims=True))
    return float(min(starts)), float(max(stops))


def unit_columns(contents: Contents, query: Any = None) -> dict[str, np.ndarray]:
    """Columns that a query of units may use; ``rate`` and the like only where the query asks for them."""
    units = contents.units
    if units is None:
        return {}
    columns = {"id": units.ids, "unit": units.ids, "n_spikes": units.counts(), **units.columns()}
    wanted = ("rate", "observed_time", "first_spike", "last_spike")
    if isinstance(query, str) and any(w in query for w in wanted):
        columns |= activity_columns(contents)
    return columns


def activity_columns(contents: Contents, exact: bool = True) -> dict[str, np.ndarray]:
    """Rate (spikes/s), observed time (s), first and last spike (s) of each unit.

    Parameters
    ----------
    contents : Contents
        The recording; it has units.
    exact : bool
        Read every spike, so that time between trials which the file does not hold, and time in which a unit
        was plainly absent, do not count as observed. Otherwise only the first and last spike are read.
    """
    units = contents.units
    if units is None:
        return {}
    counts = units.counts()
    bounds = trial_bounds(contents)
    outside = OutsideTrials(*bounds.T) if exact and bounds is not None and len(bounds) else None
    trains = []
    for i in range(len(units)):
        if not counts[i]:
            trains.append(Activity(0, np.nan, np.nan, np.inf))
        elif exact:
            spikes, steps, _ = sorted_finite(units.spikes(i), units.where)
            trains.append(Activity.with_steps(spikes, steps))
            if outside is not None:
                outside.add(spikes)
        else:
            trains.append(Activity(int(counts[i]), *units.ends(i), np.inf))
    first, last = np.array([t.first for t in trains]), np.array([t.last for t in trains])
    low, high = span_of(contents)
    span = (float(np.nanmin([low, *first])), float(np.nanmax([high, *last])))
    only = outside is not None and outside.verdict
    observed = np.array(
        [_observed_time(units, i, t, span, outside if only else None) for i, t in enumerate(trains)]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(observed > 0, counts / observed, np.nan)
    return {"rate": rate, "observed_time": observed, "first_spike": first, "last_spike": last}


def _observed_time(
    units: Units, index: int, train: Activity, span: tuple[float, float], only: OutsideTrials | None
) -> float:
    """Seconds in which a unit was observed."""
    intervals = units.intervals(index)
    if intervals is None:
        low, high = implied_presence(train, span)
        intervals = np.array([[max(low, span[0]), min(high, span[1])]])
    merged = merge(intervals)
    if only is None:
        return float((merged[:, 1] - merged[:, 0]).sum())
    at = np.searchsorted(merged[:, 0], only.trials[:, 0] + 1e-9) - 1
    inside_own = (at >= 0) & (only.trials[:, 0] < merged[np.maximum(at, 0), 1] + 1e-9)
    return float((only.trials[:, 1] - only.trials[:, 0])[inside_own].sum())


def trial_bounds(contents: Contents, table: Table | None = None) -> np.ndarray | None:
    """Start and stop of every row of a table (by default ``trials``), shape (k, 2); None without them."""
    bounds = {"start_time", "stop_time"}
    if table is None or not bounds <= set(table.names):
        table = contents.tables.get("trials")
    if table is None or not bounds <= set(table.names):
        return None
    columns = [table.column(c) for c in ("start_time", "stop_time")]
    if any(c.dtype.kind not in "fiu" for c in columns):
        return None
    pairs = np.stack(columns, axis=1).astype(float)
    return pairs[np.isfinite(pairs).all(axis=1)]


def align_spikes(
    contents: Contents,
    windows: Windows,
    units: Any = None,
    presence: str = "auto",
    trials: np.ndarray | None = None,
) -> Block:
    """Count every unit's spikes in every bin.

    Parameters
    ----------
    contents : Contents
        The recording; it has units.
    windows : Windows
        Where to count.
    units : query, ids or mask, optional
        Units to take.
    presence : {"auto", "file", "spikes"}
        Where a unit counts as observed if the file has no ``obs_intervals``: everywhere except where its own
        spikes plainly say otherwise, everywhere, or from its first to its last spike.
    trials : array of shape (k, 2), optional
        Start and stop of all trials, to tell a file that was cut into trials from one that was not.

    Returns
    -------
    Block
        int32 counts; 0 where not observed.
    """
    one_of(presence, ("auto", "file", "spikes"), "presence")
    source = contents.units
    if source is None:
        raise RecordingError("The recording has no units")
    chosen = pick_units(source.ids, unit_columns(contents, units), units)
    n, shape = len(chosen), (len(windows.zero), windows.n_bins)
    what = f"counts of shape ({shape[0]}, {shape[1]}, {n})"
    check_bytes(shape[0] * shape[1] * (_BYTES * n + _BYTES_A_BIN), source.where, what=what)
    counts = np.zeros((*shape, n), np.int32)
    outside = OutsideTrials(*trials.T) if trials is not None and len(trials) else None
    trains, notes = _count_all(source, chosen, windows, counts, outside)
    if not any(t.n for t in trains):
        raise RecordingError("None of the units has a spike", where=source.where)
    block = Block(counts, np.ones(shape, bool), "counts", {"unit": source.ids[chosen]}, None, notes)
    block.columns |= {k: v[chosen] for k, v in source.columns().items()}
    _mark_observed(block, source, chosen, windows, trains, (presence, outside, span_of(contents)))
    return block


def _count_all(
    source: Units, chosen: np.ndarray, windows: Windows, counts: np.ndarray, outside: OutsideTrials | None
) -> tuple[list[Activity], list[str]]:
    """Fill `counts`, a few units at a time because they are the last axis; say what the trains are like."""
    trains: list[Activity] = []
    found: dict[str, list[str]] = {}
    grid = -1.0
    for start in range(0, len(chosen), _TOGETHER):
        group = chosen[start : start + _TOGETHER]
        part = np.zeros((len(group), *counts.shape[:2]), np.uint8)
        large: dict[int, np.ndarray] = {}
        for k, index in enumerate(group):
            spikes, steps, notes = sorted_finite(source.spikes(int(index)), source.where)
            for note in notes:
                found.setdefault(note.split(" ", 1)[1] if note[0].isdigit() else note, []).append(str(index))
            trains.append(Activity.with_steps(spikes, steps))
            grid = grid_of(spikes) if grid < 0 and len(spikes) > 200 else grid
            if outside is not None:
                outside.add(spikes)
            found_here = count_spikes(spikes, windows.origins, windows.bin_size, windows.n_bins)
            if found_here.max() > 255:
                large[start + k] = found_here
            else:
                part[k] = found_here
        counts[:, :, start : start + len(group)] = np.moveaxis(part, 0, 2)
        for k, values in large.items():
            counts[:, :, k] = values
    notes = [f"{note} (in {len(who)} units, the first is {who[0]})" for note, who in found.items()]
    return trains, [*notes, *filter(None, [aliasing(max(grid, 0.0), windows.bin_size)])]


def _mark_observed(
    block: Block,
    source: Units,
    chosen: np.ndarray,
    windows: Windows,
    trains: list[Activity],
    how: tuple[Any, ...],
) -> None:
    """Fill the mask and set counts to 0 where nothing was observed."""
    presence, outside, span = how
    left, right = windows.edges()
    slack = tolerance(windows.origins)
    everyone = Activity.pooled(trains)
    span = (min(span[0], everyone.first), max(span[1], everyone.last))
    low, high = implied_presence(everyone, span) if presence == "auto" else (-np.inf, np.inf)
    mask = touching(max(span[0], low), min(span[1], high), left, right, slack)
    if outside is not None and outside.verdict:
        mask &= inside(outside.trials, left, right, slack)
        block.notes.append(
            "no spike lies between trials: the file holds only the trials, the rest is not observed"
        )
    grid = (*span, left, right, slack)
    full: np.ndarray | None = None
    absent = 0
    for k, (index, train) in enumerate(zip(chosen, trains)):
        bins, implied = _own_bins(source, int(index), train, presence, grid)
        absent += implied
        if bins is None:
            continue
        if full is None:
            full = np.repeat(mask[:, :, None], len(chosen), axis=2)
        full[:, :, k] &= bins
    if absent:
        block.notes.append(
            f"{absent} of {len(trains)} units have no spikes in a part of the recording where many were due; "
            'they count as not observed there (presence="file" counts them as silent)'
        )
    if full is not None and (full == full[:, :, :1]).all():
        mask, full = full[:, :, 0], None
    block.observed = mask if full is None else full
    if full is not None:
        block.values *= full
    elif not mask.all():
        block.values[~mask] = 0


def _own_bins(
    source: Units, index: int, train: Activity, presence: str, grid: tuple[Any, ...]
) -> tuple[np.ndarray | None, bool]:
    """Bins in which one unit was observed, None for all; and whether that was inferred."""
    start, stop, left, right, slack = grid
    intervals = source.intervals(index)
    if intervals is not None:
        return inside(intervals, left, right, slack), False
    if presence == "file":
        return None, False
    if presence == "spikes":
        return touching(train.first, train.last, left, right, slack), False
    low, high = implied_presence(train, (start, stop))
    if np.isinf(low) and np.isinf(high):
        return None, False
    return touching(low, high, left, right, slack), True
