"""Zarr, by the conventions of xarray: what goes in comes out the same; needs the extra ``zarr``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import MissingExtraError, RecordingError
from neurognode.export.netcdf import gather, restored, storable
from neurognode.files import atomic_path
from neurognode.loaders.guard import reading

_DIMS = "_ARRAY_DIMENSIONS"
_COORDS = "coordinates"


def to_zarr(
    path: str | os.PathLike[str],
    data: Any,
    trials: xr.Dataset | None = None,
    verdicts: Any = None,
    portrait: Any = None,
    source: Any = None,
) -> Path:
    """Write a Dataset, a DataArray, or the results of a fit as a Zarr folder (format 2, any version of zarr).

    Parameters
    ----------
    path : path
        The new folder.
    data, trials
        As in `neurognode.export.to_netcdf`.
    verdicts, portrait, source
        Not written; every exporter takes them.

    Raises
    ------
    RecordingError
        If the folder exists.
    MissingExtraError
        If zarr is not installed.
    """
    zarr = _zarr()
    target = Path(path)
    if target.exists():
        raise RecordingError(
            "The folder exists already", where=str(target), hint="Remove it, or give another."
        )
    dataset = storable(gather(data, trials))
    with atomic_path(target) as temporary:
        newer = {"zarr_format": 2} if int(zarr.__version__.split(".")[0]) >= 3 else {}
        group = zarr.open_group(str(temporary), mode="w", **newer)
        for name, variable in dataset.variables.items():
            values = variable.values
            group[str(name)] = values.astype(str) if values.dtype.kind == "O" else values
            group[str(name)].attrs.update({_DIMS: list(variable.dims), **_plain(variable.attrs)})
        group.attrs.update({**_plain(dataset.attrs), _COORDS: [str(name) for name in dataset.coords]})
    return target


def from_zarr(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what `to_zarr` wrote, whole and into memory.

    Raises
    ------
    RecordingError
        If the folder cannot be read.
    """
    zarr = _zarr()
    with reading(os.fspath(path), "the Zarr folder"):
        group = zarr.open_group(os.fspath(path), mode="r")
        variables = {}
        for name, array in group.arrays():
            attrs = dict(array.attrs)
            variables[name] = (tuple(attrs.pop(_DIMS)), np.asarray(array[...]), attrs)
        attrs = dict(group.attrs)
        coords = attrs.pop(_COORDS)
        data = {name: variable for name, variable in variables.items() if name not in coords}
        return restored(xr.Dataset(data, {name: variables[name] for name in coords}, attrs))


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError("zarr", "zarr") from error
    return zarr


def _plain(attrs: Any) -> dict[str, Any]:
    """Attributes as JSON has them."""
    found = {}
    for key, value in attrs.items():
        found[str(key)] = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    return found
