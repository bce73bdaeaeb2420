"""pynapple objects: TsGroup as units, Tsd and TsdFrame as series, IntervalSet as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurognode.loaders.base import Contents, ListUnits, Loader
from neurognode.loaders.formats.arrays import series_from, table_from
from neurognode.loaders.probe import Probe

_TYPES = ("TsGroup", "Tsd", "TsdFrame", "TsdTensor", "Ts", "IntervalSet", "NWBFile")


class PynappleReader(Loader):
    """One pynapple object, or a mapping of names to them (also what ``pynapple.load_file`` gives)."""

    name = "pynapple"

    def recognises(self, probe: Probe) -> bool:
        value = probe.value
        if _is_pynapple(value):
            return True
        return isinstance(value, Mapping) and bool(value) and all(_is_pynapple(v) for v in value.values())

    def read(self, probe: Probe, **options: Any) -> Contents:
        value = probe.value
        named = (
            {type(value).__name__.lower(): value}
            if type(value).__name__ in _TYPES[:-1]
            else dict(value.items())
        )
        contents = Contents("pynapple")
        for name, item in named.items():
            item = value[name] if type(value).__name__ == "NWBFile" else item
            _add(contents, name, item)
        return contents


def _is_pynapple(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "pynapple" and type(value).__name__ in _TYPES


def _add(contents: Contents, name: str, item: Any) -> None:
    kind = type(item).__name__
    if kind == "TsGroup":
        keys = list(item.keys())
        support = np.stack([np.asarray(item.time_support.start), np.asarray(item.time_support.end)], axis=1)
        columns = {c: np.asarray(item[c]) for c in item.metadata_columns if c != "rate"}
        contents.units = ListUnits(
            [np.asarray(item[k].t) for k in keys], ids=np.array(keys), intervals=[support] * len(keys),
            columns=columns, where=name,
        )  # fmt: skip
    elif kind in ("Tsd", "TsdFrame"):
        role = "counts" if np.asarray(item.d[:1]).dtype.kind in "iu" and np.ndim(item.d) == 2 else "behavior"
        contents.series[name] = series_from(
            name, {"data": item.d, "times": item.t, "role": role, "kind": kind}
        )
    elif kind == "Ts":
        contents.tables[name] = table_from(name, {"time": np.asarray(item.t)})
    elif kind == "IntervalSet":
        columns = {"start_time": np.asarray(item.start), "stop_time": np.asarray(item.end)}
        for column in getattr(item, "metadata_columns", []):
            columns[column] = np.asarray(item[column])
        contents.tables[name] = table_from(name, columns)
