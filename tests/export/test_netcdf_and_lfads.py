"""netCDF round trips exactly; LFADS files come back as the same trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neurognode as ng
from neurognode.errors import RecordingError


def full_trials() -> xr.Dataset:
    rng = np.random.default_rng(0)
    return ng.make_trials(
        rng.poisson(1.0, (6, 8, 3)), bin_size=0.02, start=-0.06, observed=rng.random((6, 8, 3)) > 0.1,
        inputs=rng.normal(size=(6, 8, 1)), input_names=["contrast"], behavior=rng.normal(size=(6, 8, 2)),
        absolute_start=np.arange(6.0), columns={"side": list("lrlrlr"), "rt": [0.1, np.nan, 0.3, 0.2, 0.5, 0.4]},
        units={"unit": [4, 8, 9], "area": list("aab")}, attrs={"event": "cue", "source": "a.nwb"},
    )  # fmt: skip


def test_trials_round_trip(tmp_path: Path) -> None:
    trials = full_trials()
    back = ng.export.from_netcdf(ng.export.to_netcdf(tmp_path / "a.nc", trials))
    xr.testing.assert_identical(back, trials)
    assert {k: v.dtype for k, v in back.variables.items()} == {
        k: v.dtype for k, v in trials.variables.items()
    }


@pytest.mark.filterwarnings("ignore")
def test_zarr_round_trips_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    trials = full_trials()
    back = ng.export.from_zarr(ng.export.to_zarr(tmp_path / "a.zarr", trials))
    xr.testing.assert_identical(back, trials)


def test_complex_numbers_and_odd_attributes_round_trip(tmp_path: Path) -> None:
    values = xr.DataArray(
        np.array([[1 + 2j, 3], [np.nan, -1j]]), dims=("point", "mode"), attrs={"unit": "1/s"}
    )
    dataset = xr.Dataset(
        {"eigenvalues": values}, attrs={"empty": None, "flag": True, "n": 3, "list": [1.0, 2.0]}
    )
    back = ng.export.from_netcdf(ng.export.to_netcdf(tmp_path / "a.nc", dataset))
    np.testing.assert_array_equal(back["eigenvalues"], values)
    assert back["eigenvalues"].attrs == {"unit": "1/s"}
    assert back.attrs == {"flag": "True", "n": 3, "list": [1.0, 2.0]}


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    ng.export.to_netcdf(path, full_trials())
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError)):
        ng.export.to_netcdf(path, xr.Dataset({"x": ("a", np.array([{}, object()], object))}))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]
    path.write_bytes(before[:300])
    with pytest.raises(RecordingError, match="Cannot read the netCDF file"):
        ng.export.from_netcdf(path)


def test_latents_beside_their_trials(tmp_path: Path) -> None:
    trials = full_trials()
    latents = xr.DataArray(np.ones((6, 8, 2)), dims=("trial", "time", "latent"))
    back = ng.export.from_netcdf(ng.export.to_netcdf(tmp_path / "a.nc", latents, trials))
    np.testing.assert_array_equal(back["latents"], latents)
    np.testing.assert_array_equal(ng.open_recording(tmp_path / "a.nc").align()["counts"], trials["counts"])
    alone = ng.export.from_netcdf(ng.export.to_netcdf(tmp_path / "b.nc", latents.rename("latents")))
    np.testing.assert_array_equal(alone["latents"], latents)


def test_lfads_files_come_back_as_the_same_trials(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    trials = ng.make_trials(
        rng.poisson(1.0, (20, 8, 3)), bin_size=0.02, inputs=rng.normal(size=(20, 8, 2)),
        columns={"split": ["train"] * 15 + ["valid"] * 5},
    )  # fmt: skip
    latents = xr.DataArray(rng.normal(size=(20, 8, 2)), dims=("trial", "time", "latent"))
    path = ng.export.to_lfads_hdf5(tmp_path / "a.h5", latents, trials)
    again = ng.open_recording(path)
    back = again.align()
    np.testing.assert_array_equal(back["counts"], trials["counts"])
    np.testing.assert_allclose(back["inputs"], trials["inputs"])
    assert back["split"].values.tolist() == trials["split"].values.tolist()
    assert back.attrs["bin_size"] == 0.02
    with pytest.raises(RecordingError, match="carries no truth"):
        again.truth()
