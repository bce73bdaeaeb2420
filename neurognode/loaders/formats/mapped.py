"""HDF5 of any layout, MATLAB v7.3 included, by a small mapping that says which dataset is what.

A mapping is a dict or a YAML file::

    activity: {path: gcamp/trace_array, kind: calcium, time_axis: 0}
    times: timing/timestamp_confocal          # or {start: 0.0, rate: 20.0}
    behavior:
      velocity: behavior/velocity
      heading: {path: behavior/heading, unit: rad, angle: true}
    tables:
      reversals:
        start_time: {path: behavior/reversal_events, row: 0, as: samples}
        stop_time: {path: behavior/reversal_events, row: 1, as: samples}

``spike_times`` names a group or MATLAB cell with one list of times per unit, or ``{path, index}`` for one
long list with the end of each unit's part; ``trials`` is short for a table of that name; ``cut`` is ``{path,
axes: [trial, time, unit], kind, bin_size}`` for data that are trials already. ``as: samples`` turns positions
in ``times`` into seconds (``base: 1`` where they count from 1). Columns of text may be MATLAB's or HDF5's. In
MATLAB files axes are as in MATLAB.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurognode.errors import RecordingError, listing
from neurognode.loaders.base import Aligned, Contents, ListUnits, Loader, Series, Table
from neurognode.loaders.formats.datasets import Datasets
from neurognode.loaders.formats.guess import guess_mapping
from neurognode.loaders.guard import reading
from neurognode.loaders.probe import Probe
from neurognode.loaders.timeline import RegularTimeline, Timeline, stamped

SIDECAR = ".mapping.yaml"
"""A mapping in a file of the recording's name with this ending is used without being asked for."""
_KEYS = (
    "activity",
    "times",
    "behavior",
    "series",
    "spike_times",
    "unit_columns",
    "tables",
    "trials",
    "cut",
    "subject",
)
_SERIES_KEYS = ("path", "kind", "time_axis", "times", "unit", "angle", "scale")
_COLUMN_KEYS = ("path", "row", "column", "as", "base", "scale")


class HDF5(Loader):
    """Any HDF5 or MATLAB v7.3 file; without a mapping it opens and lists its datasets."""

    name = "hdf5"

    def recognises(self, probe: Probe) -> bool:
        return probe.is_hdf5

    def read(self, probe: Probe, **options: Any) -> Contents:
        if not probe.is_hdf5:
            raise RecordingError("The file is not HDF5, so a mapping cannot be used", where=probe.name)
        matlab = probe.head.startswith(b"MATLAB 7.3")
        files = Datasets(probe.root, matlab)
        contents = Contents("matlab" if matlab else "hdf5", notes=probe.root.notes, close=probe.close)
        mapping = probe.mapping
        beside = probe.path.with_suffix(SIDECAR) if probe.path is not None else None
        if mapping is None and beside is not None and beside.is_file():
            mapping = beside
            contents.notes.append(f"what is what was read from {beside.name}")
        if mapping is None:
            contents.datasets = files.listed()
            contents.guess = guess_mapping(files, files.numbers())
            contents.notes.append(
                "the layout is not known: say which dataset is what by mapping=... (see the list)"
            )
            return contents
        if mapping is not beside and beside is not None:
            contents.notes.append(f"saved as {beside.name}, the mapping is found by every command")
        _Reader(files, load_mapping(mapping), contents).fill()
        return contents


def load_mapping(mapping: Any) -> dict[str, Any]:
    """A mapping from a dict or a YAML file, with its keys checked.

    Raises
    ------
    ValueError
        If a key is unknown; names the nearest.
    RecordingError
        If the YAML file cannot be read.

    Examples
    --------
    >>> from neurognode.loaders.formats.mapped import load_mapping
    >>> load_mapping({"activty": "x"})
    Traceback (most recent call last):
    ...
    ValueError: mapping: 'activty' is not known. Allowed: 'activity', 'times', 'behavior', 'series', 'spike_times', 'unit_columns', 'tables', 'trials', 'cut', 'subject'. Did you mean 'activity'?
    """  # noqa: E501
    if isinstance(mapping, (str, os.PathLike)):
        import yaml

        with reading(os.fspath(mapping), "the mapping"), open(mapping, encoding="utf-8") as stream:
            mapping = yaml.safe_load(stream)
    if not isinstance(mapping, Mapping):
        raise ValueError(f"mapping must be a dict or a YAML file of one, got {type(mapping).__name__}.")
    for key in mapping:
        if key not in _KEYS:
            raise ValueError(f"mapping: {key!r} is not known. {listing(key, _KEYS)}")
    return dict(mapping)


