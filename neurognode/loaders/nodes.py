"""One face for a hierarchical file, so that a format's reader need not know what stores it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Node:
    """A group or a dataset inside a file.

    Readers use only this interface, so the NWB reader serves HDF5 and Zarr alike. Links are resolved by
    the node; one that cannot be followed counts as absent and leaves a line in `notes`.
    """

    path: str
    where: str
    notes: list[str]
    is_group: bool
    linked: bool = False
    target: str = ""

    def keys(self) -> list[str]:
        """Names of the children that are listed, whether or not they can be opened."""
        raise NotImplementedError

    def child(self, name: str) -> Node | None:
        """A child by name, or None if it is absent or cannot be opened."""
        raise NotImplementedError

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute with arrays of length 1 unwrapped and bytes decoded, or `default`."""
        raise NotImplementedError

    def attrs(self) -> list[str]:
        """Names of the attributes."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a dataset."""
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype:
        """Type of a dataset's entries."""
        raise NotImplementedError

    def read(self, selection: Any = ()) -> np.ndarray:
        """Entries of a dataset; refused before memory is taken where the shape cannot be true."""
        raise NotImplementedError

    def bounds(self, references: np.ndarray) -> np.ndarray | None:
        """Start and stop, shape (n, 2), of 1-D region references; None if they are something else."""
        return None

    @property
    def identity(self) -> Any:
        """The same for two paths to one object."""
        return self.path

    @property
    def chunk_bytes(self) -> int:
        """Bytes that are decoded to read one entry."""
        return 0

    def children(self) -> Iterator[tuple[str, Node]]:
        """Every child that can be opened."""
        for name in self.keys():
            node = self.child(name)
            if node is not None:
                yield name, node

    def find(self, path: str) -> Node | None:
        """A descendant by path, or None."""
        node: Node | None = self
        for part in path.strip("/").split("/"):
            if node is None or not node.is_group:
                return None
            node = node.child(part) if part else node
        return node

    def text(self, name: str, default: str = "") -> str:
        """A child dataset as text; "" where it is absent."""
        node = self.child(name) if self.is_group else None
        if node is None or node.is_group or int(np.prod(node.shape)) > 10_000:
            return default
        value = unwrap(node.read())
        return ", ".join(map(str, value)) if isinstance(value, np.ndarray) else str(value)


def unwrap(value: Any) -> Any:
    """Decode bytes and unwrap arrays of length 1, as early MatNWB wrote every attribute.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.nodes import unwrap
    >>> unwrap(np.array([b"Units"]))
    'Units'
    """
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return unwrap(value.reshape(-1)[0])
        return strings(value) if value.dtype.kind in "SO" else value
    if isinstance(value, np.generic):
        return unwrap(value.item()) if value.dtype.kind != "V" else value
    return value


def decode(value: bytes) -> str:
    """Bytes as text: UTF-8, or Latin-1 where that fails.

    Examples
    --------
    >>> from neurognode.loaders.nodes import decode
    >>> decode(b"\\xb5V")
    'µV'
    """
    try:
        return value.decode("utf-8").strip("\x00")
    except UnicodeDecodeError:
        return value.decode("latin-1").strip("\x00")


def strings(values: np.ndarray) -> np.ndarray:
    """Bytes and objects of an array as text; numbers stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.nodes import strings
    >>> strings(np.array([b"left", b"right"], object))
    array(['left', 'right'], dtype=object)
    """
    if values.dtype.kind == "S":
        values = values.astype(object)
    if values.dtype.kind != "O":
        return values
    flat = [decode(v) if isinstance(v, bytes) else v for v in values.reshape(-1)]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(values.shape)


def labels(values: np.ndarray) -> np.ndarray:
    """Object columns as text, so that they can be compared, saved and printed; numbers unchanged."""
    if values.dtype.kind != "O":
        return values
    if all(isinstance(v, (bool, np.bool_)) for v in values):
        return values.astype(bool)
    return np.array([v if isinstance(v, str) else str(v) for v in values], dtype=object).astype(str)
