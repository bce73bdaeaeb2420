"""Walk an NWB file once and list what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Contents, Loader, Units
from neurognode.loaders.formats.nwb.series import is_series, read_series
from neurognode.loaders.formats.nwb.tables import one_per_row, read_compound, read_table
from neurognode.loaders.formats.nwb.units import NwbUnits, from_clustering
from neurognode.loaders.nodes import Node
from neurognode.loaders.probe import Probe

_PLACES = (
    "intervals",
    "processing",
    "acquisition",
    "stimulus",
    "analysis",
    "units",
    "trials",
    "epochs",
    "scratch",
)
_MAX_OBJECTS = 50_000
_MAX_DEPTH = 10


class NWB(Loader):
    """Neurodata Without Borders 2.0b to 2.10 in HDF5; 1.x is refused by name."""

    name = "nwb"

    def recognises(self, probe: Probe) -> bool:
        return probe.is_hdf5 and looks_like_nwb(probe.root)

    def read(self, probe: Probe, **options: Any) -> Contents:
        contents = read_nwb(probe.root)
        contents.close = probe.close
        return contents


def looks_like_nwb(root: Node) -> bool:
    """Whether a root group is NWB's, of any version."""
    if "nwb_version" in root.attrs() or root.attr("neurodata_type") == "NWBFile":
        return True
    names = set(root.keys())
    return "nwb_version" in names or {"acquisition", "general", "session_start_time"} <= names


@dataclass
class _Found:
    series: dict[str, tuple[Node, tuple[str, ...]]] = field(default_factory=dict)
    tables: list[Node] = field(default_factory=list)
    units: list[Node] = field(default_factory=list)
    clusterings: list[Node] = field(default_factory=list)
    links: list[tuple[Node, tuple[str, ...]]] = field(default_factory=list)
    seen: set[Any] = field(default_factory=set)


def read_nwb(root: Node) -> Contents:
    """What an NWB file holds, given its root; used for HDF5 and for Zarr.

    Raises
    ------
    RecordingError
        For NWB 1.x, and where nothing can be read.
    """
    version = str(root.attr("nwb_version") or root.text("nwb_version"))
    if version.upper().startswith("NWB-1") or version.startswith("1."):
        raise RecordingError(
            f"This is NWB 1 ({version}), which came before NWB 2 and is laid out differently",
            where=root.where.rstrip(":/"),
            hint="Convert it to NWB 2, or read its datasets by a mapping (mapping=...).",
        )
    found = _Found()
    for place in _PLACES:
        node = root.child(place)
        if node is not None:
            _walk(node, (), found)
    while found.links:
        _walk(*found.links.pop(0), found)
    contents = Contents("nwb", version, notes=root.notes, root=root)
    contents.electrodes = _electrodes(root)
    for node in found.tables:
        _add_table(contents, node)
    for name, (node, inside) in _unique(found.series).items():
        try:
            contents.series[name] = read_series(node, name, inside, version)
        except RecordingError as error:
            root.notes.append(f"{node.path}: left out ({error.what})")
    contents.units = _units(found, contents)
    contents.session = _session(root)
    subject = root.find("general/subject")
    if subject is not None:
        keys = (
            "subject_id",
            "species",
            "sex",
            "age",
            "genotype",
            "strain",
            "weight",
            "date_of_birth",
            "description",
        )
        contents.subject = {k: t for k in keys if (t := subject.text(k))}
    return contents


def _walk(node: Node, inside: tuple[str, ...], found: _Found) -> None:
    if node.identity in found.seen or len(inside) > _MAX_DEPTH or len(found.seen) > _MAX_OBJECTS:
        return
    found.seen.add(node.identity)
    if not node.is_group:
        if {"start_time", "stop_time"} <= set(node.dtype.names or ()):
            found.tables.append(node)
        return
    kind = str(node.attr("neurodata_type", ""))
    name = node.path.rsplit("/", 1)[-1]
    children = set(node.keys())
    if kind == "Units" or (name == "units" and "spike_times" in children):
        found.units.append(node)
    elif "colnames" in node.attrs() or kind in ("TimeIntervals", "DynamicTable") or name == "trials":
        found.tables.append(node)
    elif is_series(node):
        found.series[node.path] = (node, inside)
    else:
        if kind == "Clustering":
            found.clusterings.append(node)
        label = name if kind in ("ProcessingModule", "") else kind
        for _, child in node.children():
            if child.linked:
                found.links.append((child, (*inside, label)))
            else:
                _walk(child, (*inside, label), found)


def _unique(found: dict[str, tuple[Node, tuple[str, ...]]]) -> dict[str, tuple[Node, tuple[str, ...]]]:
    """Name each series by as much of its path as tells it from the others."""
    taken: dict[str, tuple[Node, tuple[str, ...]]] = {}
    paths = [p.strip("/").split("/") for p in found]
    for path, value in found.items():
        parts = path.strip("/").split("/")
        depth = 1
        while depth < len(parts) and sum(p[-depth:] == parts[-depth:] for p in paths) > 1:
            depth += 1
        taken["/".join(parts[-depth:])] = value
    return taken


def _add_table(contents: Contents, node: Node) -> None:
    name = node.path.rsplit("/", 1)[-1]
    if name in contents.tables:
        name = "/".join(node.path.split("/")[-2:])
    try:
        table = read_table(node, name) if node.is_group else read_compound(node, name)
    except RecordingError as error:
        contents.notes.append(f"{node.path}: left out ({error.what})")
        return
    if table is not None and len(table):
        contents.tables[name] = table
    elif table is not None:
        contents.notes.append(f"{node.path}: the table is empty")


def _units(found: _Found, contents: Contents) -> Units | None:
    """The units table at /units, or the only one elsewhere, or an old clustering."""
    nodes = sorted(found.units, key=lambda n: n.path != "/units")
    for node in nodes:
        try:
            units = NwbUnits(node, contents.electrodes)
        except RecordingError as error:
            contents.notes.append(f"{node.path}: the units cannot be used. {error.what}")
            continue
        if len(units):
            if node.path != "/units":
                contents.notes.append(f"the units were found in {node.path}")
            return units
        contents.notes.append(f"{node.path}: the table of units is empty")
    for node in found.clusterings:
        clustered = from_clustering(node)
        if clustered is not None:
            contents.notes.append(
                f"there is no table of units; they were built from the clustering in {node.path}"
            )
            return clustered
    return None


def _electrodes(root: Node) -> dict[str, np.ndarray]:
    table = root.find("general/extracellular_ephys/electrodes")
    if table is None:
        return {}
    if not table.is_group:
        return {}
    ids = table.child("id")
    if ids is None or ids.is_group or len(ids.shape) != 1:
        return {}
    return one_per_row(table, ids.shape[0], skip=("group",))


def _session(root: Node) -> dict[str, str]:
    keys = {
        "description": "session_description", "start_time": "session_start_time", "identifier": "identifier",
        "session_id": "general/session_id", "lab": "general/lab", "institution": "general/institution",
        "experiment": "general/experiment_description",
    }  # fmt: skip
    found = {}
    for label, path in keys.items():
        *folders, last = path.split("/")
        node = root.find("/".join(folders)) if folders else root
        if node is not None and (text := node.text(last)):
            found[label] = text
    return found
