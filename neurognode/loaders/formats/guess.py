"""Guess what the datasets of an unknown HDF5 file are, as a mapping for a person to check."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.formats.datasets import Datasets

_ACTIVITY = re.compile(
    r"spike|count|trace|dff|df_f|deconv|rate|activ|calcium|gcamp|neur|fluor|psth", re.IGNORECASE
)
_TIME = re.compile(r"time|stamp|(^|/)t(_|$)", re.IGNORECASE)
_LONGEST = 5_000_000


def guess_mapping(files: Datasets, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """A mapping that may be right: times, the activity that has as many samples, and behaviour beside it.

    Parameters
    ----------
    files : Datasets
        The file.
    shapes : dict of str to tuple
        Shape of every dataset of numbers.

    Returns
    -------
    dict
        Empty where no dataset increases like time, or none of its length has several columns.
    """
    clocks = [p for p, s in shapes.items() if _TIME.search(p) and _is_clock(files, p, s)]
    best: dict[str, Any] = {}
    for clock in clocks:
        n = int(np.prod(shapes[clock]))
        tables = [p for p, s in shapes.items() if len(s) == 2 and n in s and min(s) >= 2 and p != clock]
        ranked = sorted(tables, key=lambda p: (not _ACTIVITY.search(p), -max(shapes[p]), len(p)))
        if not ranked or (best and not _ACTIVITY.search(ranked[0])):
            continue
        beside = {p.rsplit("/", 1)[-1]: p for p, s in shapes.items() if s == (n,) and p != clock}
        shape = shapes[ranked[0]]
        kind = "counts" if files.dtype(ranked[0]).kind in "iu" else "calcium"
        best = {
            "times": clock,
            "activity": {"path": ranked[0], "kind": kind, "time_axis": shape.index(n)},
            "behavior": beside,
        }
        if _ACTIVITY.search(ranked[0]):
            break
    return best


def _is_clock(files: Datasets, path: str, shape: tuple[int, ...]) -> bool:
    """Whether a dataset is one axis of numbers that increase."""
    size = int(np.prod(shape, dtype=object))
    if max(shape, default=0) != size or not 10 <= size <= _LONGEST:
        return False
    try:
        values = files.vector(path).astype(float)
    except RecordingError:
        return False
    return bool((np.diff(values) > 0).all())
