"""The classical baseline on real recordings, against numbers measured before this package existed."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurognode import open_recording
from neurognode.evaluation import SmoothingGLM, benchmark_split
from neurognode.metrics import bits_per_spike, mean_counts
from neurognode.trials import filled, make_trials


def _co_smoothing(trials, split, **options):
    train, test = trials.isel(trial=split.train), trials.isel(trial=split.test)
    seen = np.zeros(trials.sizes["unit"], bool)
    seen[split.held_in] = True
    rates = SmoothingGLM(**options).fit(train, seen).predict(test)
    counts, mask = filled(test)
    null = mean_counts(*filled(train))
    return bits_per_spike(rates, counts[..., ~seen], null[~seen], mask[..., ~seen])


def _lorenz(path):
    with h5py.File(path) as file:
        counts = np.concatenate([file["train_data"][:], file["valid_data"][:]])
        truth = np.concatenate([file["train_truth"][:], file["valid_truth"][:]]) / 100
    split = benchmark_split(60, 800)._replace(train=np.arange(640), test=np.arange(640, 800))
    return make_trials(counts, bin_size=0.01), truth, split


def test_true_rates_of_lorenz(data_file):
    trials, truth, split = _lorenz(data_file("lfads_lorenz.h5"))
    counts, _ = filled(trials)
    train, test, out = split.train, split.test, split.held_out
    null = counts[train].mean(axis=(0, 1))
    held = bits_per_spike(truth[test][..., out], counts[test][..., out], null[out])
    assert held == pytest.approx(0.770, abs=0.001)
    assert bits_per_spike(truth[test], counts[test], null) == pytest.approx(0.962, abs=0.001)


def test_reach_delay(data_file):
    recording = open_recording(data_file("reach_delay.nwb"))
    trials = recording.align("start_time", window=(0, 1.52), bin_size=0.02)
    found = _co_smoothing(trials, benchmark_split(61, 112), widths=(0.03, 0.05, 0.08))
    assert found == pytest.approx(0.322, abs=0.005)


@pytest.mark.slow
def test_lorenz_smoothing(data_file):
    trials, _, split = _lorenz(data_file("lfads_lorenz.h5"))
    assert _co_smoothing(trials, split, widths=(0.02, 0.03, 0.05)) == pytest.approx(0.593, abs=0.015)


@pytest.mark.slow
def test_m1_reaching(data_file):
    recording = open_recording(data_file("m1_reaching.nwb"))
    trials = recording.align("move_onset_time", window=(-0.3, 0.7), bin_size=0.05)
    found = _co_smoothing(trials, benchmark_split(171, trials.sizes["trial"]))
    assert 0.070 < found < 0.078


@pytest.mark.slow
def test_visual_choice(data_file):
    recording = open_recording(data_file("visual_choice_1.nwb"))
    trials = recording.align("start_time", window=(0, 0.39), bin_size=0.01)
    found = _co_smoothing(trials, benchmark_split(178, 214), widths=(0.015, 0.02))
    assert found == pytest.approx(0.318, abs=0.01)
