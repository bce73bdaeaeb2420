"""What a new NWB file takes over from the recording: session, subject, electrodes, units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from neurognode.errors import NeurognodeError
from neurognode.loaders.base import Units
from neurognode.loaders.nodes import Node
from neurognode.loaders.recording import Recording

_MOST_SPIKES = 50_000_000


@dataclass
class Source:
    """Facts of the recording that the results belong to."""

    session: dict[str, str] = field(default_factory=dict)
    subject: dict[str, str] = field(default_factory=dict)
    electrodes: dict[str, np.ndarray] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    units: Units | None = None
    problem: str = ""


def read_source(source: Any) -> Source:
    """Facts of a recording, open or by path; one that cannot be opened leaves a sentence in `problem`."""
    from neurognode.loaders import open_recording

    if not source:
        return Source(problem="the recording is not known")
    try:
        recording = source if isinstance(source, Recording) else open_recording(source)
    except NeurognodeError as error:
        return Source(problem=f"the recording cannot be opened: {error}")
    contents = recording.contents
    units = contents.units
    if units is not None and int(units.counts().sum()) > _MOST_SPIKES:
        units = None
    groups = _groups(contents.root) if contents.root is not None else {}
    return Source(dict(contents.session), dict(contents.subject), dict(contents.electrodes), groups, units)


def _groups(root: Node) -> dict[str, dict[str, str]]:
    """Description, location and device of every electrode group."""
    place = root.find("general/extracellular_ephys")
    if place is None:
        return {}
    found = {}
    for name, node in place.children():
        if node.is_group and str(node.attr("neurodata_type", "")).endswith("ElectrodeGroup"):
            device = node.child("device")
            found[name] = {
                "description": str(node.attr("description", "") or "no description"),
                "location": str(node.attr("location", "") or "unknown"),
                "device": getattr(device, "target", "").rsplit("/", 1)[-1] or "device",
            }
    return found


def start_time(text: str) -> datetime | None:
    """A session's start with a time zone (UTC where the file gives none), or None if it cannot be read.

    Examples
    --------
    >>> from neurognode.export.source import start_time
    >>> start_time("2017-06-27T09:35:49-05:00").year
    2017
    """
    cleaned = text.strip().replace("Z", "+00:00").replace(" ", "T")
    compact = re.fullmatch(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})", cleaned)
    if compact:
        cleaned = "{}-{}-{}T{}:{}:{}".format(*compact.groups())
    try:
        found = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
