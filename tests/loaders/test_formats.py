"""One small file of every format, made here, and recognised by what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import neurognode as ng
from neurognode.errors import RecordingError


def test_findr_archive(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([30, 50, 40])
    spikes = rng.poisson(0.2, (3, 50, 5)).astype(float)
    np.savez(
        tmp_path / "session.dat.npz", spikes=spikes, externalinputs=rng.normal(size=(3, 50, 2)),
        lengths=lengths, times=np.array([10.0, 20.0, 31.5]), choices=np.array([0, 1, 0]),
    )  # fmt: skip
    trials = ng.open_recording(tmp_path / "session.dat.npz").align()
    np.testing.assert_array_equal(trials["counts"], spikes)
    np.testing.assert_array_equal(ng.trials.lengths(trials), lengths)
    assert trials["choices"].values.tolist() == [0, 1, 0]
    assert trials.attrs["bin_size"] == 0.01
    assert trials["absolute_time"].values[2, 0] == 31.5
    assert trials.sizes["input"] == 2


def test_nlb_files_join_held_in_and_held_out_units(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    with h5py.File(tmp_path / "mc_maze.h5", "w") as file:
        for split, n in (("train", 5), ("eval", 3)):
            file[f"{split}_spikes_heldin"] = rng.poisson(0.3, (n, 20, 6)).astype(float)
        file["train_spikes_heldout"] = rng.poisson(0.3, (5, 20, 2)).astype(float)
        file["train_spikes_heldin_forward"] = rng.poisson(0.3, (5, 4, 6)).astype(float)
        held_in = file["eval_spikes_heldin"][:]
        held_out = file["train_spikes_heldout"][:]
    trials = ng.open_recording(tmp_path / "mc_maze.h5").align()
    assert dict(trials.sizes) == {"trial": 8, "time": 24, "unit": 8}
    assert trials.attrs["bin_size"] == 0.005
    np.testing.assert_array_equal(trials["counts"].values[5:, :20, :6], held_in)
    np.testing.assert_array_equal(trials["counts"].values[:5, :20, 6:], held_out)
    seen = ng.trials.observed(trials)
    assert not seen[5:, :, 6:].any()
    assert not seen[5:, 20:].any()
    assert seen[:5, :20].all()
    assert trials["held_out"].values.tolist() == [False] * 6 + [True] * 2
    inner = ng.open_recording(tmp_path / "mc_maze.h5").align(units="held_out == 0", trials="split == 'eval'")
    assert dict(inner.sizes) == {"trial": 3, "time": 24, "unit": 6}


def test_an_archive_of_pickles_or_without_trials_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", spikes=np.array([{}, {}], object), x=np.zeros(3))
    with pytest.raises(RecordingError, match="holds no trials"):
        ng.open_recording(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(RecordingError, match="Cannot read the archive"):
        ng.open_recording(tmp_path / "b.npz")


def test_netcdf_gives_the_trials_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    trials = ng.make_trials(
        rng.poisson(1.0, (4, 6, 3)), bin_size=0.02, start=-0.04, inputs=rng.normal(size=(4, 6, 2)),
        observed=rng.random((4, 6)) > 0.2, absolute_start=np.arange(4.0), columns={"side": list("lrlr")},
        units={"unit": [5, 7, 9], "area": ["a", "a", "b"]}, attrs={"event": "cue"},
    )  # fmt: skip
    written = ng.export.to_netcdf(tmp_path / "trials.bin", trials)
    again = ng.open_recording(written).align()
    for name in ("counts", "inputs", "observed", "side", "area", "unit", "time", "absolute_time"):
        np.testing.assert_array_equal(again[name], trials[name])
    assert again.attrs["event"] == "cue"


def test_trials_arrays_and_recordings_pass_through() -> None:
    trials = ng.make_trials(np.ones((2, 5, 3), int), bin_size=0.1)
    np.testing.assert_array_equal(ng.open_recording(trials).align()["counts"], trials["counts"])
    plain = ng.open_recording(np.zeros((2, 5, 3)), bin_size=0.1).align()
    assert plain.attrs["activity_kind"] == "continuous"
    recording = ng.open_recording({"counts": np.ones((2, 5, 3), int), "lengths": [3, 5]}, bin_size=0.1)
    assert ng.open_recording(recording) is recording
    assert ng.trials.lengths(recording.align()).tolist() == [3, 5]
    with pytest.raises(ValueError, match=r"'bin_sise' is no option.*Did you mean 'bin_size'"):
        ng.open_recording({"counts": np.ones((2, 5, 3), int)}, bin_sise=0.1)
    with pytest.raises(ValueError, match="Did you mean 'counts'"):
        ng.open_recording({"countss": np.ones((2, 5, 3))})


def test_hdf5_of_any_layout_opens_lists_and_maps(tmp_path: Path) -> None:
    path = tmp_path / "odd.file"
    rng = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        file["rec/traces"] = rng.normal(size=(4, 500))
        file["rec/t_ms"] = np.arange(500) * 20.0
        file["spk/all"] = np.sort(rng.uniform(0, 10, 60))
        file["spk/ends"] = np.array([20, 60])
        file["ev/on"] = np.array([10, 110, 210])
        file["ev/kind"] = np.array([b"go", b"stop", b"go"])
    bare = ng.open_recording(path)
    assert any(line.startswith("rec/traces (4, 500)") for line in bare.describe()["datasets"])
    with pytest.raises(RecordingError, match="no neural activity"):
        bare.chop(1.0, bin_size=0.1)
    mapping = {
        "times": {"path": "rec/t_ms", "scale": 0.001},
        "activity": {"path": "rec/traces", "kind": "calcium", "time_axis": 1},
        "spike_times": {"path": "spk/all", "index": "spk/ends"},
        "trials": {"start_time": {"path": "ev/on", "as": "samples"}, "kind": "ev/kind"},
    }
    yaml = tmp_path / "mapping.yaml"
    import yaml as yaml_package

    yaml.write_text(yaml_package.safe_dump(mapping))
    for given in (mapping, yaml):
        recording = ng.open_recording(path, mapping=given)
        trials = recording.align("start_time", window=(0, 1), signal="activity", trials="kind == 'go'")
        assert trials["absolute_time"].values[:, 0].tolist() == pytest.approx([0.2, 4.2])
        with h5py.File(path) as file:
            np.testing.assert_array_equal(trials["activity"].values[1], file["rec/traces"][:, 210:260].T)
        assert recording.align("start_time", window=(0, 1), bin_size=0.1).sizes["unit"] == 2
    with pytest.raises(RecordingError, match="Did you mean 'rec/traces'"):
        ng.open_recording(path, mapping={"activity": "rec/trace", "times": "rec/t_ms"})


def test_a_guessed_mapping_beside_the_file_is_used(data_file: Callable[[str], Path], tmp_path: Path) -> None:
    import shutil

    import yaml

    path = tmp_path / "worm.h5"
    shutil.copyfile(data_file("worm.h5"), path)
    recording = ng.open_recording(path)
    guess = recording.describe()["mapping"]
    assert guess["times"] == "timing/timestamp_confocal"
    assert guess["activity"]["path"] == "gcamp/trace_array"
    shown = str(recording).split("worm.mapping.yaml:\n")[1]
    (tmp_path / "worm.mapping.yaml").write_text(shown)
    assert yaml.safe_load(shown) == guess
    trials = ng.open_recording(path).chop(30.0, bin_size="native", behavior="velocity")
    assert trials.sizes["unit"] == 130
    assert trials.attrs["activity_kind"] == "calcium"


def matlab_file(path: Path) -> dict[str, Any]:
    """What MATLAB's save -v7.3 writes: a header, axes in reverse, cells as references, text as numbers."""
    rng = np.random.default_rng(3)
    traces, spikes = rng.normal(size=(200, 7)), [np.sort(rng.uniform(0, 10, n)) for n in (5, 9, 1)]
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(name: str, data: Any, kind: str) -> h5py.Dataset:
            item = file.create_dataset(name, data=data)
            item.attrs["MATLAB_class"] = np.bytes_(kind)
            return item

        put("traces", traces.T, "double")
        put("time", (np.arange(200) / 20)[None, :], "double")
        references = []
        for k, train in enumerate(spikes):
            references.append(put(f"#refs#/s{k}", train[None, :], "double").ref)
        cell = file.create_dataset("spikes", (3, 1), dtype=h5py.ref_dtype)
        cell[:, 0] = references
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        put("cue", np.array([[1.0], [4.0]]), "double")
        labels = file.create_dataset("side", (2, 1), dtype=h5py.ref_dtype)
        for k, word in enumerate(("left", "right")):
            text = np.array([[ord(c)] for c in word], np.uint16)
            labels[k, 0] = put(f"#refs#/t{k}", text, "char").ref
        labels.attrs["MATLAB_class"] = np.bytes_("cell")
    header = (
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  1 00:00:00 2026 HDF5 schema 1.00 ."
    )
    with open(path, "r+b") as stream:
        stream.write(header.ljust(116) + b"\x00" * 8 + b"\x00\x02IM")
    return {"traces": traces, "spikes": spikes}


