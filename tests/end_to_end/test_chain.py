"""The main job, walked as a user walks it, on recordings small enough for seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import neurognode as ng
from neurognode import cli


def test_six_lines_of_python(small_recording: Path, tmp_path: Path) -> None:
    recording = ng.open_recording(small_recording)
    trials = recording.align("start_time", window=(0.0, 1.2), bin_size=0.04)
    model = ng.LatentGNODE(latent_dim=2, max_steps=3, n_samples=2, random_state=0, progress=False)
    fits = ng.Ensemble(model, n_members=3).fit(trials)
    latents = fits.transform(trials)
    verdicts = ng.hypotheses.compare(
        fits, trials, n_rescored=0, hypotheses=["discrete_attractors", "ring_attractor"]
    )
    ng.export.to_nwb(tmp_path / "latents.nwb", fits, trials, verdicts, incomplete="write")
    assert latents.dims == ("trial", "time", "latent")
    assert latents.shape == (24, 30, 2)
    assert {v.hypothesis for v in verdicts} == {"discrete_attractors", "ring_attractor"}
    assert all(v.status != "supported" for v in verdicts), "three training steps support nothing"
    assert (tmp_path / "latents.nwb").stat().st_size > 0


def test_one_command_leaves_everything(small_run: Path) -> None:
    run = ng.load_run(small_run)
    assert run.fits.field_.latent_dim == 2
    assert len(run.verdicts) >= 8
    assert len(run.portrait.fixed_points) == len(run.portrait.to_frame())
    lines = (small_run / "log.txt").read_text().splitlines()
    assert any("fit ends" in line for line in lines)


def test_a_file_cut_into_trials_needs_no_event(tmp_path: Path) -> None:
    import h5py

    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(size=(20, 25, 2)).cumsum(1) @ rng.normal(size=(2, 6)) * 0.2)
    counts = rng.poisson(rates)
    with h5py.File(tmp_path / "lfads.h5", "w") as file:
        file["train_data"], file["valid_data"] = counts[:14], counts[14:]
        file["train_truth"], file["valid_truth"] = rates[:14] * 100, rates[14:] * 100
    line = (
        f"fit {tmp_path}/lfads.h5 --bin-size 0.01 --latent-dim 2 --max-steps 3 --quiet --out {tmp_path}/run"
    )
    assert cli.run(line.split()) == 0
    run = ng.load_run(tmp_path / "run")
    assert run.latents["is_test"].values.tolist() == [0] * 14 + [1] * 6, "the file's own split is kept"
    assert any(m["name"] == "true rates (R²)" for m in run.metrics["measures"])


def test_calcium_is_chopped_and_scored_on_held_out_units(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    phase = np.linspace(0, 40, 1200)
    wedges = np.cos(phase[:, None] - np.arange(8) * np.pi / 4) + 0.2 * rng.normal(size=(1200, 8))
    from datetime import datetime, timezone

    from pynwb import NWBHDF5IO, NWBFile, TimeSeries

    file = NWBFile("a", "b", datetime(2024, 1, 1, tzinfo=timezone.utc))
    file.add_acquisition(TimeSeries(name="dff", data=wedges, rate=10.0, unit="dF/F"))
    with NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    line = (
        f"fit {tmp_path}/a.nwb --chop 4 --bin-size native --signal dff --latent-dim 2 --max-steps 3 --quiet"
    )
    assert cli.run([*line.split(), "--out", str(tmp_path / "run")]) == 0
    run = ng.load_run(tmp_path / "run")
    assert run.config.split.by == "time"
    scores = {row["method"]: row for row in run.metrics["table"]}
    assert scores["smoothing + ridge"]["co_r2"] > 0.8
    assert "co_r2" in scores["this fit"]


def test_demo_names_what_it_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurognode.commands.demo.QUICK_STEPS", 3)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["demo", "--circuit", "limit-cycle", "--quick", "--members", "1", "--out", "cycle"]) == 0
    said = capsys.readouterr().out
    for word in (
        "Planted:",
        "neurognode fit cycle.nwb",
        "planted: limit cycle" if "hypothesis" in said else "planted:",
    ):
        assert word in said
    assert (tmp_path / "cycle" / "report.html").is_file()
    assert "Planted and found" in (tmp_path / "cycle" / "report.html").read_text(encoding="utf-8")
    assert cli.run(["demo", "--circuit", "limit-cycle", "--quick", "--out", "cycle"]) == 2, (
        "nothing is overwritten"
    )
    assert cli.run(["demo", "--circuit", "rng"]) == 2
    assert "Did you mean 'ring'?" in capsys.readouterr().err


def test_a_run_can_be_copied_and_reported_again(
    small_run: Path, small_recording: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_run, tmp_path / "copy")
    before = (small_run / "report.html").read_text(encoding="utf-8")
    assert cli.run(["report", str(tmp_path / "copy")]) == 0
    assert (tmp_path / "copy" / "report.html").read_text(encoding="utf-8") == before, (
        "the same run, the same page"
    )
