"""TimeSeries of an NWB file, of every family and of extensions: judged by what they hold."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Series
from neurognode.loaders.nodes import Node
from neurognode.loaders.timeline import RegularTimeline, Timeline, stamped

_RADIANS = ("rad", "radian", "radians", "deg", "degree", "degrees")
_ANGLE_NAME = re.compile(r"heading|direction|angle|orientation|azimuth|phase|theta", re.IGNORECASE)
_EVENT_NAME = re.compile(r"event|ttl|marker|(^|_)licks?(_|$)", re.IGNORECASE)
_COUNT_NAME = re.compile(r"spike|count|binned|firing|mua", re.IGNORECASE)
_CALCIUM_KIND = ("RoiResponseSeries", "FiberPhotometryResponseSeries", "DfOverF", "Fluorescence")
_BEHAVIOR_KIND = (
    "SpatialSeries",
    "CompassDirection",
    "Position",
    "BehavioralTimeSeries",
    "PupilTracking",
    "EyeTracking",
)


def is_series(node: Node) -> bool:
    """Whether a group is a series: it has samples or stamps, or its type says so."""
    if not node.is_group:
        return False
    kind = str(node.attr("neurodata_type", ""))
    names = set(node.keys())
    if "data" in names and names & {"timestamps", "starting_time"}:
        return True
    if not kind.endswith("Series") or kind == "BehavioralTimeSeries":
        return False
    return bool(names & {"data", "timestamps", "starting_time", "external_file"}) or not names


def read_series(node: Node, name: str, inside: tuple[str, ...], version: str) -> Series:
    """Describe one series; a series that cannot be used says why in `problem`.

    Parameters
    ----------
    node : Node
        Its group.
    name : str
        Short unique name.
    inside : tuple of str
        Types of the containers around it, and the name of its module.
    version : str
        NWB version of the file.
    """
    kind = str(node.attr("neurodata_type", "TimeSeries"))
    data, stamps, start = (node.child(k) for k in ("data", "timestamps", "starting_time"))
    common: dict[str, Any] = {
        "name": name, "path": node.path, "kind": kind, "description": str(node.attr("description", "") or ""),
        "make_timeline": functools.partial(_timeline, None, None, 0, node.where),
    }  # fmt: skip
    if data is None or data.is_group or 0 in data.shape or data.shape == ():
        why = "its images are in other files" if node.child("external_file") is not None else "it has no data"
        return Series(
            **common,
            role="other",
            shape=(0,),
            dtype=np.dtype(float),
            unit="",
            read_rows=_nothing,
            problem=why,
        )
    axis = _time_axis(node, data, stamps, kind, version)
    shape = (data.shape[axis], *(s for i, s in enumerate(data.shape) if i != axis))
    unit = str(data.attr("unit", "") or "")
    role = _role(node, kind, inside, name, unit, data, shape)
    common["make_timeline"] = functools.partial(_timeline, stamps, start, shape[0], node.where)
    series = Series(
        **common, role=role, shape=shape, dtype=data.dtype, unit=unit,
        read_rows=functools.partial(_rows, data, axis),
        angle=_is_angle(unit, name, inside), channels=_channels(node, shape),
        problem=_problem(data, stamps, start, shape),
    )  # fmt: skip
    series.scale, series.shift = (1.0, 0.0) if role == "counts" else _scaling(node, data, series.n_channels)
    if series.angle and unit.lower().startswith("deg"):
        series.scale, series.shift, series.unit = (
            series.scale * np.pi / 180,
            series.shift * np.pi / 180,
            "radians",
        )
    return series


def _nothing(rows: Any) -> np.ndarray:
    return np.empty(0)


def _rows(data: Node, axis: int, rows: Any) -> np.ndarray:
    if isinstance(rows, np.ndarray) and len(rows):
        low, high = int(rows.min()), int(rows.max()) + 1
        block = _rows(data, axis, slice(low, high))
        return block[rows - low]
    block = data.read((slice(None),) * axis + (rows,))
    return np.moveaxis(block, axis, 0)


def _timeline(stamps: Node | None, start: Node | None, n: int, where: str) -> Timeline:
    if stamps is not None and not stamps.is_group:
        count = min(stamps.shape[0] if stamps.shape else 0, n)
        return stamped(lambda s: stamps.read(s).astype(np.float64), count)
    if start is None:
        raise RecordingError("The series has neither time stamps nor a rate", where=where)
    rate, first = start.attr("rate"), start.read().reshape(-1)
    if not isinstance(rate, (int, float)) or len(first) != 1:
        raise RecordingError("The series has a starting time but no rate", where=where)
    return RegularTimeline(float(first[0]), float(rate), n)


def _problem(data: Node, stamps: Node | None, start: Node | None, shape: tuple[int, ...]) -> str:
    if data.dtype.kind not in "fiub":
        return f"it holds {data.dtype}, not numbers"
    if stamps is None and start is None:
        return "it has neither time stamps nor a rate"
    if stamps is not None and not stamps.is_group:
        n = stamps.shape[0] if stamps.shape else 0
        if n != shape[0]:
            return f"it has {shape[0]} samples but {n} time stamps"
        if stamps.dtype.kind not in "fiu":
            return f"its time stamps are {stamps.dtype}, not numbers"
    return ""


def _time_axis(node: Node, data: Node, stamps: Node | None, kind: str, version: str) -> int:
    """Axis of time: 0, except where the 2.0b draft let MatNWB write (channels, time)."""
    if len(data.shape) != 2:
        return 0
    n = stamps.shape[0] if stamps is not None and stamps.shape else None
    if n is not None:
        return 1 if data.shape[0] != n and data.shape[1] == n else 0
    if kind == "ElectricalSeries" and version == "2.0b" and data.shape[0] * 4 <= data.shape[1]:
        node.notes.append(f"{node.path}: data of shape {data.shape} are read as (channels, time)")
        return 1
    return 0


def _role(
    node: Node, kind: str, inside: tuple[str, ...], name: str, unit: str, data: Node, shape: tuple[int, ...]
) -> str:
    around = (kind, *inside)
    if "Image" in kind or kind in ("OpticalSeries", "TwoPhotonSeries", "OnePhotonSeries", "ImageMaskSeries"):
        return "image"
    if kind in ("AnnotationSeries", "IntervalSeries") or "BehavioralEvents" in around:
        return "events"
    if len(shape) == 1 and _EVENT_NAME.search(name) and node.child("timestamps") is not None:
        return "events"
    if any(k in around for k in _CALCIUM_KIND):
        return "calcium"
    if any(k in around for k in _BEHAVIOR_KIND) or "behavior" in inside:
        return "behavior"
    if kind == "ElectricalSeries" or "LFP" in around or node.child("electrodes") is not None:
        return "electrical"
    countable = data.dtype.kind in "iu" or unit.lower() in ("count", "counts", "spikes", "spike")
    named = unit.lower() in ("count", "counts", "spikes", "spike", "spikes/bin") or bool(
        _COUNT_NAME.search(name)
    )
    return "counts" if countable and named and len(shape) == 2 else "other"


def _is_angle(unit: str, name: str, inside: tuple[str, ...]) -> bool:
    if unit.lower() not in _RADIANS:
        return False
    return "CompassDirection" in inside or bool(_ANGLE_NAME.search(name))


def _scaling(node: Node, data: Node, channels: int) -> tuple[float | np.ndarray, float]:
    """Factor and shift that turn stored numbers into the unit the file names."""
    factor, shift = data.attr("conversion", 1.0), data.attr("offset", 0.0)
    factor = (
        float(factor) if isinstance(factor, (int, float)) and np.isfinite(factor) and factor != 0 else 1.0
    )
    shift = float(shift) if isinstance(shift, (int, float)) and np.isfinite(shift) else 0.0
    each = node.child("channel_conversion")
    if each is not None and not each.is_group and each.shape == (channels,):
        return factor * each.read().astype(float), shift
    return factor, shift


def _channels(node: Node, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Rows of the electrode or ROI table behind each column, where the file says."""
    if len(shape) != 2:
        return {}
    for key, label in (("rois", "roi"), ("electrodes", "electrode")):
        region = node.child(key)
        if (
            region is not None
            and not region.is_group
            and region.shape == (shape[1],)
            and region.dtype.kind in "iu"
        ):
            return {label: region.read()}
    return {}
