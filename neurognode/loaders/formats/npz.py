"""NumPy archives: FINDR's layout, trials of a signal, or trials one after another with their lengths."""

from __future__ import annotations

import functools
import zipfile
from typing import Any, cast

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Aligned, Contents, Loader
from neurognode.loaders.formats.arrays import within_length
from neurognode.loaders.guard import check_bytes, reading
from neurognode.loaders.probe import Probe

_FINDR_BIN = 0.01


class Npz(Loader):
    """An ``.npz`` file.

    FINDR's: ``spikes (trial, time, unit)``, ``externalinputs`` or ``clicks``, ``lengths``, ``times``,
    ``choices``; its bins are 10 ms. Any other: the first array of three axes, or an array of two axes with
    ``lengths`` that add up to its first. Arrays with one value per trial become columns. Pickled objects are
    never loaded.
    """

    name = "npz"
    options = ("bin_size",)

    def recognises(self, probe: Probe) -> bool:
        if probe.path is None or not probe.head.startswith(b"PK"):
            return False
        with reading(probe.name, "the archive"), zipfile.ZipFile(probe.path) as archive:
            return any(n.endswith(".npy") for n in archive.namelist())

    def read(self, probe: Probe, *, bin_size: float | None = None, **options: Any) -> Contents:
        shapes = _headers(str(probe.path))
        read = functools.partial(_load, str(probe.path), shapes)
        if "spikes" in shapes and len(shapes["spikes"][0]) == 3:
            return _findr(shapes, read, _FINDR_BIN if bin_size is None else bin_size)
        cubes = [k for k, (s, d) in shapes.items() if len(s) == 3 and d.kind in "fiu" and 0 not in s]
        if cubes:
            return _cube(cubes[0], shapes, read, bin_size)
        if "lengths" in shapes:
            return _joined(shapes, read, bin_size, probe.name)
        listed = ", ".join(f"{k} {s}" for k, (s, _) in shapes.items()) or "none"
        raise RecordingError(
            f"The archive holds no trials: its arrays are {listed}",
            where=probe.name,
            hint="An array (trial, time, unit) named spikes would be read.",
        )


_Headers = dict[str, tuple[tuple[int, ...], np.dtype]]


def _headers(path: str) -> _Headers:
    """Shape and type of every array, from the first bytes of each."""
    found: _Headers = {}
    with reading(path, "the archive"), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            with archive.open(info) as stream:
                version = np.lib.format.read_magic(stream)
                header = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(stream)
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if dtype.kind != "O" and size > info.file_size:
                raise RecordingError(
                    f"The array {info.filename[:-4]!r} claims {size:,} bytes but stores {info.file_size:,}",
                    where=path,
                )
            found[info.filename[:-4]] = (shape, dtype)
    return found


def _load(path: str, shapes: _Headers, name: str) -> np.ndarray:
    shape, dtype = shapes[name]
    if dtype.kind == "O":
        raise RecordingError(f"The array {name!r} holds pickled objects, which are never loaded", where=path)
    check_bytes(int(np.prod(shape, dtype=object)) * dtype.itemsize, path, what=f"array {name!r}")
    with reading(path, f"the array {name!r}"), np.load(path, allow_pickle=False) as archive:
        return archive[name]


def _columns(shapes: _Headers, n: int, skip: tuple[str, ...]) -> list[str]:
    return [k for k, (s, d) in shapes.items() if s == (n,) and d.kind in "fiubUS" and k not in skip]


