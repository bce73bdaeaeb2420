"""Each surrogate keeps what it promises and destroys what it says."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode import make_trials
from neurognode.surrogates import SURROGATES, fit_maximum_entropy
from neurognode.trials import observed, signal


@pytest.fixture(scope="module")
def trials():
    rng = np.random.default_rng(0)
    choice = np.repeat([0, 1], 20)
    drive = np.where(choice == 1, 1.0, -1.0)[:, None, None] * np.linspace(0, 1, 30)[None, :, None]
    shared = np.cumsum(rng.normal(size=(40, 30, 1)), axis=1) * 0.2
    rates = np.exp(0.5 + drive * np.linspace(-1, 1, 8) + shared * np.linspace(1, -1, 8))
    mask = np.ones((40, 30), bool)
    mask[:5, 25:] = False
    return make_trials(rng.poisson(rates), bin_size=0.02, observed=mask, columns={"choice": choice})


@pytest.mark.parametrize("name", list(SURROGATES))
def test_seeded_valid_and_input_untouched(trials, name: str) -> None:
    before = signal(trials).values.copy()
    first, second, other = (SURROGATES[name](trials, seed) for seed in (0, 0, 1))
    assert first.equals(second)
    assert not first.equals(other)
    assert np.array_equal(signal(trials).values, before)
    assert first.attrs["surrogate"] == name


def filled(trials):
    return np.where(observed(trials), signal(trials).values, np.nan)


def shared_correlation(trials) -> float:
    residual = filled(trials) - np.nanmean(filled(trials), axis=0)
    flat = residual.reshape(-1, residual.shape[2])
    flat = flat[np.isfinite(flat).all(1)]
    return float(np.abs(np.corrcoef(flat.T)[np.triu_indices(flat.shape[1], 1)]).mean())


def test_circular_shift(trials) -> None:
    other = SURROGATES["circular_shift"](trials, 0)
    assert np.array_equal(np.nansum(filled(trials), 1), np.nansum(filled(other), 1))
    assert np.array_equal(observed(trials), observed(other))
    assert shared_correlation(other) < 0.7 * shared_correlation(trials)


def test_shuffle_trials(trials) -> None:
    other = SURROGATES["shuffle_trials"](trials, 0)
    assert np.allclose(np.nanmean(filled(trials), 0), np.nanmean(filled(other), 0))
    assert shared_correlation(other) < 0.3 * shared_correlation(trials)


def test_shuffle_conditions(trials) -> None:
    other = SURROGATES["shuffle_conditions"](trials, 0)
    assert np.array_equal(signal(other).values, signal(trials).values)
    assert sorted(other["choice"].values) == sorted(trials["choice"].values)
    with pytest.raises(ValueError, match="choice"):
        SURROGATES["shuffle_conditions"](trials, 0, columns=["choise"])


def test_shuffle_units(trials) -> None:
    other = SURROGATES["shuffle_units"](trials, 0)
    assert np.array_equal(signal(other).values.sum(2), signal(trials).values.sum(2))
    assert not np.array_equal(signal(other).values, signal(trials).values)


def test_shuffle_time(trials) -> None:
    other = SURROGATES["shuffle_time"](trials, 0)
    assert np.array_equal(np.nansum(filled(other), 1), np.nansum(filled(trials), 1))
    patterns = [sorted(map(tuple, signal(t).values[7].tolist())) for t in (trials, other)]
    assert patterns[0] == patterns[1]

    def smoothness(t):
        x = signal(t).values[5:].astype(float)
        return (np.diff(x, axis=1) ** 2).mean()

    assert smoothness(other) > smoothness(trials)


def test_phase_randomize_keeps_counts_and_nearly_the_spectrum(trials) -> None:
    other = SURROGATES["phase_randomize"](trials, 0)
    assert np.array_equal(np.sort(signal(other).values[7], 0), np.sort(signal(trials).values[7], 0))
    assert other.counts.dtype == trials.counts.dtype
    power = [
        (np.abs(np.fft.rfft(signal(t).values[5:], axis=1)) ** 2).mean((0, 2))[1:] for t in (trials, other)
    ]
    assert np.corrcoef(np.log(power[0]), np.log(power[1]))[0, 1] > 0.9
    assert shared_correlation(other) < 0.7 * shared_correlation(trials)


def test_maximum_entropy_keeps_covariances_and_forgets_order() -> None:
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 3, 20)[:, None] + np.linspace(0, 5, 6)[None]
    tensor = np.stack([np.cos(angle), np.sin(angle), 0.3 * angle], 1) + 0.1 * rng.normal(size=(20, 3, 6))
    null = fit_maximum_entropy(tensor)
    assert null.error < 0.02
    draws = np.stack([null.sample(rng) - null.mean for _ in range(400)])
    residual = tensor - null.mean
    for axis, others in ((0, "tabc,tdbc->ad"), (1, "tabc,tadc->bd"), (2, "tabc,tabd->cd")):
        wanted = np.einsum(others.replace("t", ""), residual, residual)
        got = np.einsum(others, draws, draws) / len(draws)
        assert np.abs(got - wanted).max() < 0.15 * np.abs(wanted).max(), axis


def test_maximum_entropy_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="constant"):
        fit_maximum_entropy(np.ones((4, 3, 2)))
    with pytest.raises(ValueError, match="three axes"):
        fit_maximum_entropy(np.ones((4, 3)))
