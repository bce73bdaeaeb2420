"""Several sessions share dynamics and encoder; units, and their number, differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neurognode.models import LatentDynamics, load
from neurognode.trials import make_trials


def sessions(n_trials: int = 60, n_bins: int = 30) -> list[xr.Dataset]:
    """Two recordings of one rotation, 14 and 9 units, whose phase at the start depends on the condition."""
    rng = np.random.default_rng(0)
    found = []
    for n_units in (14, 9):
        condition = rng.integers(0, 4, n_trials)
        phase = condition[:, None] * np.pi / 2 + 2 * np.pi * np.arange(n_bins) * 0.02 * 1.5
        latent = np.stack([np.cos(phase), np.sin(phase)], -1)
        rates = np.exp(latent @ rng.normal(0, 1, (2, n_units)) + np.log(10))
        counts = rng.poisson(rates * 0.02)
        found.append(make_trials(counts, bin_size=0.02, columns={"direction": condition}))
    return found


def model(**options: object) -> LatentDynamics:
    settings = {
        "max_steps": 4,
        "n_samples": 2,
        "encoder_options": {"hidden": 8},
        "dynamics_options": {"hidden": (8,)},
    }
    return LatentDynamics(2, progress=False, random_state=0, **{**settings, **options})


def test_verbs_take_and_give_lists(tmp_path: Path) -> None:
    two = sessions()
    fit = model(condition="direction").fit(two)
    latents, rates = fit.transform(two), fit.predict(two)
    assert [a.shape for a in latents] == [(60, 30, 2)] * 2
    assert [a.sizes["unit"] for a in rates] == [14, 9]
    assert fit.predict(two[1], session=1).equals(rates[1])
    assert fit.sample(two[1], 3, session=1).shape == (3, 60, 30, 9)
    assert fit.visited(two).shape == (2 * 60 * 30, 2)
    assert fit.score(two) == pytest.approx(np.mean([fit.score(t, session=i) for i, t in enumerate(two)]))
    fit.save(tmp_path)
    assert all(a.equals(b) for a, b in zip(load(tmp_path).predict(two), rates))


def test_condition_means_start_out_alike() -> None:
    two = sessions()
    fit = model(condition="direction", max_steps=1, learning_rate=1e-12).fit(two)
    parts = []
    for index, trials in enumerate(two):
        session = fit.network_.session(index)
        centred = (trials["counts"].values - session.centre.numpy()) / session.spread.numpy()
        shown = centred @ session.read_in.weight.detach().numpy()[:2].T
        parts.append(np.stack([shown[trials["direction"].values == c].mean(0) for c in range(4)]))
    r = np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]
    assert r > 0.8


def test_one_dynamics_serves_both() -> None:
    two = sessions()
    options = {"encoder_options": {"hidden": 24}, "dynamics_options": {"hidden": (24,), "tau": 0.05}}
    fit = model(condition="direction", max_steps=300, learning_rate=1e-2, **options).fit(two)
    assert min(fit.score(t, session=i) for i, t in enumerate(two)) > 0.1


@pytest.mark.parametrize("aligned", [True, False])
def test_an_added_session_is_fitted_with_the_dynamics_frozen(aligned: bool, tmp_path: Path) -> None:
    first, second = sessions()
    options = {"encoder_options": {"hidden": 24}, "dynamics_options": {"hidden": (24,), "tau": 0.05}}
    fit = model(condition="direction", max_steps=250, learning_rate=1e-2, **options).fit(first)
    before = {name: p.clone() for name, p in fit.network_.named_parameters()}
    rates = fit.predict(first)
    fit.add_session(second, like=(first, 0) if aligned else None)
    after = dict(fit.network_.named_parameters())
    assert all(after[name].equal(value) for name, value in before.items())
    assert fit.predict(first).equals(rates)
    assert fit.score(second, session=1) > 0.1
    latents = [fit.transform(t, session=i).values.mean(0) for i, t in enumerate((first, second))]
    assert latents[1].shape == latents[0].shape
    fit.save(tmp_path)
    again = load(tmp_path)
    assert again.predict(second, session=1).equals(fit.predict(second, session=1))
    with pytest.raises(ValueError, match=r"bins of 0\.05 s"):
        fit.add_session(make_trials(second["counts"].values, bin_size=0.05))
    assert len(fit.sessions_) == 2


def test_what_does_not_fit_is_said() -> None:
    two = sessions()
    with pytest.raises(ValueError, match="no column of these trials"):
        model(condition="directions").fit(two)
    odd = make_trials(two[1]["counts"].values, bin_size=0.05)
    with pytest.raises(ValueError, match="different bin sizes"):
        model().fit([two[0], odd])
    fit = model().fit(two)
    with pytest.raises(ValueError, match="fitted to 2"):
        fit.transform([two[0]])
    with pytest.raises(ValueError, match="session=5"):
        fit.transform(two[0], session=5)


def test_partial_fit_trains_on() -> None:
    first = sessions()[0]
    fit = model(max_steps=30).partial_fit(first)
    before = fit.network_.readout.weight.clone()
    score = fit.score(first)
    for _ in range(4):
        fit.partial_fit(first)
    assert not before.equal(fit.network_.readout.weight)
    assert fit.score(first) > score
