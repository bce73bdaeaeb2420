"""Metrics against independent implementations (scipy, scikit-learn) and cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from neurognode import metrics

rng = np.random.default_rng(0)
RATES = rng.gamma(2.0, 0.2, (12, 20, 5))
COUNTS = rng.poisson(RATES).astype(float)


def test_likelihood_is_that_of_scipy():
    np.testing.assert_allclose(metrics.poisson_nll(RATES, COUNTS), -stats.poisson.logpmf(COUNTS, RATES))


def test_bits_per_spike_is_the_benchmark_formula():
    null = COUNTS.mean(axis=(0, 1))
    gain = stats.poisson.logpmf(COUNTS, RATES).sum() - stats.poisson.logpmf(COUNTS, null).sum()
    assert metrics.bits_per_spike(RATES, COUNTS) == pytest.approx(
        gain / (COUNTS.sum() * np.log(2)), rel=1e-12
    )


def test_bins_that_were_not_observed_do_not_count():
    observed = rng.random((12, 20)) < 0.7
    hidden = np.where(observed[..., None], COUNTS, np.nan)
    garbage = np.where(observed[..., None], COUNTS, 999)
    wild = np.where(observed[..., None], RATES, np.nan)
    one = metrics.bits_per_spike(wild, hidden)
    two = metrics.bits_per_spike(RATES, garbage, observed=observed)
    three = metrics.bits_per_spike(RATES, garbage, observed=np.repeat(observed[..., None], 5, 2))
    assert one == pytest.approx(two, rel=1e-12)
    assert two == pytest.approx(three, rel=1e-12)
    assert one != pytest.approx(metrics.bits_per_spike(RATES, COUNTS), rel=1e-6)


def test_zero_rates_are_finite_and_bad_rates_are_refused():
    assert np.isfinite(metrics.bits_per_spike(np.zeros_like(RATES), COUNTS))
    for bad in (np.nan, -1.0):
        with pytest.raises(ValueError, match="at least 0"):
            metrics.bits_per_spike(np.full_like(RATES, bad), COUNTS)


def test_no_spike_gives_nan():
    assert np.isnan(metrics.bits_per_spike(RATES, np.zeros_like(COUNTS)))


def test_paired_gain_is_the_difference_of_bits_per_spike_and_covers_it():
    other = np.full_like(RATES, RATES.mean())
    gain, low, high = metrics.paired_gain(RATES, other, COUNTS)
    wanted = metrics.bits_per_spike(RATES, COUNTS) - metrics.bits_per_spike(other, COUNTS)
    assert gain == pytest.approx(wanted, rel=1e-9)
    assert low < gain < high


@pytest.mark.parametrize(
    ("average", "sklearn_name"), [("weighted", "variance_weighted"), ("uniform", "uniform_average")]
)
def test_r2_is_that_of_sklearn(average, sklearn_name):
    a, b = RATES.reshape(-1, 5), COUNTS.reshape(-1, 5)
    wanted = r2_score(b, a, multioutput=sklearn_name)
    assert metrics.r2(b, a, average=average) == pytest.approx(wanted, rel=1e-12)
    assert metrics.r2(b, a, average="flat") == pytest.approx(r2_score(b.ravel(), a.ravel()), rel=1e-12)


def test_state_r2_punishes_invented_dimensions_and_latent_r2_missing_ones():
    true = rng.normal(size=(2000, 3))
    extra = np.hstack([true, rng.normal(size=(2000, 3))])
    assert metrics.latent_r2(extra, true) == pytest.approx(1)
    assert metrics.state_r2(true, extra) == pytest.approx(0.5, abs=0.03)
    assert metrics.latent_r2(true[:, :2], true) == pytest.approx(2 / 3, abs=0.03)
    assert metrics.state_r2(true, true[:, :2]) == pytest.approx(1)


def test_maps_are_fitted_on_the_train_data_only():
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    assert metrics.latent_r2(x, y, train=(x[:3], y[:3])) < metrics.latent_r2(x, y)


def test_cycle_consistency_loses_what_no_unit_reads():
    latents = rng.normal(size=(1000, 4))
    seen = rng.normal(size=(4, 30))
    unseen = seen * np.array([[1], [1], [1], [0]])
    assert metrics.cycle_consistency(latents, latents @ seen, threshold=0) == pytest.approx(1)
    assert metrics.cycle_consistency(latents, latents @ unseen) == pytest.approx(0.75, abs=0.03)


def test_psth_r2_averages_over_trials():
    truth = np.abs(rng.normal(size=(2, 40, 6))) + 0.5
    conditions = np.arange(400) % 2
    counts = rng.poisson(truth[conditions])
    assert metrics.psth_r2(truth[conditions], counts, conditions) > 0.95
    assert metrics.psth_r2(truth[1 - conditions], counts, conditions) < 0.5


def test_psth_r2_leaves_out_units_that_were_never_recorded():
    rates = np.abs(rng.normal(size=(10, 20, 3))) + 0.1
    conditions = np.arange(10) % 2
    observed = np.ones((10, 20, 3), bool)
    observed[..., 2] = False
    noisy = rates + 0.1 * rng.normal(size=rates.shape)
    whole = metrics.psth_r2(rates[..., :2], noisy[..., :2], conditions)
    assert metrics.psth_r2(rates, noisy, conditions, observed=observed) == pytest.approx(whole)


def test_smoothing_does_not_take_a_gap_for_silence():
    values = np.ones((50, 1))
    observed = np.ones((50, 1), bool)
    observed[20:25] = False
    assert np.nanmin(
        metrics.smoothed(np.where(observed, values, 0), 2.0, observed=observed)
    ) == pytest.approx(1)


def test_velocity_r2_finds_the_lag():
    rates = rng.normal(size=(40, 50, 6))
    velocity = np.roll(rates[..., :2], 3, axis=1) + 0.1 * rng.normal(size=(40, 50, 2))
    velocity[:, :3] = np.nan
    split = (rates[:30], velocity[:30], rates[30:], velocity[30:])
    assert metrics.velocity_r2(*split, lag=3) > 0.95
    assert metrics.velocity_r2(*split, lag=0) < 0.1


def test_circular_correlation():
    a = rng.uniform(-np.pi, np.pi, 500)
    assert metrics.circular_correlation(a, a + 1) == pytest.approx(1)
    assert metrics.circular_correlation(a, -a) == pytest.approx(-1)
    assert abs(metrics.circular_correlation(a, rng.uniform(-np.pi, np.pi, 500))) < 0.15


def test_drift_comparison_survives_an_affine_change_of_coordinates():
    states = rng.normal(size=(400, 3))
    matrix = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    field = np.array([[-1.0, 2, 0], [-2, -1, 0], [0, 0, -3]])
    latents = states @ matrix.T + 1.0
    back = np.linalg.inv(matrix)

    def fitted(h):
        return 0.7 * ((h - 1.0) @ back.T @ field.T) @ matrix.T

    carried = metrics.carry_velocity(fitted, latents, states, states)
    found = metrics.compare_drifts(carried, states @ field.T)
    assert found.cosine == pytest.approx(1)
    assert found.slope == pytest.approx(0.7)
    assert metrics.compare_drifts(carried, states @ field.T, noise_floor=1e9).share == 0
