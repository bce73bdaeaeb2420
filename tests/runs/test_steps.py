from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from neurognode.errors import RunError
from neurognode.runs import RunConfig, evaluate_run, fit_run, load_run
from neurognode.runs.decoding import against_truth, behavior_r2


def again(small_run: Path, out: Path, **changes: object) -> np.ndarray:
    config = RunConfig.load(small_run / "config.yaml")
    config.model.members = 1
    run = fit_run(config.model_copy(update=changes), out, progress=False)
    return run.latents["latents"].values


def test_same_seed_same_numbers(small_run: Path, tmp_path: Path) -> None:
    first, second = again(small_run, tmp_path / "a"), again(small_run, tmp_path / "b")
    assert np.array_equal(first, second)
    assert not np.array_equal(first, again(small_run, tmp_path / "c", seed=7))


def test_config_is_enough_to_repeat_a_run(small_run: Path, tmp_path: Path) -> None:
    text = (small_run / "config.yaml").read_text()
    run = fit_run(RunConfig.from_yaml(text), tmp_path / "again", progress=False)
    assert np.array_equal(run.latents["latents"].values, load_run(small_run).latents["latents"].values)
    assert yaml.safe_load(text)["schema_name"] == "neurognode.run"


def test_scores_stand_beside_baselines(small_run: Path) -> None:
    metrics = load_run(small_run).metrics
    methods = [row["method"] for row in metrics["table"]]
    assert methods[0] == "this fit (3 members averaged)"
    assert {"mean rate", "PSTH", "smoothing + GLM"} <= set(methods)
    assert len(metrics["held_out_units"]) == 3
    assert all(np.isfinite(row["co_bps"]) for row in metrics["table"])


def test_evaluate_gives_the_same_scores_elsewhere(
    small_run: Path, small_recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(small_run, folder)
    (folder / "metrics.json").unlink()
    moved = shutil.copy(small_recording, tmp_path / "renamed.nwb")
    assert evaluate_run(load_run(folder), recording=moved)["table"] == load_run(small_run).metrics["table"]


def test_resume_refuses_other_settings(small_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_run, folder)
    config = RunConfig.load(folder / "config.yaml")
    config.model.arguments["latent_dim"] = 3
    with pytest.raises(RunError, match="other settings"):
        fit_run(config, folder, resume=True, progress=False)


def test_settings_that_do_not_work_leave_no_folder(small_run: Path, tmp_path: Path) -> None:
    config = RunConfig.load(small_run / "config.yaml")
    config.model.arguments["encoder"] = "gur"
    with pytest.raises(ValueError, match="gru"):
        fit_run(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_control_destroys_what_it_says(small_run: Path, tmp_path: Path) -> None:
    intact, shuffled = (
        again(small_run, tmp_path / "a"),
        again(small_run, tmp_path / "b", control="shuffle-time"),
    )
    assert not np.allclose(intact, shuffled)


def test_behaviour_is_read_from_latents_of_training_trials() -> None:
    import xarray as xr

    from neurognode import make_trials

    rng = np.random.default_rng(0)
    states = rng.normal(size=(40, 20, 2))
    later = np.concatenate([np.zeros((40, 2, 1)), states[:, :-2, :1]], axis=1)
    trials = make_trials(np.ones((40, 20, 3)), bin_size=0.05, behavior=later, covariate_names=["speed"])
    latents = xr.DataArray(states, dims=("trial", "time", "latent"))
    found = behavior_r2(latents, trials, np.arange(40) >= 30)
    assert found is not None
    assert found["lag"] == pytest.approx(0.1)
    assert found["r2"]["speed"] > 0.99


def test_truth_scores_are_of_test_trials_and_affine() -> None:
    import xarray as xr

    rng = np.random.default_rng(0)
    true = rng.normal(size=(20, 30, 2))
    dims = ("trial", "time", "latent")
    latents = xr.DataArray(true @ rng.normal(size=(2, 2)) + 3, dims=dims)
    padded = xr.DataArray(np.concatenate([true, rng.normal(size=(20, 30, 2))], 2), dims=dims)
    truth = xr.Dataset({"latents": (dims, true)})
    is_test = np.arange(20) >= 15
    assert against_truth(latents, None, truth, is_test)["latent_r2"] == pytest.approx(1)
    made_up = against_truth(padded, None, truth, is_test)
    assert made_up["latent_r2"] == pytest.approx(1)
    assert made_up["state_r2"] < 0.7


def test_angles_are_decoded_as_points_on_a_circle() -> None:
    import xarray as xr

    from neurognode import make_trials
    from neurognode.runs.decoding import phase_against_angles

    rng = np.random.default_rng(0)
    heading = rng.normal(0, 0.5, (20, 30)).cumsum().reshape(20, 30)
    circle = np.stack([np.cos(heading), -np.sin(heading)], 2) + 0.05 * rng.normal(size=(20, 30, 2))
    latents = xr.DataArray(circle, dims=("trial", "time", "latent"))
    trials = make_trials(
        np.ones((20, 30, 3)), bin_size=0.1, behavior=heading[..., None], covariate_names=["heading"],
        absolute_start=np.arange(20) * 3.0, columns={"segment": [0] * 10 + [1] * 10},
    ).assign_coords(covariate_unit=("covariate", ["radians"]))  # fmt: skip
    found = behavior_r2(latents, trials, np.arange(20) >= 15)
    assert found is not None
    assert set(found["r2"]) == {"cos heading", "sin heading"}
    assert min(found["r2"].values()) > 0.95
    correlations = phase_against_angles(latents, trials)["heading"]
    assert len(correlations) == 2
    assert max(correlations) < -0.99, "one sense in every stretch"


def test_members_are_kept_in_their_own_space(small_run: Path) -> None:
    from neurognode.runs.prepare import cut
    from neurognode.runs.steps.interpret import member_states

    run = load_run(small_run)
    trials = cut(run.recording(), run.config.alignment)
    states = member_states(run)
    for own, member in zip(states, run.fits.members_):
        assert np.allclose(own, member.transform(trials).values, atol=1e-6)