def test_matlab_v73(tmp_path: Path) -> None:
    path = tmp_path / "session.mat"
    made = matlab_file(path)
    bare = ng.open_recording(path)
    assert bare.format == "matlab"
    assert any(line.startswith("traces (200, 7) double") for line in bare.describe()["datasets"])
    mapping = {
        "activity": {"path": "traces", "kind": "calcium"}, "times": "time", "spike_times": "spikes",
        "trials": {"cue_time": "cue", "side": "side"},
    }  # fmt: skip
    recording = ng.open_recording(path, mapping=mapping)
    assert recording.units is not None
    for k, train in enumerate(made["spikes"]):
        np.testing.assert_array_equal(recording.units.spikes(k), train)
    trials = recording.align("cue_time", window=(0, 2), signal="activity", conditions="side")
    np.testing.assert_array_equal(trials["activity"].values[1], made["traces"][80:120])
    assert trials["condition"].values.tolist() == ["left", "right"]


def test_pynapple_objects() -> None:
    nap = pytest.importorskip("pynapple")
    pytest.importorskip("neurognode_pynapple")
    rng = np.random.default_rng(4)
    trains = {k: np.sort(rng.uniform(0, 100, 300)) for k in (2, 5)}
    support = nap.IntervalSet(start=[0, 60], end=[50, 100])
    group = nap.TsGroup({k: nap.Ts(t) for k, t in trains.items()}, time_support=support)
    speed = nap.Tsd(t=np.arange(0, 100, 0.1), d=np.arange(1000.0))
    given = {"units": group, "speed": speed, "epochs": support}
    trials = ng.open_recording(given).align(
        [10.0, 45.0, 70.0], window=(0, 10), bin_size=1.0, behavior="speed"
    )
    seen = ng.trials.observed(trials).all(axis=2)
    assert seen.sum(axis=1).tolist() == [10, 5, 10]
    first = np.histogram(trains[5], np.arange(10, 21))[0]
    np.testing.assert_array_equal(trials["counts"].sel(unit=5).values[0], first)
    np.testing.assert_allclose(trials["behavior"].values[2, :, 0], 704.5 + 10 * np.arange(10))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"time,unit\n0.1,3\n", "it is text"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(1000), "-v7.3"),
        (bytes(range(256)) * 8, "not HDF5, npz or netCDF"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "Cannot open the HDF5 file"),
    ],
)
def test_other_files_are_refused_in_a_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sub-1.nwb"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        ng.open_recording(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "mouse_12.nwb").write_bytes(b"x")
    with pytest.raises(RecordingError, match=r"no such file.*mouse_12\.nwb"):
        ng.open_recording(tmp_path / "mouse_21.nwb")
    with pytest.raises(RecordingError, match="Nothing reads a set"):
        ng.open_recording({1, 2})
    with pytest.raises(ValueError, match="Did you mean 'nwb'"):
        ng.open_recording(tmp_path / "mouse_12.nwb", format="nbw")


