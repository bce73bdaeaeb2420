"""Nested frozen dataclasses of arrays and scalars <-> one xarray Dataset <-> one netCDF file. No pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurognode.files import atomic_path

HEADER = "neurognode"


def to_dataset(value: Any, dims: Mapping[str, tuple[str, ...]], version: int) -> xr.Dataset:
    """A dataclass as a Dataset: arrays become variables named by their path, the rest a JSON attribute.

    Parameters
    ----------
    value : dataclass
        Fields may be arrays, numbers, text, None, and lists, dicts and dataclasses of these.
    dims : mapping
        Path -> names of dimensions, where they have a meaning.
    version : int
        Schema version, kept in the attribute ``schema_version``.
    """
    variables: dict[str, Any] = {}
    tree = _pack(value, "", variables, dims)
    header = json.dumps(tree, allow_nan=True)
    return xr.Dataset(
        variables, attrs={"schema_version": version, "kind": type(value).__name__, HEADER: header}
    )


def from_dataset(dataset: xr.Dataset, classes: Mapping[str, type]) -> Any:
    """The dataclass that `to_dataset` was given. `classes` maps the names that may occur to classes."""
    return _unpack(json.loads(dataset.attrs[HEADER]), dataset, classes)


def write(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write netCDF by way of a temporary name; complex variables as two real ones."""
    plain = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "c":
            plain[f"{name}_real"] = (variable.dims, variable.values.real)
            plain[f"{name}_imag"] = (variable.dims, variable.values.imag)
        else:
            plain[str(name)] = (variable.dims, variable.values)
    packed = {
        name: {"zlib": True}
        for name, (_, values) in plain.items()
        if values.dtype.kind in "fiub" and values.size
    }
    with atomic_path(path) as temporary:
        xr.Dataset(plain, attrs=dataset.attrs).to_netcdf(temporary, engine="h5netcdf", encoding=packed)


def read(path: str | os.PathLike[str], kind: str, version: int) -> xr.Dataset:
    """Read what `write` wrote.

    Raises
    ------
    RunError
        If it is no such file, or from a newer version.
    """
    from neurognode.errors import RunError

    try:
        with xr.open_dataset(path, engine="h5netcdf") as source:
            dataset = source.load()
    except (OSError, ValueError) as error:
        raise RunError(f"{os.fspath(path)} cannot be read as netCDF: {error}") from error
    if dataset.attrs.get("kind") != kind or HEADER not in dataset.attrs:
        raise RunError(
            f"{os.fspath(path)} holds no {kind}, but {dataset.attrs.get('kind', 'something else')}."
        )
    if int(dataset.attrs["schema_version"]) > version:
        raise RunError(
            f"{os.fspath(path)} has schema version {dataset.attrs['schema_version']}; this neurognode reads up to "
            f"{version}. Upgrade neurognode to read it."
        )
    for name in [str(n) for n in dataset.variables if str(n).endswith("_imag")]:
        stem = name.removesuffix("_imag")
        dataset[stem] = dataset[f"{stem}_real"] + 1j * dataset[name]
        dataset = dataset.drop_vars([name, f"{stem}_real"])
    return dataset


def _pack(value: Any, path: str, variables: dict[str, Any], dims: Mapping[str, tuple[str, ...]]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in fields(value) if f.repr]
        inner = {n: _pack(getattr(value, n), f"{path}.{n}".strip("."), variables, dims) for n in kept}
        return {"class": type(value).__name__, "fields": inner}
    if isinstance(value, np.ndarray):
        names = dims.get(path, tuple(f"{path}_{i}" for i in range(value.ndim)))
        variables[path] = (names, value.astype(object) if value.dtype.kind == "U" else value)
        return {"array": path, "dtype": value.dtype.kind}
    if isinstance(value, list | tuple):
        items = [_pack(item, f"{path}.{i}", variables, dims) for i, item in enumerate(value)]
        return {"list": items}
    if isinstance(value, Mapping):
        return {"dict": {str(k): _pack(v, f"{path}.{k}", variables, dims) for k, v in value.items()}}
    return value.item() if isinstance(value, np.generic) else value


def _unpack(tree: Any, dataset: xr.Dataset, classes: Mapping[str, type]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        values = dataset[tree["array"]].values
        return (
            values.astype(str)
            if tree["dtype"] == "U"
            else values.astype(tree["dtype"])
            if values.size == 0
            else (values.astype(bool) if tree["dtype"] == "b" else values)
        )
    if "list" in tree:
        return tuple(_unpack(item, dataset, classes) for item in tree["list"])
    if "dict" in tree:
        return {key: _unpack(item, dataset, classes) for key, item in tree["dict"].items()}
    made = classes[tree["class"]]
    inner = {key: _unpack(item, dataset, classes) for key, item in tree["fields"].items()}
    return made.restore(**inner) if hasattr(made, "restore") else made(**inner)