def _findr(shapes: _Headers, read: Any, bin_size: float) -> Contents:
    shape = shapes["spikes"][0]
    inputs = next(
        (k for k in ("externalinputs", "clicks") if k in shapes and shapes[k][0][:2] == shape[:2]), None
    )

    def extras() -> dict[str, Any]:
        names = _columns(shapes, shape[0], ("lengths", "times"))
        out: dict[str, Any] = {"columns": {k: read(k) for k in names}}
        if "lengths" in shapes:
            out["observed"] = within_length(read("lengths"), shape)
        if "times" in shapes and shapes["times"][0] == (shape[0],):
            out["absolute_start"] = read("times").astype(float)
        if inputs is not None:
            out["inputs"] = read(inputs)
            out["input_names"] = [f"{inputs}_{i}" for i in range(shapes[inputs][0][2])]
        return out

    def values() -> np.ndarray:
        spikes = read("spikes")
        return (
            spikes.astype(np.int32)
            if spikes.dtype.kind == "f" and np.all(spikes == np.round(spikes))
            else spikes
        )

    notes = [f"the file does not say how wide its bins are: FINDR's {bin_size:g} s is taken"]
    aligned = Aligned(
        load=values, shape=cast("tuple[int, int, int]", shape), kind="counts", bin_size=bin_size,
        extras=extras, columns=tuple(_columns(shapes, shape[0], ("lengths", "times"))),
    )  # fmt: skip
    return Contents("npz", version="FINDR", aligned=aligned, notes=notes)


def _cube(name: str, shapes: _Headers, read: Any, bin_size: float | None) -> Contents:
    """Trials of any signal; rows of exact zeros at the end of some trials are padding."""
    shape, dtype = shapes[name]
    names = _columns(shapes, shape[0], ("lengths",))

    def extras() -> dict[str, Any]:
        out: dict[str, Any] = {"columns": {k: read(k) for k in names}}
        if "lengths" in shapes and shapes["lengths"][0] == (shape[0],):
            out["observed"] = within_length(read("lengths"), shape)
        elif dtype.kind == "f":
            empty = ~(read(name) != 0).any(axis=2)
            real = shape[1] - np.argmax(~empty[:, ::-1], axis=1)
            out["observed"] = within_length(np.where(empty.all(1), 0, real), shape)
        return out

    kind = "counts" if dtype.kind in "iu" else "continuous"
    aligned = Aligned(
        load=lambda: read(name),
        shape=cast("tuple[int, int, int]", shape),
        kind=kind,
        bin_size=bin_size,
        extras=extras,
        columns=tuple(names),
    )
    notes = []
    if bin_size is None:
        notes.append("the file does not say how wide its bins are: give bin_size in seconds")
    if dtype.kind == "f" and "lengths" not in shapes:
        notes.append("rows of exact zeros at the end of a trial are padding and count as not observed")
    return Contents("npz", aligned=aligned, notes=notes)


def _joined(shapes: _Headers, read: Any, bin_size: float | None, where: str) -> Contents:
    """Trials of different length, one after another."""
    lengths = read("lengths")
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths) or (lengths < 0).any():
        raise RecordingError("lengths must be whole numbers, one for each trial", where=where)
    total = int(lengths.sum())
    name = next(
        (k for k, (s, d) in shapes.items() if len(s) == 2 and s[0] == total and d.kind in "fiu"), None
    )
    if name is None:
        raise RecordingError(f"No array has {total:,} rows, the sum of lengths", where=where)
    n, longest, width = len(lengths), int(lengths.max()), shapes[name][0][1]
    check_bytes(n * longest * width * 8, where, what=f"trials of shape ({n}, {longest}, {width})")
    starts = np.cumsum(lengths) - lengths
    names = _columns(shapes, n, ("lengths",))

    def values() -> np.ndarray:
        flat = read(name)
        out = np.zeros((n, longest, width), np.float32 if flat.dtype == np.float16 else flat.dtype)
        for i, (start, length) in enumerate(zip(starts, lengths)):
            out[i, :length] = flat[start : start + length]
        return out

    def extras() -> dict[str, Any]:
        return {"columns": {k: read(k) for k in names}, "observed": within_length(lengths, (n, longest))}

    aligned = Aligned(
        load=values, shape=(n, longest, width),
        kind="counts" if shapes[name][1].kind in "iu" else "continuous",
        bin_size=bin_size, extras=extras, columns=tuple(names),
    )  # fmt: skip
    notes = (
        []
        if bin_size is not None
        else ["the file does not say how wide its bins are: give bin_size in seconds"]
    )
    return Contents("npz", aligned=aligned, notes=notes)
