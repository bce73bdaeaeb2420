"""netCDF: what goes in comes out the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode.export.results import collect
from neurognode.files import atomic_path
from neurognode.loaders.guard import reading

_COMPLEX = "_is_complex_pair"


def to_netcdf(
    path: str | os.PathLike[str],
    data: Any,
    trials: xr.Dataset | None = None,
    verdicts: Any = None,
    portrait: Any = None,
    source: Any = None,
) -> Path:
    """Write a Dataset, a DataArray, or the results of a fit as netCDF 4.

    Parameters
    ----------
    path : path
        The new file.
    data : Dataset, DataArray, or fitted model
        What to write. Of a model, `trials` are written with its ``latents`` and ``rates`` beside them.
    trials : Dataset, optional
        The `Trials` to export, where `data` is a model or latents.
    verdicts, portrait : optional
        Written to files beside it, named ``*_verdicts.nc`` and ``*_portrait.nc``.
    source : optional
        Not used; every exporter takes it.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.export import from_netcdf, to_netcdf
    >>> trials = make_trials(np.ones((2, 3, 1), int), bin_size=0.1)
    >>> written = to_netcdf(pathlib.Path(tempfile.mkdtemp()) / "a.nc", trials)
    >>> from_netcdf(written).identical(trials)
    True
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        storable(gather(data, trials)).to_netcdf(temporary, engine="h5netcdf")
    for name, result in (("verdicts", verdicts), ("portrait", portrait)):
        parts = result if name == "portrait" and isinstance(result, (list, tuple)) else [result]
        for k, part in enumerate(p for p in parts if p is not None):
            number = f"_{k}" if len(parts) > 1 else ""
            part.save(target.with_name(f"{target.stem}_{name}{number}.nc"))
    return target


def from_netcdf(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what `to_netcdf` wrote, whole and into memory.

    Raises
    ------
    RecordingError
        If the file cannot be read.
    """
    with reading(os.fspath(path), "the netCDF file"), xr.open_dataset(path, engine="h5netcdf") as dataset:
        return restored(dataset.load())


def gather(data: Any, trials: xr.Dataset | None) -> xr.Dataset:
    """A Dataset of what is to be written: as given, or `trials` with a fit's latents and rates."""
    if isinstance(data, xr.Dataset):
        return data
    if isinstance(data, xr.DataArray) and trials is None:
        return data.to_dataset(name=str(data.name or "data"))
    if trials is None:
        raise ValueError("to_netcdf needs the trials that the model's results belong to.")
    results = collect(data, trials)
    out = trials.copy()
    out["latents"] = (("trial", "time", "latent"), results.latents.values)
    if results.spread is not None:
        out["latents_std"] = (("trial", "time", "latent"), results.spread)
    if results.rates is not None:
        out["rates"] = (("trial", "time", "unit"), results.rates.values)
    if results.weight is not None and results.bias is not None:
        out["loading"] = (("unit", "latent"), results.weight)
        out["baseline"] = (("unit",), results.bias)
    return out


def storable(dataset: xr.Dataset) -> xr.Dataset:
    """Complex numbers as pairs, attributes as text, numbers or lists of them."""
    out = dataset.copy()
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "c":
            pair = np.stack([variable.values.real, variable.values.imag], axis=-1)
            out = out.drop_vars([name])
            out[name] = ((*variable.dims, "complex_part"), pair, {**variable.attrs, _COMPLEX: 1})
    for name in out.variables:
        out[name].attrs = _attributes(out[name].attrs)
    out.attrs = _attributes(dataset.attrs)
    return out


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    found = {}
    for key, value in attrs.items():
        plain = isinstance(value, (str, int, float, np.number, list, tuple, np.ndarray)) and not isinstance(
            value, bool
        )
        if value is not None:
            found[str(key)] = value if plain else str(value)
    return found


def restored(dataset: xr.Dataset) -> xr.Dataset:
    """Undo `storable`."""
    for name in list(dataset.variables):
        if dataset[name].attrs.get(_COMPLEX):
            pair = dataset[name]
            attrs = {k: v for k, v in pair.attrs.items() if k != _COMPLEX}
            joined = pair.values[..., 0] + 1j * pair.values[..., 1]
            dataset = dataset.drop_vars([name]).assign({name: (pair.dims[:-1], joined, attrs)})
    for key, value in dataset.attrs.items():
        if isinstance(value, np.ndarray):
            dataset.attrs[key] = value.tolist()
    return dataset
