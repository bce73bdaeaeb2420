"""Plain arrays: spike times, trials of counts, signals over time, or finished `Trials`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurognode.errors import RecordingError, listing
from neurognode.loaders.base import Aligned, Contents, ListUnits, Loader, Series, Table
from neurognode.loaders.probe import Probe
from neurognode.loaders.timeline import RegularTimeline, StampedTimeline, Timeline

_KEYS = (
    "spike_times", "trials", "tables", "series", "counts", "activity", "subject", "session", "obs_intervals",
    "unit_columns", "unit_ids", "inputs", "behavior", "columns", "observed", "lengths", "kind",
)  # fmt: skip


class Arrays(Loader):
    """Arrays in memory.

    A mapping may hold ``spike_times`` (a list of arrays, seconds), ``obs_intervals`` (a list of (k, 2)
    arrays), ``unit_ids``, ``unit_columns``, ``trials`` (a mapping of columns), ``tables`` (several of them),
    ``series`` (name to ``{"data": (time, channel), "times" or "rate" and "start", "unit", "role"}``); or data
    already cut: ``counts`` or ``activity`` (trial, time, unit) with ``inputs``, ``behavior``, ``observed``,
    ``lengths`` (bins of each trial) and ``columns``. A bare array of three axes is the latter. `Trials` come
    back as they are.
    """

    name = "arrays"
    options = ("bin_size", "kind")

    def recognises(self, probe: Probe) -> bool:
        value = probe.value
        if isinstance(value, Mapping) and not _is_dataset(value):
            return all(_is_plain(v) for v in (value, *value.values()))
        return isinstance(value, np.ndarray) or _is_dataset(value)

    def read(
        self, probe: Probe, *, bin_size: float | None = None, kind: str | None = None, **options: Any
    ) -> Contents:
        value = probe.value
        if _is_dataset(value):
            return from_trials(value)
        if isinstance(value, np.ndarray):
            value = {"counts" if value.dtype.kind in "iu" else "activity": value}
        unknown = [k for k in value if k not in _KEYS]
        if unknown:
            raise ValueError(f"arrays: {unknown[0]!r} is not known. {listing(unknown[0], _KEYS)}")
        if "counts" in value or "activity" in value:
            return _cut(value, bin_size, kind)
        return _continuous(value)


def _is_plain(value: Any) -> bool:
    """Whether a value is Python's own, or an array; what other packages define is left to plug-ins."""
    return type(value).__module__.split(".")[0] in ("builtins", "collections", "numpy", "xarray", "pandas")


def _is_dataset(value: Any) -> bool:
    return type(value).__name__ == "Dataset" and hasattr(value, "data_vars")


def from_trials(trials: Any) -> Contents:
    """Contents of finished `Trials`."""
    from neurognode.trials import validate

    validate(trials)
    name = "counts" if "counts" in trials else "activity"
    reserved = {"trial", "time", "unit", "absolute_time", "input", "covariate"}
    found: dict[str, Any] = {
        "units": {"unit": trials["unit"].values},
        "columns": {},
        "absolute_start": (trials["absolute_time"].values - trials["time"].values)[:, 0]
        if "absolute_time" in trials.coords
        else None,
        "attrs": {k: v for k, v in trials.attrs.items() if k not in ("bin_size", "activity_kind", "window")},
    }
    for key, coordinate in trials.coords.items():
        if key not in reserved and coordinate.dims in (("trial",), ("unit",)):
            found["columns" if coordinate.dims == ("trial",) else "units"][str(key)] = coordinate.values
    for key, labels in (("inputs", "input"), ("behavior", "covariate")):
        if key in trials:
            found[key] = trials[key].values
            found["input_names" if key == "inputs" else "covariate_names"] = [
                str(v) for v in trials[labels].values
            ]
    if "observed" in trials:
        found["observed"] = trials["observed"].values
    aligned = Aligned(
        load=lambda: trials[name].values, shape=trials[name].shape, kind=trials.attrs["activity_kind"],
        bin_size=float(trials.attrs["bin_size"]), start=float(trials["time"].values[0]),
        extras=lambda: {k: v for k, v in found.items() if v is not None},
        event=str(trials.attrs.get("event", "")) or "trial start", columns=tuple(found["columns"]),
    )  # fmt: skip
    return Contents("arrays", aligned=aligned)


