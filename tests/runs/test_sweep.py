from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from neurognode.errors import RunError
from neurognode.runs import RunConfig, Space
from neurognode.runs.dimension import by_latent_dim
from neurognode.runs.schedule import Trial, exploit, next_job, rungs
from neurognode.runs.sweep import Sweep, sweep

SPACE = Space.read({"latent_dim": [1, 2, 3], "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}})
CONFIG = RunConfig.model_validate(
    {"recording": {"path": "a.nwb"}, "model": {"arguments": {"max_steps": 900}}}
)


def pretend(calls: list[tuple[str, int]], sign: int = 1) -> Any:
    """A worker that trains nothing: the score grows with steps and depends on the folder's number."""

    def advance(config: dict, folder: str, until: int, **_: Any) -> dict[str, Any]:
        number = int(Path(folder).name)
        calls.append((Path(folder).name, until))
        if number == 3:
            return {"score": float("nan"), "interrupted": False, "error": "does not work"}
        return {"score": sign * number + until / 1e6, "interrupted": False, "error": ""}

    return advance


def test_ranges_are_drawn_inside_and_evenly_in_logarithm() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([SPACE.draw(rng)["learning_rate"] for _ in range(2000)])
    assert drawn.min() >= 1e-3
    assert drawn.max() <= 1e-1
    assert abs(np.median(np.log10(drawn)) + 2) < 0.1


@pytest.mark.parametrize(
    ("described", "word"),
    [({}, "mapping"), ({"a": []}, "empty"), ({"a": {"lo": 1}}, "low"), ({"a": {"low": 2, "high": 1}}, "below"),
     ({"a": {"low": 0, "high": 1, "log": True}}, "positive")],
)  # fmt: skip
def test_a_wrong_space_names_its_part(described: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Space.read(described)


def test_rungs_grow_by_three_and_end_at_the_last_step() -> None:
    assert rungs("asha", 2000, 50) == [200, 650, 2000]
    assert rungs("asha", 60, 50) == [60]
    assert rungs("population", 400, 50)[-1] == 400


def test_the_best_third_goes_on_first() -> None:
    trials = [Trial(k, {}, {100: float(k)}, "paused") for k in range(6)] + [Trial(6, {})]
    assert next_job(trials, [100, 300, 900], "asha") == (trials[5], 300)
    trials[5].scores[300], trials[5].state = 1.0, "paused"
    assert next_job(trials, [100, 300, 900], "asha") == (trials[4], 300)
    trials[4].scores[300] = 0.5
    assert next_job(trials, [100, 300, 900], "asha") == (trials[6], 100), (
        "two of seven cannot both go on to the last"
    )


def test_random_search_trains_everything_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr("neurognode.runs.sweep.advance", pretend(calls))
    found = sweep(CONFIG, SPACE, tmp_path / "sweep", n_trials=6)
    assert [until for _, until in calls] == [900] * 6
    assert found.finished[0].id == 5
    assert [t.error for t in found.trials if t.state == "failed"] == ["does not work"]
    table = (tmp_path / "sweep" / "table.csv").read_text().splitlines()
    assert table[0].startswith("trial,state,steps,score,latent_dim,learning_rate")
    assert len(table) == 7


def test_halving_trains_few_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr("neurognode.runs.sweep.advance", pretend(calls, -1))
    found = sweep(CONFIG, SPACE, tmp_path / "sweep", method="asha", n_trials=12)
    assert [found.finished[0].id, len(found.finished)] == [0, 1]
    assert sum(until == 100 for _, until in calls) == 12


def test_a_sweep_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    work = pretend(calls)

    def killed(**job: Any) -> dict[str, Any]:
        if len(calls) == 4:
            raise KeyboardInterrupt
        return work(**job)

    monkeypatch.setattr("neurognode.runs.sweep.advance", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep(CONFIG, SPACE, tmp_path / "sweep", n_trials=6)
    before = [t["params"] for t in json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]]
    monkeypatch.setattr("neurognode.runs.sweep.advance", work)
    found = sweep(CONFIG, SPACE, tmp_path / "sweep", n_trials=6, resume=True)
    assert [t.params for t in found.trials] == before
    assert sorted(calls) == [(f"{k:03d}", 900) for k in range(6)], "nothing is trained twice"


def test_nothing_is_overwritten_and_other_sweeps_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurognode.runs.sweep.advance", pretend([]))
    sweep(CONFIG, SPACE, tmp_path / "sweep", n_trials=2)
    with pytest.raises(RunError, match="--resume"):
        sweep(CONFIG, SPACE, tmp_path / "sweep", n_trials=2)
    with pytest.raises(RunError, match="other settings"):
        sweep(CONFIG, SPACE, tmp_path / "sweep", method="asha", n_trials=2, resume=True)
    with pytest.raises(RunError, match="no sweep"):
        sweep(CONFIG, SPACE, tmp_path / "none", resume=True)


def test_the_worst_takes_over_from_the_best() -> None:
    trials = [Trial(k, SPACE.draw(np.random.default_rng(k)), {100: float(k)}, "paused") for k in range(5)]
    copies: list[tuple[int, int]] = []
    exploit(trials, 100, SPACE, np.random.default_rng(0), lambda a, b: copies.append((a.id, b.id)))
    assert copies == [(4, 0)]
    assert trials[0].params["latent_dim"] == trials[4].params["latent_dim"]
    ratio = trials[0].params["learning_rate"] / trials[4].params["learning_rate"]
    assert (
        ratio == pytest.approx(0.8)
        or ratio == pytest.approx(1.25)
        or trials[0].params["learning_rate"] in (1e-3, 1e-1)
    )


def test_smallest_dimension_within_one_standard_error(tmp_path: Path) -> None:
    scores = {1: [0.1, 0.12], 2: [0.29, 0.31], 3: [0.28, 0.34]}
    trials = [
        Trial(10 * dim + k, {"latent_dim": dim}, {900: s}, "done")
        for dim, all_ in scores.items()
        for k, s in enumerate(all_)
    ]
    found = Sweep(tmp_path, trials).smallest_latent_dim()
    assert found is not None
    assert found[0] == 2
    assert Sweep(tmp_path, trials[:2]).smallest_latent_dim() is None


def test_agreement_of_fits_falls_with_invented_latents(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((40, 25, 2))
    trials = [
        Trial(10 * dim + k, {"latent_dim": dim}, {900: 0.1 * dim}, "done") for dim in (2, 4) for k in (0, 1)
    ]
    swept = Sweep(tmp_path, trials)
    for trial in trials:
        invented = rng.standard_normal((40, 25, trial.params["latent_dim"] - 2))
        latents = xr.Dataset({"latents": (("trial", "time", "latent"), np.concatenate([true, invented], 2))})
        swept.folder(trial).mkdir(parents=True)
        latents.to_netcdf(swept.folder(trial) / "latents.nc", engine="h5netcdf")
        config = RunConfig(recording={"path": "a.nwb"}, model={"arguments": {"latent_dim": 2}})
        config.save(swept.folder(trial) / "config.yaml")
    few, many = by_latent_dim(swept)
    assert (few["latent_dim"], few["fits"], many["fits"]) == (2, 2, 2)
    assert few["score"] < many["score"]
    assert few["agreement"] == pytest.approx(1)
    assert many["agreement"] < 0.6
    assert by_latent_dim(Sweep(tmp_path, [])) == []


@pytest.mark.slow
def test_a_real_sweep_leaves_the_winning_run(small_recording: Path, tmp_path: Path) -> None:
    from neurognode import cli

    (tmp_path / "space.yaml").write_text("latent_dim: [1, 2]\n")
    line = (
        f"sweep {small_recording} --align start_time --window 0 1.2 --bin-size 0.04 --max-steps 300 "
        f"--set validation_fraction=0.2 --quiet --space {tmp_path}/space.yaml --method asha --n-trials 3 "
        f"--workers 2 --out {tmp_path}/sweep"
    )
    assert cli.run(line.split()) == 0
    state = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert [t for t in state["trials"] if t["state"] == "done"]
    assert (tmp_path / "sweep" / "sweep.svg").is_file()


def small(recording: Path, max_steps: int) -> RunConfig:
    arguments = {
        "max_steps": max_steps, "latent_dim": 2, "preset": "dynamics", "n_samples": 2, "batch_size": 8, "device": "cpu",
        "encoder_options": {"hidden": 4}, "dynamics_options": {"hidden": [4]},
    }  # fmt: skip
    aligned = {"event": "stimulus_onset_time", "window": [0.0, 0.4], "bin_size": 0.04}
    return RunConfig.model_validate(
        {"recording": {"path": str(recording)}, "alignment": {"arguments": aligned},
         "model": {"arguments": arguments}}
    )  # fmt: skip


RATES = Space.read({"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}})


def test_fits_of_one_shape_train_together(
    small_recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, space = small(small_recording, 4), RATES
    together = sweep(config, space, tmp_path / "together", n_trials=3)
    assert [t.state for t in together.trials] == ["done"] * 3
    assert not list((tmp_path / "together").glob("together-*"))
    log = (together.folder(together.trials[1]) / "log.txt").read_text()
    assert "together with 2 others" in log
    monkeypatch.setattr("neurognode.runs.sweep.advance_together", lambda jobs, checkpoint: None)
    alone = sweep(config, space, tmp_path / "alone", n_trials=3)
    for one, two in zip(together.trials, alone.trials):
        assert one.params == two.params
        assert one.score == pytest.approx(two.score, abs=1e-4)
    assert together.best.is_finished


@pytest.mark.parametrize(("method", "max_steps", "rung"), [("asha", 300, 100), ("population", 150, 50)])
def test_a_rung_trains_together(
    method: str,
    max_steps: int,
    rung: int,
    small_recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = small(small_recording, max_steps)
    config.model.arguments["validation_fraction"] = 0.2
    together = sweep(config, RATES, tmp_path / "together", method=method, n_trials=3)
    logs = [(together.folder(t) / "log.txt").read_text() for t in together.trials]
    assert all("together with" in log for log in logs)
    monkeypatch.setattr("neurognode.runs.sweep.advance_together", lambda jobs, checkpoint: None)
    alone = sweep(config, RATES, tmp_path / "alone", method=method, n_trials=3)
    for one, two in zip(together.trials, alone.trials):
        assert (one.params, one.state) == (two.params, two.state)
        assert np.isfinite(one.scores[rung])
        assert one.scores[rung] == pytest.approx(two.scores[rung], abs=1e-3)
        assert one.scores == pytest.approx(two.scores, abs=0.05)
    assert together.best.is_finished
