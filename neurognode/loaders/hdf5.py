"""`Node` over h5py: links checked before they are followed, sizes before they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.guard import check_bytes, reading
from neurognode.loaders.nodes import Node, unwrap

_MAX_LINKS = 32
_MAX_CHUNK = 512 << 20
_MAX_LINE = 300
_BROKEN = (KeyError, RuntimeError, OSError, ValueError, TypeError, OverflowError, SystemError, AttributeError)


def open_hdf5(source: Any, name: str, *, allow_external: bool = False) -> H5Node:
    """Open an HDF5 file (a path or a file object) for reading and return its root.

    Raises
    ------
    RecordingError
        If it is damaged, cut short, or still being written.

    Examples
    --------
    >>> import h5py, tempfile, os
    >>> from neurognode.loaders.hdf5 import open_hdf5
    >>> path = os.path.join(tempfile.mkdtemp(), "a.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["x"] = [1, 2]
    >>> root = open_hdf5(path, "a.h5")
    >>> root.child("x").shape
    (2,)
    >>> root.close()
    """
    try:
        file = _opened(source)
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:_MAX_LINE]
        if "write" in reason and "access" in reason:
            hint = (
                "It is still open for writing; close the program that writes it, or run h5clear -s on a copy."
            )
        elif "truncated" in reason:
            hint = "The file is cut short: copy or download it again."
        else:
            hint = "The file is damaged: copy or download it again."
        raise RecordingError(f"Cannot open the HDF5 file: {reason}", where=name, hint=hint) from error
    return H5Node(file["/"], "/", _Context(file, name, allow_external))


def _opened(source: Any) -> h5py.File:
    """Open for reading; where the file system cannot lock (read-only or network disks), without a lock."""
    try:
        return h5py.File(source, "r", rdcc_nbytes=8 << 20)
    except OSError as error:
        if "lock" not in str(error) or not isinstance(source, str) or "flag values" in str(error):
            raise
    return h5py.File(source, "r", rdcc_nbytes=8 << 20, locking=False)


class _Context:
    """What the nodes of one file share."""

    def __init__(self, file: h5py.File, name: str, allow_external: bool) -> None:
        self.file, self.name, self.allow_external = file, name, allow_external
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 200:
            self.notes.append(text)


class H5Node(Node):
    """A group or dataset of an HDF5 file."""

    def __init__(self, item: h5py.Group | h5py.Dataset, path: str, context: _Context) -> None:
        self.item, self.path, self.context = item, path, context
        self.is_group = isinstance(item, h5py.Group)
        self.notes = context.notes
        self.where = f"{context.name}:{path}"

    def close(self) -> None:
        """Close the file."""
        self.context.file.close()

    def keys(self) -> list[str]:
        if not self.is_group:
            return []
        names: list[str] = []
        try:
            names.extend(self.item)
        except _BROKEN as error:
            self.context.note(f"{self.path}: some entries cannot be listed ({_line(error)})")
        return names

    def child(self, name: str) -> H5Node | None:
        return self._follow(self.item, name, f"{self.path.rstrip('/')}/{name}", 0)

    def _follow(self, group: Any, name: str, path: str, depth: int) -> H5Node | None:
        if depth > _MAX_LINKS or not isinstance(group, h5py.Group):
            if depth > _MAX_LINKS:
                self.context.note(f"{path}: the links go in a circle")
            return None
        try:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink) and not self.context.allow_external:
                self.context.note(
                    f"{path}: a link to another file ({link.filename}) was not followed; "
                    "allow_external=True follows it"
                )
                return None
            if isinstance(link, h5py.SoftLink):
                return self._soft(group, link.path, path, depth)
            if link is None:
                return None
            item = group[name]
        except _BROKEN as error:
            if name in self._listed(group):
                self.context.note(f"{path}: cannot be opened ({_line(error)})")
            return None
        if not isinstance(item, (h5py.Group, h5py.Dataset)):
            return None
        return H5Node(item, path, self.context)

    @staticmethod
    def _listed(group: h5py.Group) -> list[str]:
        try:
            return list(group)
        except _BROKEN:
            return []

    def _soft(self, group: h5py.Group, target: str, path: str, depth: int) -> H5Node | None:
        node: H5Node | None = H5Node(
            self.context.file["/"] if target.startswith("/") else group, path, self.context
        )
        for part in [p for p in target.split("/") if p and p != "."]:
            node = node._follow(node.item, part, path, depth + 1) if node is not None else None
        if node is None:
            self.context.note(f"{path}: the link to {target} leads nowhere")
            return None
        node.linked, node.target = True, target
        return node

    def attrs(self) -> list[str]:
        try:
            return list(self.item.attrs)
        except _BROKEN:
            return []

    def attr(self, name: str, default: Any = None) -> Any:
        try:
            if name not in self.item.attrs:
                return default
            space = h5py.h5a.open(self.item.id, name.encode()).get_space().shape or ()
            if int(np.prod(space, dtype=object)) > 1_000_000:
                return default
            return unwrap(self.item.attrs[name])
        except (*_BROKEN, MemoryError):
            self.context.note(f"{self.path}: the attribute {name} cannot be read")
            return default

    @property
    def shape(self) -> tuple[int, ...]:
        with reading(self.where, "the shape"):
            return tuple(self.item.shape or ()) if not self.is_group else ()

    @property
    def dtype(self) -> np.dtype:
        with reading(self.where, "the type of the data"):
            return self.item.dtype

    @property
    def identity(self) -> Any:
        try:
            info = h5py.h5o.get_info(self.item.id)
            return (info.fileno, info.addr)
        except _BROKEN:
            return self.path

    @property
    def chunk_bytes(self) -> int:
        chunks = self.item.chunks
        return int(np.prod(chunks, dtype=object)) * self.item.dtype.itemsize if chunks else 0

    def read(self, selection: Any = ()) -> np.ndarray:
        with reading(self.where, "the data"):
            self._check_storage()
            shape = self.item.shape
            if shape is None:
                raise RecordingError("The dataset is empty", where=self.where)
            wanted = _selected(shape, selection) * max(self.item.dtype.itemsize, 1)
            check_bytes(wanted, self.where, stored=max(self.item.id.get_storage_size(), 1))
            return np.asarray(self.item[selection])

    def _check_storage(self) -> None:
        """Refuse data kept in other files, and chunks larger than any that a program writes."""
        if not self.context.allow_external:
            elsewhere = [e[0] for e in (self.item.external or ())]
            if self.item.is_virtual:
                elsewhere += [v.file_name for v in self.item.virtual_sources() if v.file_name != "."]
            if elsewhere:
                raise RecordingError(
                    f"The data are in another file ({elsewhere[0]})",
                    where=self.where,
                    hint="allow_external=True reads it.",
                )
        if self.chunk_bytes > _MAX_CHUNK:
            raise RecordingError(f"One chunk claims {self.chunk_bytes / 1e9:.1f} GB", where=self.where)

    def bounds(self, references: np.ndarray) -> np.ndarray | None:
        flat = references.reshape(-1)
        if not len(flat) or not all(isinstance(r, h5py.RegionReference) for r in flat):
            return None
        with reading(self.where, "its region references"):
            spaces = [h5py.h5r.get_region(r, self.context.file.id) for r in flat]
            found = [s.get_select_bounds() for s in spaces]
            out = np.array([[low[0], high[0] + 1] for low, high in found], dtype=np.int64)
            if any(s.get_select_npoints() != b - a for s, (a, b) in zip(spaces, out)):
                raise RecordingError("Region references with holes are not supported", where=self.where)
            return out

    def path_of(self, reference: Any) -> str:
        """Path of the object that an object reference points to, or ""."""
        try:
            return str(self.context.file[reference].name) if reference else ""
        except _BROKEN:
            return ""

    def walk(self, visit: Callable[[H5Node], None], depth: int = 12) -> None:
        """Call `visit` on every dataset below, each object once."""
        seen: set[Any] = set()
        stack: list[tuple[H5Node, int]] = [(self, 0)]
        while stack and len(seen) < 100_000:
            node, level = stack.pop()
            if node.identity in seen or level > depth:
                continue
            seen.add(node.identity)
            if not node.is_group:
                visit(node)
                continue
            stack.extend((c, level + 1) for n in reversed(node.keys()) if (c := node.child(n)) is not None)


def _selected(shape: tuple[int, ...], selection: Any) -> int:
    """Entries that a selection of slices, integers and index arrays takes from a shape."""
    parts = selection if isinstance(selection, tuple) else (selection,)
    total = 1
    for axis, size in enumerate(shape):
        part = parts[axis] if axis < len(parts) else slice(None)
        if isinstance(part, slice):
            total *= len(range(*part.indices(size)))
        elif isinstance(part, np.ndarray):
            total *= int(part.sum()) if part.dtype == bool else part.size
        elif part is Ellipsis:
            total *= size
    return total


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MAX_LINE]
