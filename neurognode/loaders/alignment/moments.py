"""Which moments an event name means: a time column of a table, the stamps of a series, or times as given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurognode.errors import RecordingError, listing, one_of
from neurognode.loaders.base import Contents, Table


@dataclass
class Moments:
    """Times of an event in file seconds, one per row of a table where there is one."""

    name: str
    times: np.ndarray
    table: Table | None = None
    notes: list[str] = field(default_factory=list)


def event_names(contents: Contents) -> list[str]:
    """Every name that can be aligned to, those of the main table first."""
    trials = contents.tables.get("trials")
    names = list(trials.events) if trials is not None else []
    for table in contents.tables.values():
        if table is not trials:
            names += [f"{table.name}/{e}" for e in table.events]
    return names + [s.name for s in contents.series.values() if s.is_events]


def main_table(contents: Contents, name: str | None = None) -> Table | None:
    """The table of that name; without a name ``trials``, or else the one with most columns that vary."""
    if name is not None:
        return contents.tables[one_of(name, contents.tables, "table")]
    if "trials" in contents.tables:
        return contents.tables["trials"]
    tables = [t for t in contents.tables.values() if t.name != "epochs" and t.events]
    return tables[0] if tables else next((t for t in contents.tables.values() if t.events), None)


def resolve(contents: Contents, event: Any, table: str | None = None, times: str = "auto") -> Moments:
    """The moments an event means.

    Parameters
    ----------
    contents : Contents
        The recording.
    event : str or sequence of float
        A time column, ``table/column``, the name of a series of events, or times in file seconds.
    table : str, optional
        Table to look in; default ``trials``, then the others.
    times : {"auto", "absolute", "relative"}
        Whether a column holds file seconds or seconds from the row's ``start_time``.

    Raises
    ------
    ValueError
        If there is no such event; lists those there are and the nearest spelling.
    """
    one_of(times, ("auto", "absolute", "relative"), "event_times")
    if not isinstance(event, str):
        try:
            values = np.asarray(event, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(f"event={event!r} must be the name of an event, or times in seconds.") from error
        if not len(values):
            raise ValueError("event holds no times: give at least one, in file seconds.")
        return Moments("times", values)
    if "/" in event and table is None:
        head, _, tail = event.rpartition("/")
        if head in contents.tables:
            table, event = head, tail
    found = _table_with(contents, event, table)
    if found is not None:
        values, notes = column_times(found, event, times)
        return Moments(event if found.name == "trials" else f"{found.name}/{event}", values, found, notes)
    series = contents.series.get(event)
    if series is not None and table is None and series.is_events:
        rows = series.as_table()
        return Moments(event, rows.column("time"), rows, list(series.timeline.issues))
    names = event_names(contents) if table is None else contents.tables[table].events
    if not names:
        raise RecordingError(
            f"There is no event {event!r}: the recording has no table of trials and no events",
            hint="Give times in seconds, or cut the recording into windows with chop.",
        )
    raise ValueError(f"There is no event {event!r}. {_near(event, names)}")


def _near(event: str, names: list[str]) -> str:
    tail = listing(event, names)
    if "Did you mean" in tail:
        return tail
    short = {n.rsplit("/", 1)[-1]: n for n in names}
    near = listing(event, short)
    guess = near.rpartition("Did you mean ")[2].strip("'?") if "Did you mean" in near else ""
    return f"{tail} Did you mean {short[guess]!r}?" if guess in short else tail


def _table_with(contents: Contents, column: str, table: str | None) -> Table | None:
    if table is not None:
        chosen = contents.tables[one_of(table, contents.tables, "table")]
        return chosen if column in chosen.names else None
    trials = contents.tables.get("trials")
    if trials is not None and column in trials.names:
        return trials
    having = [t for t in contents.tables.values() if column in t.names]
    if len(having) > 1:
        names = [f"{t.name}/{column}" for t in having]
        raise ValueError(
            f"Several tables have a column {column!r}. Say which: {', '.join(map(repr, names))}."
        )
    return having[0] if having else None


def column_times(table: Table, column: str, mode: str = "auto") -> tuple[np.ndarray, list[str]]:
    """A time column in file seconds, and what was found out about it.

    Some labs store events as seconds from the row's ``start_time``. That is recognised when most events lie
    before their row's start and their spread is less than half of the starts'.

    Raises
    ------
    ValueError
        If the column does not hold numbers.
    """
    values = table.column(column)
    if values.dtype.kind not in "fiu":
        events = table.events
        raise ValueError(
            f"Column {column!r} of {table.name} holds text, not times. {listing(column, events)}"
        )
    values = values.astype(np.float64)
    if column == "start_time" or "start_time" not in table.names or mode == "absolute":
        return values, []
    starts = table.column("start_time").astype(np.float64)
    if mode == "relative":
        return starts + values, []
    known = np.isfinite(values) & np.isfinite(starts)
    if known.sum() < 3 or column == "stop_time":
        return values, []
    before = (values[known] < starts[known]).mean()
    if before > 0.5 and np.ptp(values[known]) < 0.5 * np.ptp(starts[known]):
        note = (
            f"{column} lies before start_time in most rows: it is read as seconds from start_time "
            '(event_times="absolute" reads it as it stands)'
        )
        return starts + values, [note]
    return values, []


def row_columns(table: Table, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every column of the table at some rows, for coordinates on the trial axis."""
    found: dict[str, np.ndarray] = {}
    for name in table.names:
        try:
            found[name] = table.column(name)[rows]
        except RecordingError as error:
            table.notes.append(f"{table.name}/{name}: left out ({error.what})")
    return found
