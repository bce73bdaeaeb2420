"""Results in files that other programs read: NWB, netCDF, Zarr, and HDF5 in the layout of LFADS.

The file a recording came from is never changed.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "to_nwb": "neurognode.export.nwb",
    "missing_for_dandi": "neurognode.export.subject",
    "to_netcdf": "neurognode.export.netcdf",
    "from_netcdf": "neurognode.export.netcdf",
    "to_zarr": "neurognode.export.zarr",
    "from_zarr": "neurognode.export.zarr",
    "to_lfads_hdf5": "neurognode.export.lfads",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode.export' has no attribute {name!r}")
    value = getattr(importlib.import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
