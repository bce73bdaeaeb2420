"""Trials in a file that are never in memory all at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import xarray as xr

from neurognode import trials as schema
from neurognode.errors import RecordingError
from neurognode.files import atomic_path
from neurognode.models.data import Batch
from neurognode.models.recorded import Recorded

_VARIABLES = ("counts", "activity", "observed", "inputs")
_FORMAT = "neurognode.trials"


class StoredTrials:
    """Trials of one session in an HDF5 file, read a batch at a time; `LatentDynamics.fit` takes them.

    Parameters
    ----------
    path : path
        File that `write` made.

    Raises
    ------
    RecordingError
        If the file is missing or not one of these.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from neurognode.models import LatentDynamics, StoredTrials
    >>> from neurognode.trials import make_trials
    >>> rng = np.random.default_rng(0)
    >>> pieces = (make_trials(rng.poisson(0.5, (10, 20, 6)), bin_size=0.01) for _ in range(3))
    >>> stored = StoredTrials.write(pathlib.Path(tempfile.mkdtemp()) / "trials.h5", pieces)
    >>> len(stored)
    30
    >>> model = LatentDynamics(2, max_steps=2, progress=False, random_state=0).fit(stored)
    >>> [model.transform(piece).shape for piece in stored.pieces(20)]
    [(20, 20, 2), (10, 20, 2)]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with h5py.File(self.path) as file:
                if file.attrs.get("format") != _FORMAT:
                    raise RecordingError("Not a file of stored trials", where=os.fspath(path))
                self.units = _decoded(file["unit"][()])
                self.input_names = [str(n) for n in _decoded(file["input_names"][()])]
                self.bin_size, self.start = float(file.attrs["bin_size"]), float(file.attrs["start"])
                self.kind, self.count = str(file.attrs["kind"]), len(file["absolute_start"])
        except OSError as error:
            raise RecordingError(f"Cannot be read ({error})", where=os.fspath(path)) from error

    def __len__(self) -> int:
        return self.count

    @classmethod
    def write(cls, path: str | os.PathLike[str], pieces: Iterable[xr.Dataset]) -> StoredTrials:
        """Write trials that come piece by piece, of the same units, bins and inputs, into one file.

        Raises
        ------
        ValueError
            If a piece does not fit the ones before, or there is none.
        """
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            for index, piece in enumerate(pieces):
                schema.validate(piece)
                if not index:
                    _begin(file, piece)
                _append(file, piece, index)
            if "absolute_start" not in file:
                raise ValueError("There are no trials to write.")
        return cls(path)

    def take(self, indices: np.ndarray | Sequence[int]) -> xr.Dataset:
        """The trials at `indices`, in their order, as `Trials` in memory."""
        wanted = np.asarray(indices, np.int64)
        places, back = np.unique(wanted, return_inverse=True)
        with h5py.File(self.path) as file:
            found: dict[str, Any] = {n: file[n][places][back] for n in _VARIABLES if n in file}
            absolute = file["absolute_start"][places][back]
        values = found.pop("counts") if "counts" in found else found.pop("activity")
        if "inputs" in found:
            found["input_names"] = self.input_names
        return schema.make_trials(
            values, bin_size=self.bin_size, start=self.start, kind=self.kind, units={"unit": self.units},
            absolute_start=absolute, **found,
        )  # fmt: skip

    def pieces(self, size: int = 256) -> Iterator[xr.Dataset]:
        """All trials, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))


class StoredTensors:
    """Batches for training, read from the file when they are asked for.

    Parameters
    ----------
    stored : StoredTrials
        The file.
    recorded : Recorded
        What is known of the session.
    names : sequence of str
        External inputs.
    drift : bool
        Whether trials need their place in the session.
    indices : array of int
        Trials of the file to use.
    """

    def __init__(
        self, stored: StoredTrials, recorded: Recorded, names: Sequence[str], drift: bool, indices: np.ndarray
    ) -> None:
        self.stored, self.recorded, self.names = stored, recorded, names
        self.drift, self.indices = drift, indices

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: torch.Tensor, device: torch.device | str = "cpu") -> Batch:
        """The trials at `indices`, cut to the longest of them."""
        trials = self.stored.take(self.indices[indices.numpy()])
        tensors = self.recorded.tensors(trials, self.names, drift=self.drift, session=0)
        return tensors.batch(torch.arange(len(tensors)), device)


def _begin(file: h5py.File, piece: xr.Dataset) -> None:
    names = [str(n) for n in piece["input"].values] if "inputs" in piece else []
    file.attrs.update(
        format=_FORMAT, bin_size=float(piece.attrs["bin_size"]), kind=str(piece.attrs["activity_kind"]),
        start=float(piece["time"].values[0]),
    )  # fmt: skip
    units = piece["unit"].values
    file["unit"] = units if units.dtype.kind in "iuf" else units.astype("S")
    file["input_names"] = np.array(names, "S")
    for name in _VARIABLES:
        if name in piece:
            shape = piece[name].shape[1:]
            file.create_dataset(
                name, (0, *shape), piece[name].dtype, maxshape=(None, *shape), chunks=(1, *shape)
            )
    file.create_dataset("absolute_start", (0,), float, maxshape=(None,))


def _append(file: h5py.File, piece: xr.Dataset, index: int) -> None:
    parts = {name: piece[name].values for name in _VARIABLES if name in piece}
    parts["absolute_start"] = piece["absolute_time"].values[:, 0] - file.attrs["start"]
    missing = [name for name in _VARIABLES if (name in file) != (name in parts)]
    if missing or any(file[name].shape[1:] != value.shape[1:] for name, value in parts.items()):
        raise ValueError(f"Piece {index} of the trials has other units, bins or variables than the first.")
    for name, value in parts.items():
        before = len(file[name])
        file[name].resize(before + len(value), axis=0)
        file[name][before:] = value


def _decoded(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind == "S" else values