def _checked(given: Any, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    found = {"path": given} if isinstance(given, str) else dict(given)
    for key in found:
        if key not in keys:
            raise ValueError(f"mapping: {what} has {key!r}, which is not known. {listing(key, keys)}")
    if "path" not in found:
        raise ValueError(f"mapping: {what} names no dataset (path).")
    return found


class _Reader:
    """Fills `Contents` as a mapping says."""

    def __init__(self, files: Datasets, mapping: dict[str, Any], contents: Contents) -> None:
        self.files, self.mapping, self.contents = files, mapping, contents

    def fill(self) -> None:
        """Everything the mapping names; a dataset that is not there is an error at once."""
        mapping, contents = self.mapping, self.contents
        if "activity" in mapping:
            spec = _checked(mapping["activity"], _SERIES_KEYS, "activity")
            contents.series["activity"] = self._series("activity", {"kind": "calcium", **spec})
        for key in ("behavior", "series"):
            for name, given in dict(mapping.get(key, {})).items():
                spec = _checked(given, _SERIES_KEYS, name)
                contents.series[name] = self._series(name, {"kind": "behavior", **spec})
        if "spike_times" in mapping:
            contents.units = self._units(mapping["spike_times"])
        tables = dict(mapping.get("tables", {}))
        if "trials" in mapping:
            tables["trials"] = mapping["trials"]
        for name, columns in tables.items():
            contents.tables[name] = self._table(name, columns)
        if "cut" in mapping:
            contents.aligned = self._cut(dict(mapping["cut"]))
        contents.subject = {k: str(v) for k, v in dict(mapping.get("subject", {})).items()}

    def _series(self, name: str, spec: dict[str, Any]) -> Series:
        shape, dtype = self.files.shape(spec["path"]), self.files.dtype(spec["path"])
        axis = int(spec.get("time_axis", 0))
        if dtype.kind not in "fiub" or not 1 <= len(shape) <= 2 or not -len(shape) <= axis < len(shape):
            raise RecordingError(
                f"mapping: {name} must be numbers with one or two axes and time_axis one of them, "
                f"got {dtype} of {shape}",
                where=self.files.where(spec["path"]),
            )
        axis %= len(shape)
        ordered = (shape[axis], *(s for i, s in enumerate(shape) if i != axis))
        kind = str(spec["kind"])
        role = {"counts": "counts", "calcium": "calcium", "continuous": "electrical"}.get(kind, kind)
        return Series(
            name, spec["path"], "dataset", role, ordered, dtype, str(spec.get("unit", "")),
            functools.partial(self.files.rows, spec["path"], axis),
            functools.partial(self._timeline, spec.get("times"), ordered[0], name),
            angle=bool(spec.get("angle", False)), scale=float(spec.get("scale", 1.0)),
        )  # fmt: skip

    def _timeline(self, given: Any, n: int, name: str) -> Timeline:
        times = given if given is not None else self.mapping.get("times")
        if isinstance(times, Mapping) and "rate" in times:
            return RegularTimeline(float(times.get("start", 0.0)), float(times["rate"]), n)
        if times is None:
            raise ValueError(
                f"mapping: {name} has no times; add times: a dataset, or {{start: 0.0, rate: 20.0}}."
            )
        spec = _checked(times, ("path", "scale"), "times")
        size = int(np.prod(self.files.shape(spec["path"])))
        if size != n:
            raise RecordingError(f"mapping: {name} has {n} samples but {spec['path']} has {size} times")
        scale = float(spec.get("scale", 1.0))
        return stamped(lambda s: self.files.vector(spec["path"])[s] * scale, n)

    def _units(self, given: Any) -> ListUnits:
        if isinstance(given, Mapping) and "index" in given:
            flat, stops = (self.files.vector(given[k]) for k in ("path", "index"))
            bounds = np.concatenate([[0], stops.astype(np.int64)])
            if (np.diff(bounds) < 0).any() or bounds[-1] > len(flat):
                raise RecordingError(
                    "mapping: the index of spike_times does not fit", where=str(given["index"])
                )
            spikes = [flat[a:b] for a, b in itertools.pairwise(bounds)]
        else:
            paths = (
                [given]
                if isinstance(given, str)
                else list(given)
                if not isinstance(given, Mapping)
                else [given["path"]]
            )
            spikes = [part for path in paths for part in self.files.lists(str(path))]
        columns = {k: self._column(v, None) for k, v in dict(self.mapping.get("unit_columns", {})).items()}
        return ListUnits(spikes, columns=columns, where=str(given))

    def _table(self, name: str, columns: Mapping[str, Any]) -> Table:
        arrays = {k: self._column(v, k) for k, v in columns.items()}
        sizes = {k: len(v) for k, v in arrays.items()}
        if len(set(sizes.values())) != 1:
            raise RecordingError(f"mapping: the columns of {name} differ in length: {sizes}")
        return Table(
            name,
            name,
            next(iter(sizes.values())),
            {k: functools.partial(np.asarray, v) for k, v in arrays.items()},
        )

    def _column(self, given: Any, name: str | None) -> np.ndarray:
        spec = _checked(given, _COLUMN_KEYS, name or "a column")
        values = self.files.array(spec["path"])
        for key, axis in (("row", 0), ("column", 1)):
            if key in spec:
                if values.ndim != 2 or not 0 <= int(spec[key]) < values.shape[axis]:
                    raise RecordingError(
                        f"mapping: {spec['path']} of shape {values.shape} has no {key} {spec[key]}"
                    )
                values = np.take(values, int(spec[key]), axis=axis)
        values = values.reshape(-1)
        if spec.get("as") == "samples":
            return self._at_samples(values, int(spec.get("base", 0)), spec["path"])
        return values * float(spec["scale"]) if "scale" in spec else values

    def _at_samples(self, values: np.ndarray, base: int, path: str) -> np.ndarray:
        """Seconds of sample numbers; one past the last sample is the end of the record."""
        times = self.mapping.get("times")
        if times is None:
            raise ValueError(f"mapping: {path} is given as samples, which needs times.")
        if isinstance(times, Mapping) and "rate" in times:
            return float(times.get("start", 0.0)) + (values - base) / float(times["rate"])
        spec = _checked(times, ("path", "scale"), "times")
        stamps = self.files.vector(spec["path"]).astype(float) * float(spec.get("scale", 1.0))
        stamps = np.append(stamps, stamps[-1] + np.median(np.diff(stamps)))
        at = values.astype(np.int64) - base
        if len(at) and (at.min() < 0 or at.max() >= len(stamps)):
            raise RecordingError(f"mapping: {path} points outside the {len(stamps) - 1} samples of times")
        return stamps[at]

    def _cut(self, spec: dict[str, Any]) -> Aligned:
        path, axes = str(spec.get("path", "")), list(spec.get("axes", ("trial", "time", "unit")))
        if sorted(axes) != ["time", "trial", "unit"]:
            raise ValueError(
                f"mapping: cut.axes={axes!r} must be trial, time and unit in the order of the dataset."
            )
        shape = self.files.shape(path)
        if len(shape) != 3 or self.files.dtype(path).kind not in "fiu":
            raise RecordingError(
                f"mapping: cut must be numbers with three axes, got shape {shape}", where=path
            )
        order = [axes.index(a) for a in ("trial", "time", "unit")]
        bin_size = spec.get("bin_size")
        return Aligned(
            load=lambda: np.transpose(self.files.array(path), order),
            shape=(shape[order[0]], shape[order[1]], shape[order[2]]), kind=str(spec.get("kind", "counts")),
            bin_size=None if bin_size is None else float(bin_size),
        )  # fmt: skip