def _cut(value: Mapping[str, Any], bin_size: float | None, kind: str | None) -> Contents:
    name = "counts" if "counts" in value else "activity"
    array = np.asarray(value[name])
    if array.ndim != 3 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must be numbers of shape (trial, time, unit), got {array.dtype} of {array.shape}."
        )
    kind = kind or str(value.get("kind", "counts" if name == "counts" else "continuous"))
    extras: dict[str, Any] = {"columns": dict(value.get("columns", {}))}
    if value.get("unit_columns"):
        extras["units"] = dict(value["unit_columns"])
    for key in ("inputs", "behavior", "observed"):
        if key in value:
            extras[key] = np.asarray(value[key])
    if "lengths" in value:
        extras["observed"] = within_length(np.asarray(value["lengths"]), array.shape[:2])
    for key in ("inputs", "behavior"):
        if key in extras and extras[key].shape[:2] != array.shape[:2]:
            raise ValueError(
                f"{key} must have shape ({array.shape[0]}, {array.shape[1]}, ...), got {extras[key].shape}."
            )
    aligned = Aligned(
        load=lambda: array, shape=array.shape, kind=kind, bin_size=bin_size, extras=lambda: dict(extras),
        columns=tuple(extras["columns"]),
    )  # fmt: skip
    return Contents("arrays", aligned=aligned)


def within_length(lengths: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Mask (trial, time) of bins before each trial's length."""
    if lengths.shape != shape[:1] or lengths.dtype.kind not in "iuf":
        raise RecordingError(
            f"lengths must hold one number for each of {shape[0]} trials, got shape {lengths.shape}"
        )
    return np.arange(shape[1])[None, :] < lengths[:, None]


def _continuous(value: Mapping[str, Any]) -> Contents:
    contents = Contents("arrays")
    spikes = value.get("spike_times")
    if spikes is not None:
        contents.units = ListUnits(
            list(spikes), ids=value.get("unit_ids"), intervals=value.get("obs_intervals"),
            columns=value.get("unit_columns"),
        )  # fmt: skip
    for name, columns in {
        **value.get("tables", {}),
        **({"trials": value["trials"]} if "trials" in value else {}),
    }.items():
        contents.tables[name] = table_from(name, columns)
    for name, given in value.get("series", {}).items():
        contents.series[name] = series_from(name, given)
    contents.subject = {k: str(v) for k, v in value.get("subject", {}).items()}
    contents.session = {k: str(v) for k, v in value.get("session", {}).items()}
    if contents.units is None and not contents.series and not contents.tables:
        raise ValueError(f"arrays: nothing to read. {listing('', _KEYS)}")
    return contents


def table_from(name: str, columns: Mapping[str, Any]) -> Table:
    """A table from columns of equal length.

    Raises
    ------
    ValueError
        If the columns differ in length.
    """
    arrays = {k: np.asarray(v) for k, v in columns.items()}
    sizes = {k: len(v) for k, v in arrays.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"the columns of {name} differ in length: {sizes}.")
    return Table(
        name,
        name,
        next(iter(sizes.values())),
        {k: functools.partial(np.asarray, v) for k, v in arrays.items()},
    )


def series_from(name: str, given: Mapping[str, Any]) -> Series:
    """A series from an array and its times (or rate and start)."""
    data = np.asarray(given["data"])
    make: Callable[[], Timeline]
    if given.get("times") is not None:
        stamps = np.asarray(given["times"], float)
        if len(stamps) != len(data):
            raise ValueError(f"series {name!r}: {len(data)} samples but {len(stamps)} times.")
        make = functools.partial(StampedTimeline, stamps)
    elif given.get("rate") is not None:
        make = functools.partial(
            RegularTimeline, float(given.get("start", 0.0)), float(given["rate"]), len(data)
        )
    else:
        raise ValueError(f"series {name!r} needs times, or rate (Hz) and start (s).")
    return Series(
        name, name, str(given.get("kind", "array")), str(given.get("role", "behavior")), data.shape,
        data.dtype, str(given.get("unit", "")), lambda rows: data[rows],
        make, angle=bool(given.get("angle", False)),
    )  # fmt: skip
