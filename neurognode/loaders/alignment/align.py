"""Put a recording on the bins of windows: the one path from any source to `Trials`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError, listing, one_of
from neurognode.loaders.alignment.grid import check_positive
from neurognode.loaders.alignment.inputs import channel_names, input_block
from neurognode.loaders.alignment.moments import Moments, column_times, resolve, row_columns
from neurognode.loaders.alignment.query import select
from neurognode.loaders.alignment.sampled import native_step, on_bins, on_native
from neurognode.loaders.alignment.signal import Block, choose_signal, pick_units
from neurognode.loaders.alignment.spikes import align_spikes, trial_bounds
from neurognode.loaders.alignment.windows import Windows, make_windows
from neurognode.loaders.base import Contents, Series
from neurognode.trials import make_trials

_RESERVED = {
    "trial", "time", "unit", "input", "covariate", "absolute_time", "counts", "activity", "inputs",
    "behavior", "observed", "latent", "member", "sample", "session",
}  # fmt: skip


@dataclass
class Request:
    """What to align, and how; the arguments of `Recording.align`."""

    bin_size: float | str | None
    window: Any = None
    offset: float = 0.0
    table: str | None = None
    trials: str | None = None
    units: Any = None
    signal: str | None = None
    inputs: Any = None
    behavior: Sequence[str] | str | None = None
    conditions: Sequence[str] | str | None = None
    angles: str = "angle"
    event_times: str = "auto"
    beyond_stop: str = "mask"
    presence: str = "auto"


def align(contents: Contents, event: Any, request: Request) -> xr.Dataset:
    """`Trials` about an event; see `neurognode.loaders.Recording.align`."""
    if request.window is None:
        raise ValueError(
            "align needs window=(start, stop) in seconds from the event, for example window=(-0.3, 0.7)."
        )
    moments = resolve(contents, event, request.table, request.event_times)
    rows = _rows(contents, moments, request)
    return build(contents, moments, rows, request)


def build(contents: Contents, moments: Moments, rows: np.ndarray, request: Request) -> xr.Dataset:
    """`Trials` about the moments of some rows."""
    one_of(request.beyond_stop, ("mask", "keep"), "beyond_stop")
    one_of(request.angles, ("angle", "cos_sin"), "angles")
    signal = choose_signal(contents, request.signal)
    bin_size, factor = _bins(contents, signal, request.bin_size)
    window = _native_window(request.window, bin_size) if factor else request.window
    windows = make_windows(moments, rows, window, bin_size, request.offset, request.event_times)
    block = _activity(contents, signal, windows, factor, moments, request)
    asked = windows.asked() & _before_stop(contents, moments, rows, windows, block, request)
    if not asked.all():
        block.values[~asked] = 0 if block.kind == "counts" else np.nan
        block.observed = block.observed & (asked if block.observed.ndim == 2 else asked[:, :, None])
    if not block.observed.any():
        raise RecordingError(*_nothing_observed(contents, windows, moments))
    return _assemble(contents, moments, rows, windows, block, request, signal)


def _rows(contents: Contents, moments: Moments, request: Request) -> np.ndarray:
    """Rows that the query keeps and whose event has a time."""
    n = len(moments.times)
    keep = np.isfinite(moments.times)
    if not keep.any():
        raise RecordingError(f"The event {moments.name!r} has no finite time in any of {n} rows")
    gone = int(n - keep.sum())
    if request.trials is not None:
        if moments.table is None:
            raise ValueError(
                f"trials={request.trials!r}: the event does not come from a table that could be queried."
            )
        columns = row_columns(moments.table, np.arange(n))
        wanted = select(request.trials, columns, n, "trials")
        if not wanted.any():
            raise ValueError(f"trials={request.trials!r} leaves no trial of {n}.")
        if not (wanted & keep).any():
            raise ValueError(
                f"trials={request.trials!r} leaves only trials in which {moments.name!r} has no time."
            )
        gone = int((wanted & ~keep).sum())
        keep &= wanted
    if gone:
        moments.notes.append(f"{moments.name} has no time in {gone} trials, which were left out")
    return np.flatnonzero(keep)


def _bins(contents: Contents, signal: str, bin_size: float | str | None) -> tuple[float, int]:
    """Width of a bin, and how many native samples it sums (0: not native)."""
    if signal != "units":
        return native_step(contents.series[signal], bin_size)
    if bin_size is None or isinstance(bin_size, str):
        raise ValueError(
            f"bin_size={bin_size!r}: spike times have no bins of their own; give seconds, such as 0.02."
        )
    return check_positive(bin_size, "bin_size"), 0


def _native_window(window: Any, bin_size: float) -> Any:
    """A window of seconds rounded to whole samples, since those are given."""
    if isinstance(window, Sequence) and len(window) == 2 and all(isinstance(w, (int, float)) for w in window):
        start, stop = float(window[0]), float(window[1])
        exact = (stop - start) / bin_size
        if stop > start:
            return (start, start + max(round(exact), 1) * bin_size)
    return window


def _activity(
    contents: Contents, signal: str, windows: Windows, factor: int, moments: Moments, request: Request
) -> Block:
    if signal == "units":
        return align_spikes(
            contents, windows, request.units, request.presence, trial_bounds(contents, moments.table)
        )
    series = contents.series[signal]
    names: Any = series.channels.get("roi", np.arange(series.n_channels))
    ids = names if len(np.unique(names)) == len(names) else np.arange(series.n_channels)
    columns = {"id": ids, "unit": ids, **series.channels}
    chosen = pick_units(np.asarray(ids), columns, request.units)
    times = None
    if factor:
        values, times = on_native(series, windows, factor)
    else:
        values = on_bins(series, windows)
    values = values[:, :, chosen]
    kind = {"counts": "counts", "calcium": "calcium"}.get(series.role, "continuous")
    observed = np.isfinite(values)
    if kind == "counts":
        values = np.nan_to_num(values).astype(np.int32)
    flat = observed.all(axis=2)
    mask = flat if (observed.any(axis=2) == flat).all() else observed
    kept = {"unit": np.asarray(ids)[chosen], **{k: np.asarray(v)[chosen] for k, v in series.channels.items()}}
    return Block(values, mask, kind, kept, times, list(series.timeline.issues))


def _before_stop(
    contents: Contents, moments: Moments, rows: np.ndarray, windows: Windows, block: Block, request: Request
) -> np.ndarray:
    """Which bins end before their trial does; a sample at the very stop still belongs to the trial."""
    right = windows.start + (np.arange(windows.n_bins) + 1) * windows.bin_size
    out = np.ones((len(rows), windows.n_bins), bool)
    table = moments.table
    if table is None or request.beyond_stop == "keep" or not {"start_time", "stop_time"} <= set(table.names):
        return out
    start, stop = (column_times(table, c)[0][rows] for c in ("start_time", "stop_time"))
    known = np.isfinite(stop) & (stop > start)
    if not known.all():
        block.notes.append(
            f"{int((~known).sum())} trials have no stop_time after their start_time: they are not cut there"
        )
    room = windows.bin_size if block.times is not None else 1e-6
    limit = np.where(known, stop - windows.zero + room, np.inf)
    out = right <= limit[:, None] + 1e-9
    cut = (~out).any(axis=1).mean()
    if cut:
        block.notes.append(
            f"the window runs past stop_time in {cut:.0%} of trials: those bins are not observed "
            '(beyond_stop="keep" counts them)'
        )
    return out


def _nothing_observed(contents: Contents, windows: Windows, moments: Moments) -> tuple[str]:
    from neurognode.loaders.recording import span_text

    stop = windows.start + windows.n_bins * windows.bin_size
    return (
        f"No bin of the window ({windows.start:g} to {stop:g} s about "
        f"{moments.name!r}) was observed: the recording holds {span_text(contents)}",
    )


def _assemble(
    contents: Contents,
    moments: Moments,
    rows: np.ndarray,
    windows: Windows,
    block: Block,
    request: Request,
    signal: str,
) -> xr.Dataset:
    notes = [*moments.notes, *block.notes]
    behavior, covariates, about = _behavior(contents, request, windows, block, signal)
    inputs, input_names = None, None
    if request.inputs is not None and request.inputs != []:
        inputs, input_names, more = input_block(
            contents, request.inputs, windows, moments, rows, request.event_times
        )
        notes += more
    columns = _trial_columns(moments, rows, request)
    units = {_free(k, columns, "unit"): v for k, v in block.columns.items()}
    window = [windows.start, round(windows.start + windows.n_bins * windows.bin_size, 9)]
    text = "; ".join(dict.fromkeys(notes))
    trials = make_trials(
        block.values, bin_size=windows.bin_size, kind=block.kind, start=windows.start,
        observed=block.observed, inputs=inputs, input_names=input_names, behavior=behavior,
        covariate_names=covariates, absolute_start=windows.zero, units=units, columns=columns,
        attrs={"event": moments.name, "window": window, "signal": signal, "notes": text},
    )  # fmt: skip
    if block.times is not None:
        trials["absolute_time"] = trials["absolute_time"].copy(data=block.times)
    if about:
        trials = trials.assign_coords(covariate_unit=("covariate", about))
    return trials


def _behavior(
    contents: Contents, request: Request, windows: Windows, block: Block, signal: str
) -> tuple[np.ndarray | None, list[str] | None, list[str] | None]:
    names = [request.behavior] if isinstance(request.behavior, str) else list(request.behavior or [])
    if not names:
        return None, None, None
    parts, labels, about = [], [], []
    for name in names:
        usable = [s.name for s in contents.series.values() if s.usable]
        if name not in usable:
            raise ValueError(
                f"behavior: there is no series {name!r} that can be used. {listing(name, usable)}"
            )
        series = contents.series[name]
        values = _like_signal(contents, series, windows, block, signal)
        these, unit = channel_names(name, values.shape[2]), series.unit or "unknown"
        if series.angle and request.angles == "cos_sin":
            values = np.concatenate([np.cos(values), np.sin(values)], axis=2)
            these, unit = [f"{n}_{part}" for part in ("cos", "sin") for n in these], "1"
        parts.append(values)
        labels += these
        about += [unit] * len(these)
    return np.concatenate(parts, axis=2), labels, about


def _like_signal(
    contents: Contents, series: Series, windows: Windows, block: Block, signal: str
) -> np.ndarray:
    """Behaviour on the bins of the signal: sample for sample where both were taken at the same times."""
    if block.times is None:
        return on_bins(series, windows)
    left = block.times
    clock = contents.series[signal].timeline
    factor = max(round(windows.bin_size / clock.period), 1)
    after = clock.search(left[:, -1] + (factor - 0.5) * clock.period)
    last = [clock.at(int(k), int(k) + 1)[0] if k < clock.n else np.inf for k in after]
    right = np.concatenate([left[:, 1:], np.array(last)[:, None]], axis=1)
    right = np.minimum(right, left + windows.bin_size + 0.75 * clock.period)
    return on_bins(series, windows, (left, right))


def _trial_columns(moments: Moments, rows: np.ndarray, request: Request) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if moments.table is not None:
        found = row_columns(moments.table, rows)
        columns = {_free(k, (), "trial"): v for k, v in found.items()}
        columns["row"] = rows
    if request.conditions:
        names = [request.conditions] if isinstance(request.conditions, str) else list(request.conditions)
        for name in names:
            if name not in columns:
                raise ValueError(f"conditions: there is no column {name!r}. {listing(name, columns)}")
        parts = [[_label(v) for v in columns[name]] for name in names]
        columns["condition"] = np.array([", ".join(p) for p in zip(*parts)])
    return columns


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def _free(name: str, taken: Any, axis: str) -> str:
    """A name that no dimension, variable or other coordinate has."""
    name = name.replace("/", "_")
    if name == "unit" and axis == "unit":
        return name
    return f"{axis}_{name}" if name in _RESERVED or name in taken else name
