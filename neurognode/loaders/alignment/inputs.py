"""External inputs on the bins: steps at an event, boxes between two events, or sampled series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurognode.errors import listing
from neurognode.loaders.alignment.moments import Moments, column_times
from neurognode.loaders.alignment.sampled import on_bins
from neurognode.loaders.alignment.windows import Windows
from neurognode.loaders.base import Contents, Table

_KEYS = ("name", "value", "on", "off")


def input_block(
    contents: Contents, specs: Any, windows: Windows, moments: Moments, rows: np.ndarray, mode: str
) -> tuple[np.ndarray, list[str], list[str]]:
    """Inputs of every window, held constant over each bin.

    Parameters
    ----------
    specs : str, mapping, or sequence of them
        A column of numbers: a step of that size from the event to the end of the trial. A column of text: one
        such step per value, named ``column=value``. A time column: a step of 1 from that time on. A series:
        its mean in each bin. A mapping ``{"value": column or number, "on": column or seconds, "off": column
        or seconds, "name": ...}`` says when the step begins and ends (seconds count from the event).

    Returns
    -------
    values : array of shape (n, n_bins, inputs)
        A bin that is covered in part gets that part of the step. Samples that are missing hold the last
        value.
    names : list of str
    notes : list of str

    Raises
    ------
    ValueError
        If a name is neither a column nor a series; lists those there are.
    """
    listed = [specs] if isinstance(specs, (str, Mapping)) or not isinstance(specs, Sequence) else list(specs)
    parts: list[np.ndarray] = []
    names: list[str] = []
    notes: list[str] = []
    for spec in listed:
        if isinstance(spec, str) and spec in contents.series and not _is_column(moments.table, spec):
            values, labels, note = _sampled(contents, spec, windows)
            notes += note
        else:
            values, labels = _steps(spec, windows, moments, rows, mode, contents)
        parts.append(values)
        names += labels
    return np.concatenate(parts, axis=2), names, notes


def _is_column(table: Table | None, name: str) -> bool:
    return table is not None and name in table.names


def _sampled(contents: Contents, name: str, windows: Windows) -> tuple[np.ndarray, list[str], list[str]]:
    series = contents.series[name]
    values = on_bins(series, windows)
    labels = channel_names(name, values.shape[2])
    missing = np.isnan(values)
    if not missing.any():
        return values, labels, []
    for k in range(1, values.shape[1]):
        gone = np.isnan(values[:, k])
        values[:, k][gone] = values[:, k - 1][gone]
    share = missing.mean()
    return (
        np.nan_to_num(values),
        labels,
        [f"the input {name} is missing in {share:.1%} of bins: its last value is held"],
    )


def channel_names(name: str, n: int) -> list[str]:
    """Names of the columns of a series: its own name, or numbered."""
    return [name] if n == 1 else [f"{name}_{i}" for i in range(n)]


def _steps(
    spec: Any, windows: Windows, moments: Moments, rows: np.ndarray, mode: str, contents: Contents
) -> tuple[np.ndarray, list[str]]:
    given = dict(spec) if isinstance(spec, Mapping) else _short(spec, moments.table)
    unknown = [k for k in given if k not in _KEYS]
    if unknown:
        raise ValueError(f"inputs: {unknown[0]!r} is not known. {listing(unknown[0], _KEYS)}")
    value = given.get("value", 1.0)
    on = _moment(given.get("on", 0.0), windows, moments, rows, mode, np.inf)
    off = _moment(given.get("off", np.inf), windows, moments, rows, mode, np.inf)
    left = windows.start + np.arange(windows.n_bins) * windows.bin_size
    right = left + windows.bin_size
    covered = np.minimum(right, off[:, None]) - np.maximum(left, on[:, None])
    box = np.clip(covered / windows.bin_size, 0.0, 1.0)
    box[np.abs(box - np.round(box)) < 1e-9] = np.round(box[np.abs(box - np.round(box)) < 1e-9])
    sizes, labels = _sizes(value, moments.table, rows, str(given.get("name", "")), contents)
    return box[:, :, None] * sizes[:, None, :], labels


def _short(spec: Any, table: Table | None) -> dict[str, Any]:
    """What a name alone, or a tuple (value, on, off), stands for."""
    if isinstance(spec, str):
        if table is not None and spec in table.events:
            return {"value": 1.0, "on": spec, "name": spec}
        return {"value": spec, "name": spec}
    if isinstance(spec, Sequence) and 1 <= len(spec) <= 3:
        return {"name": str(spec[0]), **dict(zip(("value", "on", "off"), spec))}
    raise ValueError(
        f"inputs: {spec!r} is not a name, (value, on, off), or a mapping with {', '.join(_KEYS)}."
    )


def _moment(
    part: Any, windows: Windows, moments: Moments, rows: np.ndarray, mode: str, never: float
) -> np.ndarray:
    """Seconds from each window's event."""
    if isinstance(part, (int, float)):
        return np.full(len(rows), float(part))
    if moments.table is None:
        raise ValueError(f"inputs: {part!r} is a column, but the event does not come from a table.")
    times, _ = column_times(moments.table, str(part), mode)
    return np.where(np.isfinite(times[rows]), times[rows] - windows.zero, never)


def _sizes(
    value: Any, table: Table | None, rows: np.ndarray, name: str, contents: Contents
) -> tuple[np.ndarray, list[str]]:
    """Height of the step in every window, shape (n, inputs), and the names."""
    if isinstance(value, (int, float)):
        return np.full((len(rows), 1), float(value)), [name or "step"]
    if not _is_column(table, str(value)) or table is None:
        known = [*(table.names if table is not None else []), *contents.series]
        raise ValueError(f"inputs: there is no column or series {value!r}. {listing(value, known)}")
    column = table.column(str(value))[rows]
    label = name or str(value)
    if column.dtype.kind in "USO":
        kinds = np.unique(column)
        if len(kinds) > 20:
            raise ValueError(
                f"inputs: {value!r} holds {len(kinds)} different texts; at most 20 can become inputs."
            )
        return (column[:, None] == kinds[None, :]).astype(float), [f"{label}={k}" for k in kinds]
    return np.nan_to_num(column.astype(float))[:, None], [label]
