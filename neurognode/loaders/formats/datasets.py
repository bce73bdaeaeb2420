"""Datasets as the program that wrote them saw them; MATLAB reverses axes and points at cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.errors import RecordingError, listing
from neurognode.loaders.guard import reading
from neurognode.loaders.hdf5 import H5Node
from neurognode.loaders.nodes import strings

_LISTED = 200


class Datasets:
    """Arrays by path.

    Parameters
    ----------
    root : H5Node
        Root of the file.
    matlab : bool
        Whether MATLAB wrote it: axes in reverse, text as numbers, cells as references.
    """

    def __init__(self, root: H5Node, matlab: bool) -> None:
        self.root, self.matlab = root, matlab

    def listed(self) -> list[str]:
        """Path, shape and type of every dataset, a line each."""
        lines: list[str] = []

        def visit(node: H5Node) -> None:
            if len(lines) < _LISTED and not (self.matlab and node.path.startswith("/#refs#")):
                shape = node.shape[::-1] if self.matlab else node.shape
                kind = node.attr("MATLAB_class") if self.matlab else None
                lines.append(f"{node.path.strip('/')} {shape} {kind or node.dtype}")

        self.root.walk(visit)
        return lines

    def numbers(self) -> dict[str, tuple[int, ...]]:
        """Shape of every dataset of numbers, by path."""
        found: dict[str, tuple[int, ...]] = {}

        def visit(node: H5Node) -> None:
            path = node.path.strip("/")
            if len(found) < _LISTED and not path.startswith("#refs#") and node.dtype.kind in "fiu":
                found[path] = self.shape(path)

        self.root.walk(visit)
        return found

    def node(self, path: str) -> H5Node:
        """A dataset or group; names the nearest where there is none."""
        found = self.root.find(path)
        if not isinstance(found, H5Node):
            names = [line.split(" (")[0] for line in self.listed()]
            raise RecordingError(
                f"There is no dataset {path!r}", where=self.root.where, hint=listing(path, names)
            )
        return found

    def where(self, path: str) -> str:
        """File and path, for messages."""
        return self.node(path).where

    def shape(self, path: str) -> tuple[int, ...]:
        """Shape, without MATLAB's axes of length 1 on vectors."""
        shape = self._dataset(path).shape
        shape = shape[::-1] if self.matlab else shape
        return tuple(s for s in shape if s != 1) if self.matlab and len(shape) == 2 and 1 in shape else shape

    def dtype(self, path: str) -> np.dtype:
        """Type of a dataset."""
        return self._dataset(path).dtype

    def _dataset(self, path: str) -> H5Node:
        node = self.node(path)
        if node.is_group:
            raise RecordingError(f"{path!r} is a group, not a dataset", where=node.where)
        return node

    def array(self, path: str) -> np.ndarray:
        """A whole dataset as its writer saw it; cells of text become text."""
        return self._value(self._dataset(path))

    def _value(self, node: H5Node) -> np.ndarray:
        values = node.read()
        if self.matlab and node.attr("MATLAB_empty"):
            return np.empty(0)
        if self.matlab and node.attr("MATLAB_class") == "char":
            return np.array(["".join(map(chr, column)) for column in np.atleast_2d(values.T)])
        if self.matlab and values.dtype.kind == "O":
            parts = [self._value(self._target(r, node)) for r in values.T.reshape(-1)]
            if all(p.size == 1 for p in parts):
                return np.array([p.reshape(-1)[0] for p in parts])
            out = np.empty(len(parts), object)
            out[:] = parts
            return out
        values = strings(values)
        if values.dtype.kind == "O":
            values = values.astype(str)
        return (
            np.squeeze(values.T)
            if self.matlab and values.ndim == 2 and 1 in values.shape
            else self._turn(values)
        )

    def _turn(self, values: np.ndarray) -> np.ndarray:
        return values.T if self.matlab else values

    def _target(self, reference: Any, node: H5Node) -> H5Node:
        path = node.path_of(reference)
        if not path:
            raise RecordingError("A cell points nowhere", where=node.where)
        found = self.node(path)
        if found.is_group:
            raise RecordingError("A cell holds a struct where an array was expected", where=node.where)
        return found

    def vector(self, path: str) -> np.ndarray:
        """A dataset as one axis of numbers."""
        values = self.array(path)
        if values.dtype.kind not in "fiub":
            raise RecordingError(f"{path!r} holds {values.dtype}, not numbers", where=self.where(path))
        return values.reshape(-1)

    def lists(self, path: str) -> list[np.ndarray]:
        """One array per unit: datasets of a group in order of name, entries of a cell, or one dataset."""
        node = self.node(path)
        if node.is_group:
            names = sorted(node.keys(), key=_natural)
            return [self.vector(f"{path.rstrip('/')}/{name}") for name in names]
        values = self.array(path)
        if values.dtype == object:
            return [np.asarray(v, dtype=float).reshape(-1) for v in values]
        return [values.astype(float).reshape(-1)]

    def rows(self, path: str, axis: int, rows: Any) -> np.ndarray:
        """Samples of a dataset along its axis of time, time first."""
        node = self._dataset(path)
        rank = len(node.shape)
        kept = self.shape(path)
        if self.matlab and rank == 2 and len(kept) == 1:
            return self.array(path).reshape(-1)[rows]
        stored = rank - 1 - axis if self.matlab else axis
        with reading(node.where, "samples"):
            if isinstance(rows, np.ndarray):
                low, high = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
                block = node.read((slice(None),) * stored + (slice(low, high),))
                return np.moveaxis(block, stored, 0)[rows - low]
            return np.moveaxis(node.read((slice(None),) * stored + (rows,)), stored, 0)


def _natural(name: str) -> tuple[int, str]:
    """Names that are numbers in order of number."""
    digits = "".join(c for c in name if c.isdigit())
    return (int(digits) if digits else 0, name)
