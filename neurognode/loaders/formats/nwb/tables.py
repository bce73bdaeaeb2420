"""Tables of an NWB file: columns, ragged columns, and the compound datasets of the 2.0b draft."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Table
from neurognode.loaders.guard import reading
from neurognode.loaders.nodes import Node, labels, strings

_MAX_ROWS = 5_000_000


def index_bounds(index: Node, target: Node) -> np.ndarray:
    """Start and stop of each row of a ragged column, shape (rows, 2).

    `index` holds the end of each row, or, as early MatNWB wrote it, a region reference.

    Raises
    ------
    RecordingError
        If the ends go backwards or past the data they point into.
    """
    raw = index.read()
    if raw.dtype.kind == "O":
        bounds = index.bounds(raw)
        if bounds is None:
            raise RecordingError("The index holds neither numbers nor region references", where=index.where)
    elif raw.dtype.kind in "iu" and raw.ndim == 1:
        stops = raw.astype(np.int64)
        bounds = np.stack([np.concatenate([[0], stops[:-1]]), stops], axis=1)
    else:
        raise RecordingError(f"The index holds {raw.dtype}, not whole numbers", where=index.where)
    n = target.shape[0] if target.shape else 0
    if len(bounds) and ((bounds[:, 1] < bounds[:, 0]).any() or bounds.min() < 0):
        raise RecordingError("The index goes backwards", where=index.where, hint="The file is damaged.")
    if len(bounds) and bounds.max() > n:
        raise RecordingError(
            f"The index runs to {bounds.max():,} but there are {n:,} values to point into",
            where=index.where,
            hint="The file was cut down or is damaged.",
        )
    return bounds


def read_table(node: Node, name: str) -> Table | None:
    """A table with a time column, or None if the group is something else."""
    names = _column_names(node)
    start = next((c for c in ("start_time", "start", "timestamp", "timestamps") if c in names), None)
    if start is None:
        return None
    first = node.child(start)
    if first is None or first.is_group or len(first.shape) != 1:
        return None
    n = first.shape[0]
    if n > _MAX_ROWS:
        raise RecordingError(f"The table claims {n:,} rows", where=node.where)
    readers: dict[str, Callable[[], np.ndarray]] = {}
    descriptions: dict[str, str] = {}
    for column in names:
        child = node.child(column)
        if child is None or child.is_group:
            continue
        reader = _column(child, node.child(f"{column}_index"), n)
        if reader is not None:
            readers[_current(column)] = reader
            descriptions[_current(column)] = str(child.attr("description", "") or "")
    if node.child("id") is not None:
        ids = node.child("id")
        if ids is not None and not ids.is_group and ids.shape == (n,) and ids.dtype.kind in "iu":
            readers["id"] = functools.partial(_plain, ids)
    return Table(name, node.path, n, readers, descriptions=descriptions)


def read_compound(node: Node, name: str) -> Table:
    """A table that the 2.0b draft stored as one dataset of records; fields that are no number or text are left out."""
    n = node.shape[0] if node.shape else 0
    if n > _MAX_ROWS:
        raise RecordingError(f"The table claims {n:,} rows", where=node.where)
    fields = [
        f for f in node.dtype.names or () if node.dtype[f].kind in "iufbSU" and node.dtype[f].shape == ()
    ]

    def column(name: str) -> np.ndarray:
        return labels(strings(np.asarray(node.read()[name])))

    return Table(name, node.path, n, {f: functools.partial(column, f) for f in fields})


def _current(column: str) -> str:
    """The 2.0b draft called them start and stop."""
    return {"start": "start_time", "stop": "stop_time"}.get(column, column)


def _column_names(node: Node) -> list[str]:
    listed = node.attr("colnames")
    names = [str(c).strip() for c in np.atleast_1d(listed)] if listed is not None else []
    entries: list[str] = node.keys()
    children = [k for k in entries if k != "id" and not k.endswith("_index")]
    return [c for c in names if c in children] + [c for c in children if c not in names]


def _column(child: Node, index: Node | None, n: int) -> Callable[[], np.ndarray] | None:
    """Reader of one column with one value per row, or None where there is no such value."""
    if child.dtype.kind == "V" or len(child.shape) != 1:
        return None
    if index is not None and not index.is_group and index.shape == (n,):
        return functools.partial(_joined, child, index) if child.dtype.kind in "OSU" else None
    return functools.partial(_plain, child) if child.shape == (n,) else None


def _plain(child: Node) -> np.ndarray:
    with reading(child.where, "the column"):
        return labels(strings(child.read()))


def _joined(child: Node, index: Node) -> np.ndarray:
    values, bounds = strings(child.read()), index_bounds(index, child)
    return np.array([", ".join(str(v) for v in values[a:b]) for a, b in bounds], dtype=object)


def one_per_row(node: Node, n: int, skip: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """All columns of a table that hold one number or text per row, read now (units, electrodes)."""
    found: dict[str, np.ndarray] = {}
    for column in _column_names(node):
        child = node.child(column)
        if column in skip or child is None or child.is_group or child.shape != (n,):
            continue
        if child.dtype.kind in "iufbSUO" and node.child(f"{column}_index") is None:
            try:
                found[column] = labels(strings(child.read()))
            except RecordingError as error:
                node.notes.append(f"{child.path}: column left out ({error.what})")
    return found
