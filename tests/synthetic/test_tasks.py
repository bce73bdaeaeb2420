"""Task generators against the statistics of the paper's code; trajectories against their covariance."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.synthetic import smooth_trajectories, tasks

# Mean square target, mean square of (target - input), share of bins with a pulse.
YARDSTICKS = {
    "fixed_3bit": (1.000, 0.889, 0.296),
    "fixed_2bit": (1.000, 0.838, 0.298),
    "variable_3bit": (0.253, 0.216, 0.297),
    "square": (0.283, 0.229, 0.296),
    "rectangle": (0.700, 0.566, 0.296),
    "disk": (1.231, 1.028, 0.162),
    "ring": (2.000, 1.409, 0.296),
}


@pytest.mark.parametrize("name", YARDSTICKS)
def test_strict_generators_have_the_statistics_of_the_papers_code(name):
    trials = tasks.make(name, 4000, random_state=1)
    zero, copied, busy = YARDSTICKS[name]
    assert (trials.targets**2).mean() == pytest.approx(zero, rel=0.02)
    assert ((trials.targets - trials.inputs) ** 2).mean() == pytest.approx(copied, rel=0.02)
    assert (trials.inputs != 0).any(axis=2).mean() == pytest.approx(busy, rel=0.02)


def test_pulses_last_three_bins_and_late_ones_are_dropped():
    trials = tasks.make("fixed_1bit", 3000, random_state=0)
    on = trials.inputs[..., 0] != 0
    runs = np.diff(np.pad(on, ((0, 0), (1, 1))).astype(int), axis=1)
    starts, stops = np.argwhere(runs == 1), np.argwhere(runs == -1)
    lengths = stops[:, 1] - starts[:, 1]
    assert lengths.min() == 3
    assert (lengths == 3).mean() > 0.6


def test_the_number_of_kept_pulses_is_poisson_times_what_fits():
    rng = np.random.default_rng(0)
    kept = [(rng.integers(0, 100, rng.poisson(12)) <= 97).sum() for _ in range(4000)]
    assert np.mean(kept) == pytest.approx(12 * 0.98, abs=0.1)
    trials = tasks.make("ring", 4000, random_state=0)
    steps = np.diff(trials.inputs, axis=1)
    changes = ((steps != 0).any(axis=2) & (trials.inputs[:, 1:] != 0).any(axis=2)).sum(1)
    first = (trials.inputs[:, 0] != 0).any(axis=1)
    # Overlaps hide or split some pulses; with 12 pulses of 3 bins in 100 the balance is nearly even.
    assert (changes + first).mean() == pytest.approx(11.76, rel=0.08)


def test_clean_generators_do_not_overlap():
    trials = tasks.make("square", 500, strict=False, random_state=0)
    on = trials.inputs != 0
    assert not on.all(axis=2).any()
    starts = np.diff(np.pad(on.any(axis=2), ((0, 0), (1, 1))).astype(int), axis=1)
    lengths = np.argwhere(starts == -1)[:, 1] - np.argwhere(starts == 1)[:, 1]
    assert set(lengths % 3) == {0}


@pytest.mark.parametrize("name", [n for n in tasks.names() if n != "copy"])
def test_the_target_is_the_last_pulse_in_the_same_bin(name):
    trials = tasks.make(name, 50, random_state=2)
    wanted = np.empty_like(trials.targets)
    state = np.tile(tasks.TASKS[name].initial, (50, 1))
    for k in range(100):
        state = np.where(trials.inputs[:, k] != 0, trials.inputs[:, k], state)
        wanted[:, k] = state
    np.testing.assert_array_equal(trials.targets, wanted)


def test_shapes_of_remembered_sets():
    radius = np.linalg.norm(tasks.make("disk", 500).inputs, axis=2)
    assert set(np.unique((radius > 0.999) & (radius < 2.001) | (radius == 0))) == {True}
    ring = np.linalg.norm(tasks.make("ring", 100).inputs, axis=2)
    np.testing.assert_allclose(ring[ring > 0], 2)
    rectangle = np.abs(tasks.make("rectangle", 500).inputs).max(axis=(0, 1))
    np.testing.assert_allclose(rectangle, [2, 1], rtol=0.01)


def test_copy_repeats_what_was_shown():
    trials = tasks.make("copy", 20, n_bits=3, n_bins=12, strict=False)
    np.testing.assert_array_equal(trials.targets[:, 6:], trials.inputs[:, :6, :3])
    assert trials.mask.sum() == 20 * 6
    with pytest.raises(ValueError, match="even"):
        tasks.make("copy", 2, n_bins=5)


def test_seeds_fix_the_trials_and_names_are_checked():
    one, two = (tasks.make("square", 3, random_state=5).inputs for _ in range(2))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="Did you mean 'square'"):
        tasks.make("sqare", 2)


@pytest.mark.parametrize("length_scale", [0.05, 0.3])
def test_smooth_trajectories_have_their_covariance(length_scale):
    times, paths = smooth_trajectories(4000, 1, length_scale=length_scale, n_bins=41)
    lag = 8
    wanted = np.exp(-((times[lag] - times[0]) ** 2) / (2 * length_scale**2))
    measured = (paths[:, lag:] * paths[:, :-lag]).mean()
    assert measured == pytest.approx(wanted, abs=0.03)
