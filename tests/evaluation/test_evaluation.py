"""Evaluation protocols on recordings whose truth is known, with models whose behaviour is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.base import BaseEstimator

from neurognode import evaluation
from neurognode.evaluation import SmoothingGLM
from neurognode.evaluation.glm import PoissonRegression
from neurognode.metrics import bits_per_spike, mean_counts
from neurognode.synthetic import circuits, simulate_recording
from neurognode.trials import filled


class Oracle(BaseEstimator):
    """A model that knows the true rates of every trial; `spoil` scales them."""

    def __init__(self, truth, encode_units=None, spoil=1.0):
        self.truth, self.encode_units, self.spoil = truth, encode_units, spoil

    def fit(self, trials):
        self.n_fitted_ = trials.sizes["trial"]
        return self

    def predict(self, trials):
        rates = self.truth["rates"].sel(trial=trials["trial"]).assign_coords(unit=trials["unit"])
        return self.spoil * rates

    def transform(self, trials):
        return self.truth["latents"].sel(trial=trials["trial"])


@pytest.fixture(scope="module")
def bistable():
    recording = simulate_recording(circuits.make("bistable"), n_units=40, n_trials=80, random_state=0)
    trials = recording.trials(0.02)
    truth = recording.truth(0.02).assign_coords(trial=trials["trial"])
    return trials, truth


def _split(trials):
    return trials.isel(trial=slice(60)), trials.isel(trial=slice(60, None))


def test_poisson_regression_finds_the_weights():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20000, 3)) * [1, 2, 0.5] + 1.0
    weights = np.array([[0.3, -0.2], [0.1, 0.2], [-0.5, 0.0]])
    counts = rng.poisson(np.exp(x @ weights - 1.0))
    model = PoissonRegression(1e-8).fit(x, counts)
    found = np.log(model.predict(x[:50]))
    np.testing.assert_allclose(found, x[:50] @ weights - 1.0, atol=0.1)


def test_poisson_regression_ignores_what_has_no_weight():
    rng = np.random.default_rng(0)
    x, counts = rng.normal(size=(500, 2)), rng.poisson(1.0, (500, 3)).astype(float)
    keep = (rng.random((500, 3)) < 0.6).astype(float)
    spoiled = np.where(keep > 0, counts, 50.0)
    one, two = (PoissonRegression(1e-2).fit(x, c, keep).predict(x) for c in (counts, spoiled))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_the_benchmark_split_is_the_published_one():
    split = evaluation.benchmark_split(61, 112)
    rng = np.random.default_rng(0)
    units, trials = rng.permutation(61), rng.permutation(112)
    assert set(split.held_out) == set(units[:15])
    assert set(split.test) == set(trials[:22])
    assert not set(split.train) & set(split.test)
    assert len(split.held_in) == 46


def test_smoothing_and_regression_beat_the_average_and_stay_below_the_truth(bistable):
    trials, truth = bistable
    train, test = _split(trials)
    seen = np.arange(30)
    found = evaluation.baselines(train, test, encode_units=seen)
    counts, _ = filled(test)
    null = mean_counts(*filled(train))[30:]
    true = truth["rates"].values[60:, :, 30:] * 0.02
    scores = {k: bits_per_spike(v, counts[..., 30:], null) for k, v in found.items()}
    assert scores["mean rate"] == pytest.approx(0, abs=1e-9)
    assert 0.03 < scores["smoothing + GLM"] < bits_per_spike(true, counts[..., 30:], null)
    assert scores["PSTH"] < scores["smoothing + GLM"]


def test_uneven_trials_and_units_that_come_and_go():
    recording = simulate_recording(
        circuits.make("bistable"), n_units=40, n_trials=80, uneven=0.3, missing=0.4, random_state=0
    )
    trials = recording.trials(0.02)
    truth = recording.truth(0.02).assign_coords(trial=trials["trial"])
    train, test = _split(trials)
    scores = evaluation.evaluate(Oracle(truth, np.arange(30)), train, test, condition="choice")
    rows = {row["method"]: row["co_bps"] for row in scores["table"]}
    assert 0.02 < rows["smoothing + GLM"] < rows["this model"]
    absent = trials.copy(deep=True)
    absent["observed"][:, :, :30] = False
    model = SmoothingGLM(widths=(0.08,), alphas=(1e-2,)).fit(train, np.arange(40) < 30)
    typical = model.predict(absent) / mean_counts(*filled(train))[30:]
    assert 0.5 < np.median(typical) < 1.5


def test_condition_averages_use_the_condition(bistable):
    train, test = _split(bistable[0])
    counts, _ = filled(test)
    null = mean_counts(*filled(train))
    plain = evaluation.baselines(train, test)["PSTH"]
    known = evaluation.baselines(train, test, condition="choice")["PSTH"]
    assert bits_per_spike(known, counts, null) > bits_per_spike(plain, counts, null) + 0.02


def test_the_truth_wins_and_the_result_is_json(bistable):
    trials, truth = bistable
    train, test = _split(trials)
    model = Oracle(truth, encode_units=np.arange(30)).fit(train)
    scores = evaluation.evaluate(model, train, test, condition="choice", truth=truth.sel(trial=test["trial"]))
    json.dumps(scores)
    rows = {row["method"]: row for row in scores["table"]}
    assert rows["this model"]["ours"]
    assert rows["this model"]["co_bps"] > rows["smoothing + GLM"]["co_bps"]
    assert scores["gain"]["low"] > 0
    assert scores["held_out_units"] == list(range(30, 40))
    assert not scores["notes"]
    measures = {m["name"]: m["value"] for m in scores["measures"]}
    assert measures["R² of rates against the truth"] == pytest.approx(1)
    assert measures["latent R²"] == pytest.approx(1)


def test_a_worse_model_scores_worse(bistable):
    trials, truth = bistable
    train, test = _split(trials)
    good, bad = (
        evaluation.evaluate(Oracle(truth, np.arange(30), spoil), train, test)["table"][0]["co_bps"]
        for spoil in (1.0, 1.5)
    )
    assert bad < good - 0.05


def test_an_ensemble_is_scored_on_the_units_its_members_did_not_see(bistable):
    trials, truth = bistable
    inner = Oracle(truth, encode_units=np.arange(30))
    wrapped = Oracle(truth)
    wrapped.model = inner
    scores = evaluation.evaluate(wrapped, *_split(trials))
    assert scores["held_out_units"] == list(range(30, 40))


def test_the_end_of_a_trial_is_forecast_by_the_field():
    circuit = circuits.make("limit_cycle")
    recording = simulate_recording(circuit, n_units=30, n_trials=40, random_state=0)
    trials, truth = recording.trials(0.02), recording.truth(0.02)

    class Known:
        input_names_: tuple = ()
        mean_, active_ = np.zeros(30), np.ones(30, bool)
        field_ = recording.circuit.field.float()

        class network_:
            class path:
                method, substeps = "rk4", 1

            class likelihood:
                @staticmethod
                def expected(location):
                    return location * 0.02

            @staticmethod
            def location(states):
                return torch.as_tensor(np.exp(states.numpy() @ recording.weights.T + recording.bias))

        def transform(self, given):
            return truth["latents"][:, : given.sizes["time"]]

    train, test = trials.isel(trial=slice(20)), trials
    good = evaluation.forecast_bits(Known(), train, test, 0.2)
    counts, _ = filled(trials)
    ceiling = bits_per_spike(
        truth["rates"].values[:, -10:] * 0.02, counts[:, -10:], mean_counts(*filled(train))
    )
    assert 0.5 * ceiling < good < ceiling + 0.02
    with pytest.raises(ValueError, match="shorter than the trials"):
        evaluation.forecast(Known(), test, 5.0)


def test_without_held_out_units_a_note_warns(bistable):
    trials, truth = bistable
    scores = evaluation.evaluate(Oracle(truth), *_split(trials))
    assert "bits_per_spike" in scores["names"]
    assert "seen the very counts" in scores["notes"][0]


def test_continuous_signals_are_scored_by_r2(bistable):
    trials, truth = bistable
    noisy = truth["rates"].values + np.random.default_rng(0).normal(size=truth["rates"].shape)
    calcium = trials.drop_vars("counts").assign(activity=(("trial", "time", "unit"), noisy))
    calcium.attrs["activity_kind"] = "calcium"
    scores = evaluation.evaluate(Oracle(truth), *_split(calcium))
    rows = {row["method"]: row["r2"] for row in scores["table"]}
    assert rows["this model"] > 0.9
    assert rows["mean"] == pytest.approx(0, abs=1e-9)


def test_the_choice_can_be_decoded_late_but_not_early(bistable):
    trials, truth = bistable
    found = evaluation.decode_condition(truth["latents"].assign_coords(time=trials["time"]), trials["choice"])
    assert found["accuracy"][-1] > 0.95
    assert found["accuracy"][0] < 0.8
    assert found["accuracy"][-1] - found["accuracy"][0] > 0.2


def test_labels_without_information_are_decoded_at_chance(bistable):
    trials, truth = bistable
    labels = np.random.default_rng(0).permutation(trials["choice"].values)
    found = evaluation.decode_condition(truth["latents"].assign_coords(time=trials["time"]), labels)
    assert np.mean(found["accuracy"]) < found["chance"] + 0.12


def test_behavior_is_decoded_by_ridge_and_by_neighbours():
    rng = np.random.default_rng(0)
    latents = xr.DataArray(rng.uniform(-1, 1, (40, 30, 2)), dims=("trial", "time", "latent"))
    bent = xr.DataArray(latents.values[..., :1] ** 2, dims=("trial", "time", "covariate"))
    assert evaluation.decode_behavior(latents, bent)["covariate_0"] < 0.1
    assert evaluation.decode_behavior(latents, bent, method="knn")["covariate_0"] > 0.8


def test_the_ring_phase_follows_the_angle_of_every_run():
    rng = np.random.default_rng(0)
    angle = np.cumsum(rng.normal(0, 0.15, (4, 400)), axis=1)
    circle = np.stack([np.cos(angle), 0.4 * np.sin(angle)], axis=2)
    mixed = circle @ rng.normal(size=(2, 3)) + 0.02 * rng.normal(size=(4, 400, 3))
    found = evaluation.decode_angle(xr.DataArray(mixed, dims=("trial", "time", "latent")), angle)
    assert all(abs(run["r"]) > 0.95 for run in found)
    assert len({np.sign(run["r"]) for run in found}) == 1


@pytest.mark.parametrize("by", ["trial", "block", "choice"])
def test_folds_leave_every_trial_out_once(bistable, by):
    trials = bistable[0]
    found = evaluation.folds(trials, 2, by=by)
    assert sorted(np.concatenate([test for _, test in found])) == list(range(80))
    assert all(not set(train) & set(test) for train, test in found)
    if by == "choice":
        assert all(len(np.unique(trials["choice"].values[test])) == 1 for _, test in found)


def test_cross_validation_fits_clones_on_train_trials(bistable):
    trials, truth = bistable
    model = Oracle(truth, encode_units=np.arange(30))
    found = evaluation.cross_validate(model, trials, 4)
    assert not hasattr(model, "n_fitted_")
    assert found["table"][0]["co_bps"] > 0.05
    assert len(found["folds"]) == 4


def test_too_many_folds_are_refused(bistable):
    with pytest.raises(ValueError, match="n_splits=3"):
        evaluation.folds(bistable[0], 3, by="choice")
