from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neurognode.errors import RunError
from neurognode.runs import Run, RunConfig, load_run
from neurognode.runs.folder import clean_dataset

CONFIG = RunConfig.model_validate({"recording": {"path": "gone.nwb"}})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(RunError, match="--resume"):
        Run.create(tmp_path / "run", CONFIG)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="not empty"):
        Run.create(tmp_path / "other", CONFIG)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "precious"


def test_an_unfinished_run_loads_and_says_so(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", CONFIG)
    run = load_run(tmp_path / "run")
    assert "not finished" in repr(run)
    assert run.metrics == {}
    assert run.history == []
    assert run.latents is run.portrait is run.verdicts is None
    with pytest.raises(RunError, match="--resume"):
        _ = run.fits
    with pytest.raises(RunError, match="--recording"):
        run.recording()


def test_history_round_trip(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    run.write_history(
        [{"member": 0, "step": 1, "loss": 0.5}, {"member": 0, "step": 2, "score": np.float32(0.25)}]
    )
    assert run.history[1] == {"member": 0, "step": 2, "loss": None, "score": 0.25}


def test_json_holds_no_nan(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    run.write_json("metrics.json", {"a": float("nan"), "b": [np.inf, 1]})
    assert json.loads((run.path / "metrics.json").read_text()) == {"a": None, "b": [None, 1]}
    (run.path / "metrics.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        _ = run.metrics


def test_clean_dataset_can_be_written(tmp_path: Path) -> None:
    values = np.array(["a", None, 3], dtype=object)
    dataset = xr.Dataset(coords={"column": ("trial", values), "flag": ("trial", [True, False, True])})
    dataset.attrs = {"window": [0.0, "stop"], "none": None, "size": 0.02}
    clean_dataset(dataset).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as stored:
        assert stored["column"].values.tolist() == ["a", "", "3"]
        assert stored.attrs["size"] == 0.02


def test_every_part_of_a_finished_run_is_there(small_run: Path) -> None:
    run = load_run(small_run)
    assert run.is_finished
    for name in ("config.yaml", "weights.safetensors", "history.csv", "metrics.json", "latents.nc", "latents.nwb",
                 "portrait.nc", "verdicts.nc", "report.html", "log.txt", "split.json"):  # fmt: skip
        assert (small_run / name).is_file(), name
    assert not (small_run / "checkpoints").exists()
    assert run.latents["member_latents"].sizes["member"] == 3
    assert run.config.provenance["versions"]["torch"]
    assert len(run.config.recording.source_hash) == 64
    assert run.config.model.arguments["batch_size"] > 0, "defaults are written out"


def test_the_recording_may_move_but_not_change(
    small_run: Path, small_recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_run, folder)
    run = load_run(folder)
    run.config.recording.path = "nowhere/small.nwb"
    shutil.copy(small_recording, folder / "small.nwb")
    assert run.recording().source == str(folder / "small.nwb"), "found beside the run"
    changed = bytearray(small_recording.read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed.nwb").write_bytes(changed)
    with pytest.raises(RunError, match="not the recording"):
        run.recording(tmp_path / "changed.nwb")
