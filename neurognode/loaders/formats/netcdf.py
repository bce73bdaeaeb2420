"""netCDF files written by `neurognode.export.to_netcdf`: `Trials` as they were."""

from __future__ import annotations

from typing import Any

from neurognode.errors import RecordingError
from neurognode.loaders.base import Contents, Loader
from neurognode.loaders.formats.arrays import from_trials
from neurognode.loaders.guard import reading
from neurognode.loaders.probe import Probe


class NetCDF(Loader):
    """`Trials` in netCDF."""

    name = "netcdf"

    def recognises(self, probe: Probe) -> bool:
        if probe.path is None or not probe.is_hdf5:
            return False
        names = set(probe.root.keys())
        return {"trial", "time", "unit"} <= names and bool(names & {"counts", "activity"})

    def read(self, probe: Probe, **options: Any) -> Contents:
        import xarray as xr

        probe.close()
        with reading(probe.name, "the netCDF file"):
            with xr.open_dataset(str(probe.path), engine="h5netcdf") as dataset:
                trials = dataset.load()
            try:
                contents = from_trials(trials)
            except ValueError as error:
                raise RecordingError(
                    f"The netCDF file does not hold Trials: {error}", where=probe.name
                ) from error
        contents.format = "netcdf"
        return contents
