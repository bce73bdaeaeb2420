"""What a user can get wrong, and what happens on the way: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurognode import cli
from neurognode.errors import FitError, RecordingError

FIT = "--align start_time --window 0 1.2 --bin-size 0.04"


def fails(capsys: pytest.CaptureFixture, arguments: str, code: int = 2) -> str:
    assert cli.run(arguments.split()) == code
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    assert said.count("\n") == 0, said
    return said


def lfads_file(path: Path, values: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["train_data"], file["valid_data"] = values, values[:2]
    return path


def test_missing_file(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert "no such file" in fails(capsys, f"fit {tmp_path}/missing.nwb {FIT}")


def test_not_hdf5(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "a.nwb").write_text("not a recording")
    assert "text" in fails(capsys, f"fit {tmp_path}/a.nwb {FIT} --out {tmp_path}/run")
    assert not (tmp_path / "run").exists()


def test_nwb_without_spikes(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    from datetime import datetime, timezone

    from pynwb import NWBHDF5IO, NWBFile

    file = NWBFile("a", "b", datetime(2024, 1, 1, tzinfo=timezone.utc))
    file.add_trial(start_time=0.0, stop_time=1.0)
    file.add_trial(start_time=2.0, stop_time=3.0)
    with NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    said = fails(capsys, f"fit {tmp_path}/a.nwb {FIT} --out {tmp_path}/run")
    assert "no" in said.lower()
    assert not (tmp_path / "run").exists()


def test_wrong_event_lists_the_right_ones(capsys: pytest.CaptureFixture, small_recording: Path) -> None:
    said = fails(capsys, f"fit {small_recording} --align strt_time --window 0 1 --bin-size 0.04")
    assert "Did you mean 'start_time'?" in said


@pytest.mark.parametrize("window", ["1 1", "1 0.5"])
def test_empty_window(capsys: pytest.CaptureFixture, small_recording: Path, window: str) -> None:
    said = fails(capsys, f"fit {small_recording} --align start_time --window {window} --bin-size 0.04")
    assert "window" in said


def test_window_beyond_the_data(capsys: pytest.CaptureFixture, small_recording: Path) -> None:
    said = fails(capsys, f"fit {small_recording} --align start_time --window 5000 5001 --bin-size 0.04")
    assert "recording holds" in said


def test_all_silent_units(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    path = lfads_file(tmp_path / "a.h5", np.zeros((6, 10, 4)))
    assert "silent" in fails(capsys, f"fit {path} --bin-size 0.01 --out {tmp_path}/run")


def test_one_trial(capsys: pytest.CaptureFixture, small_recording: Path) -> None:
    assert "one trial" in fails(capsys, f"fit {small_recording} {FIT} --trials id==3")


@pytest.mark.filterwarnings("default:.*count as not recorded")
def test_nan_in_data_is_not_observed(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    values = np.random.default_rng(0).poisson(1.0, (10, 10, 4)).astype(float)
    values[0, 3] = np.nan
    path = lfads_file(tmp_path / "a.h5", values)
    line = f"fit {path} --bin-size 0.01 --latent-dim 2 --max-steps 2 --only fit --quiet --out {tmp_path}/run"
    assert cli.run(line.split()) == 0
    said = capsys.readouterr()
    assert "4 bins of 4 units hold NaN" in said.out + said.err
    from neurognode.runs import load_run

    assert np.isfinite(load_run(tmp_path / "run").latents["latents"].values).all()
    assert "count as not recorded" in (tmp_path / "run" / "log.txt").read_text()


def test_negative_counts_name_the_units(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    values = np.random.default_rng(0).poisson(1.0, (10, 10, 4)).astype(float)
    values[0, 0, 2] = -1
    line = f"fit {lfads_file(tmp_path / 'a.h5', values)} --bin-size 0.01 --latent-dim 2 --quiet --out {tmp_path}/run"
    said = fails(capsys, f"{line} --likelihood poisson")
    assert "2" in said
    assert "negative" in said or "whole" in said or "counts" in said


def test_no_gpu_when_asked_for_one(
    capsys: pytest.CaptureFixture, small_recording: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = fails(capsys, f"fit {small_recording} {FIT} --device cuda --out {tmp_path}/run")
    assert "--device cpu" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("--encoder gur", "Did you mean 'gru'?"),
        ("--set max_step=3", "Did you mean 'max_steps'?"),
        ("--set latent_dim=many", "latent_dim"),
        ("--latent-dim 99", "latent_dim=99"),
        ("--test 1.5", "split.test"),
        ("--condition chioce", "Did you mean 'choice'?"),
        ("--control shuffle", "shuffle-time"),
        ("--members 0", "members"),
        ("--preset fast", "dynamics"),
        ("--windows 0 1", "--window"),
        ("--only report", "fit"),
    ],
)
def test_wrong_options_name_the_right_ones(
    capsys: pytest.CaptureFixture, small_recording: Path, tmp_path: Path, option: str, word: str
) -> None:
    assert word in fails(capsys, f"fit {small_recording} {FIT} {option} --quiet --out {tmp_path}/run")
    assert not (tmp_path / "run").exists()


def test_full_disk_keeps_what_was_there(
    capsys: pytest.CaptureFixture, small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurognode.interpret import Portrait

    before = (small_run / "portrait.nc").read_bytes()
    stored = Portrait.load(small_run / "portrait.nc")
    monkeypatch.setattr("neurognode.runs.steps.interpret.portrait_from", lambda *_, **options: stored)

    def full(self: Portrait, path: Path) -> None:
        from neurognode.files import atomic_path

        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Portrait, "save", full)
    assert "disk is full" in fails(capsys, f"interpret {small_run}", code=1)
    assert (small_run / "portrait.nc").read_bytes() == before
    assert not [p for p in small_run.iterdir() if p.name.startswith(".")]


def test_no_run_folder(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert "no run folder" in fails(capsys, f"report {tmp_path}/none")


def test_a_fault_of_ours_is_said_to_be_one(
    capsys: pytest.CaptureFixture, small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("neurognode.runs.steps.interpret.portrait_from", broken)
    assert "--debug" in fails(capsys, f"interpret {small_run}", code=1)
    assert cli.run(["interpret", str(small_run), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert "KeyError" in (small_run / "log.txt").read_text(), "the log keeps where it came from"


def test_interrupt_is_130(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("neurognode.runs.steps.interpret.portrait_from", stop)
    assert cli.run(["interpret", str(small_run)]) == 130


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecordingError("bad"), 2),
        (FitError("diverged"), 1),
        (PermissionError(errno.EACCES, "no", "/root/x"), 2),
        (FileNotFoundError(errno.ENOENT, "no", "a.nwb"), 2),
        (MemoryError(), 1),
        (RuntimeError("CUDA out of memory"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert cli.explain(error)[1] == code


def test_a_library_s_value_error_is_ours_to_answer_for() -> None:
    with pytest.raises(ValueError) as caught:
        np.zeros(2).reshape(3)
    assert cli.explain(caught.value)[1] == 1
