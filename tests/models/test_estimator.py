"""`LatentDynamics`: verbs, masks, scikit-learn's rules, saving, and what it says to bad input."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from neurognode.dynamics.methods import METHODS
from neurognode.errors import RunError
from neurognode.models import Ensemble, LatentDynamics, LatentGNODE, load
from neurognode.training.checkpoint import read_tensors, write_tensors
from neurognode.trials import make_trials


def rotation(
    n_trials: int = 60, n_bins: int = 40, n_units: int = 20, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (trial, time, unit) and rates in spikes/s of a noiseless rotation, exponential readout."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n_trials, 1)) + 2 * np.pi * np.arange(n_bins) * 0.02 * 1.5
    latent = np.stack([np.cos(phase), np.sin(phase)], -1)
    rates = np.exp(latent @ rng.normal(0, 1.0, (2, n_units)) + np.log(8))
    return rng.poisson(rates * 0.02), rates


def quick(**changes: Any) -> LatentDynamics:
    base: dict[str, Any] = {
        "latent_dim": 2,
        "max_steps": 4,
        "progress": False,
        "random_state": 0,
        "n_samples": 2,
    }
    base["encoder_options"] = {"hidden": 8}
    base["dynamics_options"] = {"hidden": (8,)}
    return LatentDynamics(**{**base, **changes})


def trials_of(counts: np.ndarray, **options: Any) -> xr.Dataset:
    return make_trials(counts, bin_size=0.02, **options)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return rotation()[0]


@pytest.mark.parametrize("preset", ["dynamics", "denoise"])
def test_finds_rates_in_units_it_was_not_shown(preset: str) -> None:
    counts, rates = rotation(n_trials=120)
    model = LatentGNODE(
        3, preset=preset, encode_units=np.arange(15), max_steps=250, random_state=0, progress=False,
        encoder_options={"hidden": 24}, dynamics_options={"hidden": (32,), "tau": 0.05}, learning_rate=1e-2,
    )  # fmt: skip
    model.fit(trials_of(counts[:100]))
    test = trials_of(counts[100:])
    predicted = model.predict(test).values[:, :, 15:]
    truth = rates[100:, :, 15:]
    r = np.corrcoef(np.log(predicted).ravel(), np.log(truth).ravel())[0, 1]
    assert r > 0.85
    assert model.score(test) > 0.1


def test_calcium_is_fitted_in_its_own_units() -> None:
    _, rates = rotation(n_units=12)
    rng = np.random.default_rng(0)
    signal = 5 + 0.1 * (np.log(rates) + rng.normal(0, 0.3, rates.shape))
    trials = trials_of(signal, kind="calcium")
    model = quick(max_steps=250, encoder_options={"hidden": 24}, learning_rate=1e-2).fit(trials)
    assert type(model.network_.likelihood).__name__ == "Gaussian"
    assert model.score(trials) > 0.5
    assert abs(float(model.predict(trials).mean()) - 5.2) < 0.2


def test_labels_and_units(counts: np.ndarray) -> None:
    trials = trials_of(
        counts, units={"unit": [f"u{i}" for i in range(20)]}, columns={"choice": np.arange(60) % 2}
    )
    model = quick().fit(trials)
    latents, rates = model.transform(trials), model.predict(trials)
    assert latents.dims == ("trial", "time", "latent")
    assert rates.dims == ("trial", "time", "unit")
    assert latents["std"].shape == latents.shape
    assert rates["unit"].values.tolist() == trials["unit"].values.tolist()
    assert "choice" in latents.coords
    assert rates.attrs["units"] == "spikes/s"
    assert model.visited(trials).shape == (60 * 40, 2)
    shuffled = trials.isel(unit=np.random.default_rng(0).permutation(20))
    assert np.array_equal(model.predict(shuffled).values, rates.values)
    for what, width in (("signal", 20), ("rates", 20), ("latents", 2)):
        for prior in (False, True):
            assert model.sample(trials, 3, what=what, prior=prior).shape == (3, 60, 40, width)


@pytest.mark.parametrize(
    "options", [{}, {"preset": "denoise"}, {"process_noise": "anneal"}, {"encoder": "transformer"}]
)
def test_bins_that_were_not_recorded_have_no_influence(counts: np.ndarray, options: dict) -> None:
    if options.get("encoder") == "transformer":
        options = {**options, "encoder_options": {"hidden": 8}}
    observed = np.ones(counts.shape, bool)
    observed[:, 25:] &= (np.arange(60) % 3 > 0)[:, None, None]
    observed[5:9, 3:8, :4] = False
    observed[11, 10:14] = False
    rubbish = np.where(observed, counts, 77)
    fits = [quick(**options).fit(trials_of(c, observed=observed)) for c in (counts, rubbish)]
    pairs = zip(fits[0].network_.state_dict().values(), fits[1].network_.state_dict().values())
    assert all(torch.equal(a, b) for a, b in pairs)
    one, two = (m.predict(trials_of(c, observed=observed)).values for m, c in zip(fits, (counts, rubbish)))
    assert np.array_equal(one, two, equal_nan=True)
    assert np.isnan(one[0, 25:]).all()
    assert np.isfinite(one[1]).all()


def test_padding_a_trial_changes_nothing(counts: np.ndarray) -> None:
    model = quick(n_samples=0).fit(trials_of(counts))
    padded = np.concatenate([counts, np.zeros((60, 10, 20), int)], 1)
    observed = np.broadcast_to(np.arange(50) < 40, (60, 50))
    plain, longer = model.predict(trials_of(counts)), model.predict(trials_of(padded, observed=observed))
    assert np.allclose(plain.values, longer.values[:, :40], rtol=1e-5)


def test_held_out_units_reach_the_likelihood_but_not_the_encoder(counts: np.ndarray) -> None:
    model = quick(encode_units=np.arange(12)).fit(counts)
    changed = counts.copy()
    changed[:, :, 12:] += 5
    assert np.array_equal(model.predict(changed).values, model.predict(counts).values)
    assert not np.array_equal(quick(encode_units=np.arange(12)).fit(changed).predict(counts).values,
                              model.predict(counts).values)  # fmt: skip
    trials = make_trials(counts, bin_size=0.01)
    assert np.array_equal(model.predict(trials.isel(unit=slice(0, 12))).values, model.predict(counts).values)


@pytest.mark.parametrize("preset", ["dynamics", "denoise"])
def test_same_seed_same_numbers_and_saved_to_the_last_bit(
    counts: np.ndarray, preset: str, tmp_path: Path
) -> None:
    trials = trials_of(counts, inputs=np.random.default_rng(0).normal(size=(60, 40, 2)))
    one, two = (quick(preset=preset, session_drift=3).fit(trials) for _ in range(2))
    rates = one.predict(trials)
    assert np.array_equal(rates.values, two.predict(trials).values)
    for place in (tmp_path / "folder", tmp_path / "weights.safetensors"):
        one.save(place)
        again = load(place)
        assert np.array_equal(again.predict(trials).values, rates.values)
        assert again.score(trials) == one.score(trials)
        assert again.get_params()["preset"] == preset
        assert again.input_names_ == ["inputs_0", "inputs_1"] or len(again.input_names_) == 2
        assert again.history_ == one.history_


def test_scikit_learn_rules(counts: np.ndarray) -> None:
    model = quick()
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.transform(counts)
    scores = cross_val_score(quick(), counts, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(quick(), {"latent_dim": [1, 2]}, cv=2).fit(counts)
    assert search.best_params_["latent_dim"] in (1, 2)


def test_autonomous_fits_end_in_the_free_run(counts: np.ndarray) -> None:
    model = quick(process_noise="anneal", n_samples=0).fit(counts)
    assert model.diffusion_ is None
    latents = torch.from_numpy(model.transform(counts).values)
    from neurognode.dynamics import integrate

    with torch.no_grad():
        free = integrate(model.field_, latents[:, 0], np.arange(40) * 0.01)
    assert free.allclose(latents, atol=1e-5)
    assert quick().fit(counts).diffusion_ is not None


def test_silent_units_are_kept_out_listed_and_given_a_rate(counts: np.ndarray) -> None:
    silent = counts.copy()
    silent[:, :, [3, 7]] = 0
    with pytest.warns(UserWarning, match=r"2 units never change.*: 3, 7"):
        model = quick().fit(trials_of(silent))
    rates = model.predict(trials_of(silent)).values
    assert rates.shape == counts.shape
    assert (rates[:, :, 3] > 0).all()
    assert len(model.network_.readout.bias) == 18


def test_bins_that_are_not_finite_are_said_once(counts: np.ndarray) -> None:
    broken = counts.astype(float)
    broken[0, 2:4, 3] = np.nan
    broken[1, 5, 6] = np.inf
    said = r"3 bins of 2 units hold NaN or infinity and count as not recorded: 3 \(2\), 6 \(1\)"
    with pytest.warns(UserWarning, match=said) as caught:
        Ensemble(quick(), 2).fit(broken)
    assert len(caught) == 1
    observed = np.isfinite(broken)
    quick().fit(make_trials(broken, bin_size=0.01, observed=observed))


BAD = [
    ({}, lambda c: c * 0, "nothing to fit"),
    ({}, lambda c: np.where(np.arange(20) == 4, c - 0.5, c), "these units have others: 4"),
    ({"latent_dim": 30}, lambda c: c, "more than the 20 units"),
    ({}, lambda c: c[:, :1], "holds one bin"),
    ({}, lambda c: c[:, :, 0], "shape"),
    ({"likelihood": "poison"}, lambda c: c, "Did you mean 'poisson'"),
    ({"preset": "dynamic"}, lambda c: c, "Did you mean 'dynamics'"),
    ({"encoder": "causal_gru", "process_noise": False}, lambda c: c, "sees no later bins"),
    ({"encode_units": [99]}, lambda c: c, "99"),
    ({"process_noise": "some"}, lambda c: c, "process_noise"),
    ({"max_steps": 0}, lambda c: c, "max_steps"),
    ({"method": "mid"}, lambda c: c, "method=.mid."),
    ({"validation_fraction": 1.5}, lambda c: c, "validation_fraction"),
    ({"learning_rate": float("nan")}, lambda c: c, "learning_rate=nan"),
    ({"kl_weight": -1.0}, lambda c: c, "kl_weight"),
    ({"max_seconds": 0}, lambda c: c, "max_seconds"),
    ({"encoder_options": {"hiden": 4}}, lambda c: c, "Did you mean 'hidden'"),
    ({"dynamics_options": {"taw": 4}}, lambda c: c, "Did you mean 'tau'"),
    ({}, lambda c: c[:0], "empty"),
]


@pytest.mark.parametrize(("options", "change", "message"), BAD)
def test_bad_input_is_one_clear_message(counts: np.ndarray, options: dict, change: Any, message: str) -> None:
    changed = change(counts)
    model = quick(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=message):
            model.fit(changed)


def test_bad_trials_after_fitting(counts: np.ndarray) -> None:
    inputs = np.zeros((60, 40, 1))
    model = quick().fit(trials_of(counts, inputs=inputs, input_names=["go"]))
    with pytest.raises(ValueError, match="takes the inputs"):
        model.predict(trials_of(counts))
    with pytest.raises(ValueError, match="an input 'go', which these trials lack"):
        model.predict(trials_of(counts, inputs=inputs, input_names=["goo"]))
    inputs[4, 3] = np.nan
    with pytest.raises(ValueError, match="in 1 trials, the first is trial 4"):
        model.predict(trials_of(counts, inputs=inputs, input_names=["go"]))
    with pytest.raises(ValueError, match="not in these trials"):
        model.predict(trials_of(counts, inputs=inputs * 0, input_names=["go"]).isel(unit=slice(0, 5)))
    with pytest.raises(ValueError, match=r"bins of 0\.05 s"):
        model.predict(make_trials(counts, bin_size=0.05))


def test_small_and_odd_shapes_fit(counts: np.ndarray) -> None:
    for few in (counts[:1], counts[:3], counts[:, :2]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.isfinite(quick().fit(few).predict(few).values).all()


@pytest.mark.parametrize("noise", [True, False])
def test_every_way_to_step_the_field_is_passed_on(counts: np.ndarray, tmp_path: Path, noise: bool) -> None:
    found = {}
    for method in METHODS:
        model = quick(method=method, substeps=2, process_noise=noise).fit(trials_of(counts))
        model.save(tmp_path / method)
        found[method] = load(tmp_path / method).transform(trials_of(counts)).values
    for method, latents in found.items():
        assert np.isfinite(latents).all()
        assert method == "euler" or not np.allclose(latents, found["euler"], rtol=1e-6)


def test_damaged_or_foreign_files(counts: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    quick().fit(counts).save(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RunError):
        load(path)
    with pytest.raises(RunError, match="no file"):
        load(tmp_path / "missing.safetensors")


def test_checkpoints_that_cannot_be_resumed(counts: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    quick(checkpoint=path).fit(counts)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + bytes(40))
    with pytest.raises(RunError, match="not those that were written"):
        quick(checkpoint=path, resume=True).fit(counts)
    path.write_bytes(whole)
    with pytest.raises(RunError, match="another shape: size mismatch"):
        quick(checkpoint=path, resume=True, latent_dim=3).fit(counts)
    tensors, meta = read_tensors(path)
    write_tensors(path, tensors, {**meta, "version": 99})
    with pytest.raises(RunError, match="version 99"):
        quick(checkpoint=path, resume=True).fit(counts)


def test_callbacks_hear_every_step(counts: np.ndarray) -> None:
    heard: list[tuple[int, int]] = []
    quick(callbacks=[lambda step, total, metrics: heard.append((step, total))]).fit(counts)
    assert heard == [(i + 1, 4) for i in range(4)]


def test_refining_the_first_state_raises_the_likelihood_of_what_was_seen() -> None:
    counts, _ = rotation(n_trials=80)
    model = quick(process_noise="anneal", max_steps=120, n_samples=0, encoder_options={"hidden": 24})
    model.set_params(dynamics_options={"hidden": (24,), "tau": 0.05}, learning_rate=1e-2)
    trials = trials_of(counts)
    plain = model.fit(trials).score(trials)
    refined = model.set_params(refine_steps=3).score(trials)
    assert refined > plain
