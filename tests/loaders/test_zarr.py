"""NWB in Zarr reads the same as in HDF5; runs where hdmf-zarr is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neurognode as ng
from neurognode.errors import MissingExtraError


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["alm_delay", "fly_ring_bar", "m1_reaching"])
def test_zarr_reads_as_hdf5(name: str, data_file: Callable[[str], Path], tmp_path: Path) -> None:
    zarr_io = pytest.importorskip("hdmf_zarr.nwb").NWBZarrIO
    from pynwb import NWBHDF5IO

    source, target = data_file(f"{name}.nwb"), tmp_path / f"{name}.nwb.zarr"
    with NWBHDF5IO(str(source), "r") as read, zarr_io(str(target), "w") as write:
        write.export(src_io=read, write_args={"link_data": False})
    event = {"alm_delay": "cue_start_time", "m1_reaching": "move_onset_time"}.get(name, "start_time")
    size = {"alm_delay": 0.05}.get(name, "native")
    near, far = (
        ng.open_recording(p).align(
            event, window=(-0.3, 0.7), bin_size=size, presence="file", beyond_stop="keep"
        )
        for p in (source, target)
    )
    signal = "counts" if "counts" in near else "activity"
    np.testing.assert_array_equal(far[signal], near[signal])
    assert set(far.coords) == set(near.coords)
    assert ng.open_recording(target).subject == ng.open_recording(source).subject


@pytest.mark.filterwarnings("ignore")
def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    if int(zarr.__version__.split(".")[0]) > 2:
        pytest.skip("zarr 3 cannot write pickled arrays")
    numcodecs = pytest.importorskip("numcodecs")
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    root.attrs["nwb_version"] = "2.6.0"
    units = root.create_group("units")
    units.attrs["neurodata_type"] = "Units"
    units["spike_times"], units["spike_times_index"] = np.arange(0, 9, 0.1), np.array([90])
    bad = units.create_dataset("quality", shape=(1,), dtype=object, object_codec=numcodecs.Pickle())
    bad[:] = np.array(["good"], object)
    recording = ng.open_recording(tmp_path / "a.zarr")
    assert "quality" not in recording.align([0.0], window=(0, 1), bin_size=0.1).coords
    assert any("pickled objects" in note for note in recording.notes)


def test_without_the_extra_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").write_text("{}")
    plain = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "zarr":
            raise ImportError(name)
        return plain(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"neurognode\[zarr\]"):
        ng.open_recording(tmp_path / "a.zarr")
