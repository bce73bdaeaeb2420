"""Simulated recordings: rates, Poisson statistics, binning, masks, NWB."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.synthetic import circuits, simulate_recording


@pytest.fixture(scope="module")
def bistable():
    return simulate_recording(circuits.make("bistable"), n_units=30, n_trials=60, random_state=1)


@pytest.mark.parametrize("link", ["exp", "softplus"])
def test_rates_are_realistic(link):
    recording = simulate_recording(circuits.make("ring"), n_units=60, n_trials=60, link=link)
    measured = np.array([len(s) for s in recording.spike_times]) / recording.lengths.sum()
    assert 6 < measured.mean() < 9.5
    assert measured.std() > 1
    assert np.quantile(recording.rates, 0.999) < 150
    np.testing.assert_allclose(measured, recording.rates.mean((0, 1)), rtol=0.2, atol=0.5)


def test_tuning_directions_are_diverse():
    recording = simulate_recording(circuits.make("ring"), n_units=60, n_trials=30)
    native = recording.weights @ recording.circuit.parameters["matrix"]
    angle = np.sort(np.arctan2(native[:, 1], native[:, 0]))
    assert np.diff(angle).max() < 1.0


def test_counts_are_poisson_given_the_true_rates(bistable):
    trials, truth = bistable.trials(0.02), bistable.truth(0.02)
    expected = truth.rates.values * 0.02
    z = (trials.counts.values - expected) / np.sqrt(expected)
    assert abs(z.mean()) < 0.02
    assert z.var() == pytest.approx(1, abs=0.05)


def test_trials_hold_columns_inputs_and_absolute_times(bistable):
    trials = bistable.trials(0.02)
    assert {"choice", "stimulus_strength", "stimulus_side", "stimulus_onset_time"} <= set(trials.coords)
    onset = (trials["stimulus_onset_time"] - trials["start_time"]).values
    np.testing.assert_allclose(onset, 0.2)
    sign = np.where(trials["stimulus_side"] == "right", 1, -1) * trials["stimulus_strength"]
    np.testing.assert_allclose(trials["inputs"].values[:, 15, 0], sign)
    np.testing.assert_allclose(trials["absolute_time"].values[:, 0], trials["start_time"])
    assert (np.diff(bistable.table["start_time"]) > bistable.lengths[:-1]).all()


def test_uneven_trials_and_missing_units_are_masked():
    recording = simulate_recording(
        circuits.make("ring"), n_units=10, n_trials=20, uneven=0.4, missing=0.5, random_state=2
    )
    trials = recording.trials(0.02)
    observed = trials["observed"].values
    assert observed.shape == trials["counts"].shape
    assert (~recording.recorded).any(0).sum() == 5
    assert not trials["counts"].values[~observed].any()
    seen = observed.any((1, 2))
    assert seen.all()
    assert len(np.unique(observed.any(2).sum(1))) > 3


def test_truth_averages_the_fine_grid(bistable):
    truth = bistable.truth(0.1)
    np.testing.assert_allclose(truth.latents.values[:, 2], bistable.latents[:, 100:150].mean(1))


def test_nwb_round_trip(bistable, tmp_path):
    pynwb = pytest.importorskip("pynwb")
    path = bistable.to_nwb(tmp_path / "sim.nwb")
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        assert len(file.units) == 30
        np.testing.assert_array_equal(file.units["spike_times"][3], bistable.spike_times[3])
        frame = file.trials.to_dataframe()
        np.testing.assert_array_equal(frame["choice"], bistable.table["choice"])
        assert file.stimulus["stimulus"].data.shape == (60 * 600, 1)
        assert file.processing["misc"]["TrueLatents"].data.shape == (60 * 600, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["sim.nwb"]


def test_nwb_has_nothing_critical_for_archives(bistable, tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    path = bistable.to_nwb(tmp_path / "sim.nwb")
    config = nwbinspector.load_config("dandi")
    found = list(nwbinspector.inspect_nwbfile(nwbfile_path=str(path), config=config))
    worst = [m for m in found if m.importance.name in ("CRITICAL", "ERROR", "PYNWB_VALIDATION")]
    assert not worst, worst