def test_tables_of_records_from_the_draft_are_read(tmp_path: Path) -> None:
    records = np.array(
        [(1.0, 2.0, b"a"), (3.0, 4.0, b"b")],
        dtype=[("start_time", "f8"), ("stop_time", "f8"), ("tags", "S3")],
    )
    with h5py.File(tmp_path / "draft.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.0b"
        file["epochs/epochs"] = records
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units["spike_times"], units["spike_times_index"] = np.arange(0, 9, 0.1), np.array([90])
    recording = ng.open_recording(tmp_path / "draft.nwb")
    assert recording.events == ["epochs/start_time", "epochs/stop_time"]
    trials = recording.align("epochs/start_time", window=(0, 1), bin_size=0.5, trials="tags == 'b'")
    assert trials["absolute_time"].values.tolist() == [[3.0, 3.5]]


def test_nwb_1_is_refused_by_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file.create_group("acquisition")
    with pytest.raises(RecordingError, match=r"NWB 1 \(NWB-1\.0\.6\)"):
        ng.open_recording(tmp_path / "old.nwb")


def test_looking_at_a_file_needs_neither_torch_nor_pynwb() -> None:
    import subprocess
    import sys

    code = (
        "import sys, neurognode as ng;"
        "ng.open_recording({'spike_times': [[0.1, 1.0]]}).chop(0.5, bin_size=0.1);"
        "bad = {'torch', 'pynwb', 'hdmf', 'matplotlib', 'sklearn', 'scipy.stats'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
