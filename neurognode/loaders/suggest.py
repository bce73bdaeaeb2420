"""Commands that would work on a recording, ready to paste."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.alignment.moments import column_times, event_names, main_table
from neurognode.loaders.alignment.signal import choose_signal
from neurognode.loaders.base import Contents, Table

_WINDOWS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0, 20.0, 30.0, 60.0)
_MOST = 2.0


def fit_commands(found: dict[str, Any], contents: Contents) -> list[str]:
    """Up to three ``neurognode fit`` commands; none where there is no neural activity.

    Parameters
    ----------
    found : dict
        The description so far.
    contents : Contents
        The recording.
    """
    source = shlex.quote(str(found["source"]))
    if contents.aligned is not None:
        width = contents.aligned.bin_size
        size = "" if width is None else f" --bin-size {width:g}"
        return [f"neurognode fit {source}{size or ' --bin-size 0.01'} --latent-dim 3 --out run"]
    try:
        signal = choose_signal(contents, None)
    except (RecordingError, ValueError):
        return []
    rate = ((found["units"] or {}).get("rate") or {}).get("median", 5.0)
    commands = []
    main = main_table(contents)
    for event in _ranked(contents, main):
        window = _window(contents, event)
        if window is None:
            continue
        bins = _bin_size(contents, signal, rate, window[1] - window[0])
        if bins is None:
            continue
        if _few_and_long(contents, event, window):
            commands += _continuous(contents, source, signal, rate, within=_table_of(event))
            break
        size, window = bins, _whole(window, bins)
        commands.append(
            f"neurognode fit {source} --align {shlex.quote(event)} --window {window[0]:g} {window[1]:g} "
            f"--bin-size {size} --latent-dim 3 --out run"
        )
        if len(commands) == 2:
            break
    if not commands:
        commands += _continuous(contents, source, signal, rate)
    return commands


def _ranked(contents: Contents, main: Table | None) -> list[str]:
    """Events of the main table that are neither its start nor its stop, then its start, then the others."""
    names = event_names(contents)
    own = [n for n in names if _table_of(n) == (main.name if main is not None else "")]
    others = [n for n in names if n not in own and not n.endswith("/stop_time")]
    inner = [n for n in own if n.rsplit("/", 1)[-1] not in ("start_time", "stop_time")]
    return [*inner, *(n for n in own if n.endswith("start_time")), *others]


def _table_of(event: str) -> str:
    return event.rpartition("/")[0] or "trials"


def _window(contents: Contents, event: str) -> tuple[float, float] | None:
    """A window that nine of ten trials cover, at most 2 s each way; None where it would be under 0.1 s."""
    name, _, column = event.rpartition("/")
    table = contents.tables.get(name) if name else main_table(contents)
    if table is None or column not in table.names:
        return None
    times, _ = column_times(table, column)
    known = np.isfinite(times)
    if known.sum() < 2:
        return None
    start, stop = (
        table.column(c).astype(float) if c in table.names else times for c in ("start_time", "stop_time")
    )
    before = _covered((times - start)[known])
    after = (
        _covered((stop - times)[known])
        if "stop_time" in table.names and np.isfinite(stop[known]).any()
        else 1.0
    )
    window = (0.0 - _round(before), _round(after))
    return window if window[1] - window[0] >= 0.1 - 1e-9 else None


def _covered(lengths: np.ndarray) -> float:
    lengths = lengths[np.isfinite(lengths)]
    return float(np.clip(np.percentile(lengths, 10), 0.0, None)) if len(lengths) else 0.0


def _round(length: float) -> float:
    """The largest handy length that is covered; sampled to 10 ms below a tenth of a second's steps."""
    length = min(length, _MOST) if length < 20 else min(length, 60.0)
    fitting = [w for w in _WINDOWS if w <= length + 1e-6]
    exact = np.floor(length * 100 + 1e-6) / 100
    return float(exact if not fitting or exact - fitting[-1] < 0.1 * exact or length < 1 else fitting[-1])


def _bin_size(contents: Contents, signal: str, rate: float, length: float) -> str | None:
    if signal != "units":
        series = contents.series[signal]
        if not np.isfinite(series.timeline.period) or length < 4 * series.timeline.period:
            return None
        return f"{series.timeline.period:.6g}" if series.role == "counts" else "native"
    if length <= 0.5:
        return "0.01"
    return "0.02" if rate >= 3 else "0.05"


def _whole(window: tuple[float, float], size: str) -> tuple[float, float]:
    """The window cut to a whole number of bins."""
    if size == "native":
        return window
    width = float(size)
    start = 0.0 - np.floor(-window[0] / width + 1e-6) * width
    n = int(np.floor((window[1] - start) / width + 1e-6))
    return round(float(start), 6), round(float(start + n * width), 6)


def _few_and_long(contents: Contents, event: str, window: tuple[float, float]) -> bool:
    """Whether trials are runs rather than trials: too few to fit to, each long enough to be cut."""
    table = contents.tables.get(_table_of(event))
    return table is not None and len(table) < 20 and window[1] - window[0] > 10


def _continuous(contents: Contents, source: str, signal: str, rate: float, within: str = "") -> list[str]:
    """A command that cuts a recording without trials, or the rows of a table, into windows."""
    size = _bin_size(contents, signal, rate, np.inf)
    if size is None:
        return []
    long = 2.0
    if signal != "units":
        series = contents.series[signal]
        if series.timeline.n < 100:
            return []
        long = max(2.0, float(np.ceil(50 * series.timeline.period)))
    inside = f" --within {shlex.quote(within)}" if within else ""
    return [f"neurognode fit {source} --chop {long:g}{inside} --bin-size {size} --latent-dim 3 --out run"]
