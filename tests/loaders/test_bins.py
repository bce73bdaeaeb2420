"""Bins: half-open, exact, and no spike lost or counted twice at any width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurognode as ng
from neurognode.errors import RecordingError
from neurognode.loaders.alignment.grid import count_spikes, sorted_finite, tolerance, whole_bins


def reference(spikes: np.ndarray, origins: np.ndarray, bin_size: float, n_bins: int) -> np.ndarray:
    """One comparison per spike, window and edge."""
    out = np.zeros((len(origins), n_bins), int)
    slack = tolerance(origins)
    for i, origin in enumerate(origins):
        for k in range(n_bins):
            low, high = origin + k * bin_size - slack, origin + (k + 1) * bin_size - slack
            out[i, k] = ((spikes >= low) & (spikes < high)).sum()
    return out


times = st.floats(-1e3, 1e5, allow_nan=False, width=64)


@settings(max_examples=200, deadline=None)
@given(
    spikes=st.lists(times, max_size=60),
    on_edges=st.lists(st.integers(-50, 50), max_size=30),
    origins=st.lists(times, min_size=1, max_size=5),
    bin_size=st.one_of(st.floats(1e-4, 10.0), st.sampled_from([0.001, 0.01, 0.02, 0.1, 1 / 3, 0.3, 0.7])),
    n_bins=st.integers(1, 20),
)
def test_counts_equal_a_plain_reference(
    spikes: list[float], on_edges: list[int], origins: list[float], bin_size: float, n_bins: int
) -> None:
    starts = np.array(origins)
    trained = np.sort(np.array(spikes + [starts[0] + k * bin_size for k in on_edges], float))
    expected = reference(trained, starts, bin_size, n_bins)
    np.testing.assert_array_equal(count_spikes(trained, starts, bin_size, n_bins), expected)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bin_size=st.floats(1e-4, 5.0),
    n_bins=st.integers(1, 40),
    n_windows=st.integers(1, 30),
    start=st.integers(-10_000_000, 1_000_000_000).map(lambda k: k / 1000),
    grid=st.sampled_from([0.0, 1e-4, 1e-3, 0.01, 0.05]),
)
def test_windows_end_to_end_hold_every_spike_once(
    seed: int, bin_size: float, n_bins: int, n_windows: int, start: float, grid: float
) -> None:
    rng = np.random.default_rng(seed)
    length = bin_size * n_bins
    spikes = start + rng.uniform(0, n_windows * length, 500)
    spikes = np.sort(np.round(spikes / grid) * grid if grid else spikes)
    origins = start + np.arange(n_windows) * length
    slack = tolerance(origins)
    within = (spikes >= start - slack) & (spikes < origins[-1] + n_bins * bin_size - slack)
    assert count_spikes(spikes, origins, bin_size, n_bins).sum() == within.sum()


def test_spikes_on_a_decimal_grid_fall_into_the_bin_they_name() -> None:
    spikes = np.arange(1000) / 1000 + 4397.0
    counts = count_spikes(spikes, np.array([4397.0]), 0.01, 100)
    assert (counts == 10).all()


@pytest.mark.parametrize(("length", "bin_size"), [(1.0, 0.03), (0.39, 0.02), (1.0, 0.3), (0.01, 0.02)])
def test_a_width_that_does_not_divide_is_refused_with_one_that_does(length: float, bin_size: float) -> None:
    with pytest.raises(ValueError, match="nearest that does is") as caught:
        whole_bins(length, bin_size)
    offered = float(str(caught.value).split("nearest that does is ")[1].split(" s")[0])
    assert whole_bins(length, offered) >= 1


@pytest.mark.parametrize("bin_size", [0, -0.02, float("nan"), float("inf"), True, "0.02"])
def test_a_width_must_be_positive(bin_size: object) -> None:
    recording = ng.open_recording({"spike_times": [[0.1, 0.5]]})
    with pytest.raises(ValueError, match="bin_size"):
        recording.align([0.0], window=(0, 1), bin_size=bin_size)


def test_spikes_out_of_order_or_not_finite_are_repaired_and_reported() -> None:
    spikes, _, notes = sorted_finite(np.array([0.3, np.nan, 0.1, np.inf]), "x")
    assert spikes.tolist() == [0.1, 0.3]
    assert len(notes) == 2
    recording = ng.open_recording({"spike_times": [[0.3, float("nan"), 0.1], [0.0, 1.0]]})
    trials = recording.align([0.0], window=(0, 1), bin_size=0.5)
    assert trials["counts"].sel(unit=0).values.tolist() == [[2, 0]]
    assert "not in order" in trials.attrs["notes"]


def test_a_result_larger_than_memory_is_refused_before_it_is_taken() -> None:
    recording = ng.open_recording({"spike_times": [[0.0, 1e6]]})
    with pytest.raises(RecordingError, match="GB of memory"):
        recording.align([0.0], window=(0, 1e6), bin_size=1e-6)


def test_peak_memory_is_that_of_the_result() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, 1000, 2000)) for _ in range(200)]
    recording = ng.open_recording({"spike_times": spikes, "trials": {"start_time": np.arange(0, 990.0)}})
    recording.align("start_time", window=(0, 0.1), bin_size=0.1)
    tracemalloc.start()
    trials = recording.align("start_time", window=(0, 1.0), bin_size=0.02)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = trials["counts"].nbytes + trials["observed"].nbytes
    assert peak < 1.5 * result + 32 * 990 * 50 * 8


@pytest.mark.parametrize("bin_size", [1 / 3, 0.3333333, 0.33333334])
def test_a_width_written_with_few_digits_keeps_its_last_bin(bin_size: float) -> None:
    given = {"spike_times": [np.arange(0, 5, 0.01)], "trials": {"start_time": [1.0], "stop_time": [2.0]}}
    trials = ng.open_recording(given).align("start_time", window=(0, 1), bin_size=bin_size)
    assert bool(trials["observed"].all())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), grid=st.sampled_from([0.0, 0.001, 0.01, 0.02]), n_bins=st.integers(1, 30))
def test_chopping_loses_and_doubles_nothing(seed: int, grid: float, n_bins: int) -> None:
    rng = np.random.default_rng(seed)
    bin_size = float(rng.choice([0.01, 0.02, 0.05, 1 / 30, 0.0731]))
    spikes = np.sort(rng.uniform(3.0, 50.0, 400))
    spikes = np.sort(np.round(spikes / grid) * grid) if grid else spikes
    recording = ng.open_recording({"spike_times": [spikes]})
    trials = recording.chop(n_bins * bin_size, bin_size=bin_size, min_observed=0.0)
    stop = spikes[0] + trials.sizes["trial"] * n_bins * bin_size
    assert int(trials["counts"].sum()) == (spikes < stop - 1e-9).sum()
