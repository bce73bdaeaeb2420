"""NWB in Zarr, as hdmf-zarr writes it; needs the extra ``zarr``."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.errors import MissingExtraError, RecordingError
from neurognode.loaders.base import Contents, Loader
from neurognode.loaders.formats.nwb.reader import looks_like_nwb, read_nwb
from neurognode.loaders.guard import check_bytes, reading
from neurognode.loaders.nodes import Node, strings, unwrap
from neurognode.loaders.probe import Probe


class NWBZarr(Loader):
    """A folder that holds an NWB file in Zarr."""

    name = "nwb_zarr"

    def recognises(self, probe: Probe) -> bool:
        if probe.path is None or not probe.path.is_dir():
            return False
        return any((probe.path / name).exists() for name in (".zgroup", "zarr.json", ".zmetadata"))

    def read(self, probe: Probe, **options: Any) -> Contents:
        try:
            import zarr
        except ImportError as error:
            raise MissingExtraError("zarr", "zarr") from error
        try:
            with reading(probe.name, "the Zarr folder"):
                root = ZarrNode(zarr.open(str(probe.path), mode="r"), "/", probe.name, [])
        except RecordingError as error:
            newer = int(zarr.__version__.split(".")[0]) >= 3
            hint = "hdmf-zarr writes for zarr 2: pip install 'zarr<3' reads it." if newer else error.hint
            raise RecordingError(error.what, where=error.where, hint=hint) from error
        if not looks_like_nwb(root):
            raise RecordingError("The Zarr folder is not NWB", where=probe.name)
        contents = read_nwb(root)
        contents.format = "nwb_zarr"
        return contents


class ZarrNode(Node):
    """A group or array of a Zarr store; hdmf-zarr's links are attributes of the group."""

    def __init__(self, item: Any, path: str, name: str, notes: list[str], root: Any = None) -> None:
        self.item, self.path, self.name, self.notes = item, path, name, notes
        self.is_group = not hasattr(item, "dtype")
        self.where = f"{name}:{path}"
        self.root = item if root is None else root

    def keys(self) -> list[str]:
        if not self.is_group:
            return []
        return [*self.item.keys(), *(link["name"] for link in self.item.attrs.get("zarr_link", []))]

    def child(self, name: str) -> ZarrNode | None:
        path = f"{self.path.rstrip('/')}/{name}"
        if not self.is_group:
            return None
        for link in self.item.attrs.get("zarr_link", []):
            if link["name"] == name:
                if link.get("source", ".") not in (".", "", None):
                    self.notes.append(f"{path}: a link to another file ({link['source']}) was not followed")
                    return None
                target = self._at(link["path"].strip("/"))
                node = None if target is None else ZarrNode(target, path, self.name, self.notes, self.root)
                if node is not None:
                    node.linked = True
                return node
        target = self._get(self.item, name)
        return None if target is None else ZarrNode(target, path, self.name, self.notes, self.root)

    def _at(self, path: str) -> Any:
        return self._get(self.root, path)

    def _get(self, group: Any, name: str) -> Any:
        try:
            return group[name]
        except (KeyError, ValueError, OSError):
            return None

    def attrs(self) -> list[str]:
        return list(self.item.attrs)

    def attr(self, name: str, default: Any = None) -> Any:
        if name not in self.item.attrs:
            return default
        value = self.item.attrs[name]
        return unwrap(np.array(value, dtype=object)) if isinstance(value, list) else value

    @property
    def identity(self) -> Any:
        return str(getattr(self.item, "path", self.path))

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.is_group or self.attr("zarr_dtype") == "scalar" else tuple(self.item.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.item.dtype)

    def read(self, selection: Any = ()) -> np.ndarray:
        with reading(self.where, "the data"):
            if any("pickle" in str(codec).lower() for codec in _codecs(self.item)):
                raise RecordingError("The data are pickled objects, which are never loaded", where=self.where)
            check_bytes(int(np.prod(self.item.shape, dtype=object)) * self.item.dtype.itemsize, self.where)
            return strings(np.asarray(self.item[selection if selection != () else ...]))


def _codecs(item: Any) -> list[Any]:
    """Everything that is done to an array's bytes when they are read, in any version of zarr."""
    found: list[Any] = []
    for name in ("filters", "compressor", "compressors", "serializer"):
        try:
            value = getattr(item, name, None)
        except TypeError:
            continue
        found += list(value) if isinstance(value, (list, tuple)) else [value]
    return found
