"""Sampled signals: averages, interpolation, angles, gaps, native grids and broken stamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neurognode as ng
from neurognode.loaders.timeline import LongTimeline, RegularTimeline, StampedTimeline, stamped


def recording_of(data: Any, times: Any, **about: Any) -> ng.loaders.Recording:
    given = {"data": np.asarray(data, float), "times": np.asarray(times, float), **about}
    return ng.open_recording({"series": {"x": given}})


def aligned(
    recording: ng.loaders.Recording, window: tuple[float, float], bin_size: Any, **how: Any
) -> np.ndarray:
    return recording.align([0.0], window=window, bin_size=bin_size, signal="x", **how)["activity"].values[
        0, :, 0
    ]


def test_dense_samples_are_averaged_in_half_open_bins() -> None:
    times = np.arange(100) / 100
    values = aligned(recording_of(np.arange(100.0), times), (0, 1), 0.1)
    np.testing.assert_allclose(values, np.arange(100).reshape(10, 10).mean(1), rtol=1e-12)


def test_sparse_samples_are_interpolated_only_between_neighbours() -> None:
    recording = recording_of([0.0, 1.0, 2.0, 6.0, 7.0], [0.0, 1.0, 2.0, 6.0, 7.0])
    values = aligned(recording, (-1, 8), 0.5)
    centres = -1 + 0.25 + 0.5 * np.arange(18)
    inside = ((centres >= 0) & (centres <= 2)) | ((centres >= 6) & (centres <= 7))
    np.testing.assert_array_equal(np.isfinite(values), inside)
    np.testing.assert_allclose(values[inside], centres[inside], rtol=1e-12)


def test_nan_samples_are_not_observed_and_never_bridged() -> None:
    data = np.arange(10.0)
    data[4] = np.nan
    trials = recording_of(data, np.arange(10.0)).align([0.0], window=(0, 10), bin_size=1.0, signal="x")
    assert np.flatnonzero(~ng.trials.observed(trials)[0, :, 0]).tolist() == [4]


def test_angles_are_averaged_and_interpolated_as_angles() -> None:
    turning = np.unwrap(np.linspace(3.0, 3.4, 40))
    recording = recording_of(np.angle(np.exp(1j * turning)), np.arange(40) / 40, angle=True, unit="rad")
    values = aligned(recording, (0, 1), 0.25)
    expected = np.angle(np.exp(1j * turning).reshape(4, 10).mean(1))
    np.testing.assert_allclose(values, expected, atol=1e-12)
    across = recording_of([3.1, -3.1], [0.0, 1.0], angle=True, unit="rad")
    assert abs(abs(aligned(across, (0, 1), 1 / 3)[1]) - np.pi) < 1e-6


def test_behaviour_can_come_as_cosine_and_sine() -> None:
    given = {
        "spike_times": [[0.0, 0.5, 1.0]],
        "series": {"heading": {"data": np.zeros(20) + 1.0, "rate": 20.0, "angle": True, "unit": "rad"}},
    }
    trials = ng.open_recording(given).align(
        [0.0], window=(0, 0.9), bin_size=0.1, behavior="heading", angles="cos_sin"
    )
    assert trials["covariate"].values.tolist() == ["heading_cos", "heading_sin"]
    np.testing.assert_allclose(trials["behavior"].values[0, 3], [np.cos(1), np.sin(1)])


def test_native_samples_come_back_as_they_are() -> None:
    times = 5.0 + np.arange(50) * 0.0876
    trials = recording_of(np.arange(50.0), times).align(
        [6.0], window=(-0.5, 0.5), bin_size="native", signal="x"
    )
    first = int(np.argmin(abs(times - 5.5)))
    n = trials.sizes["time"]
    np.testing.assert_array_equal(trials["activity"].values[0, :, 0], np.arange(first, first + n))
    np.testing.assert_allclose(trials["absolute_time"].values[0], times[first : first + n])


def test_native_samples_leave_gaps_open() -> None:
    times = np.concatenate([np.arange(5), 8 + np.arange(5)]).astype(float)
    values = aligned(recording_of(times, times), (0, 13), "native")
    assert np.flatnonzero(np.isnan(values)).tolist() == [5, 6, 7]
    np.testing.assert_array_equal(values[~np.isnan(values)], times)


def test_binned_counts_keep_their_grid_or_sum_whole_bins() -> None:
    counts = np.arange(40).reshape(20, 2)
    series = {"c": {"data": counts, "rate": 20.0, "start": 1.0, "role": "counts"}}
    recording = ng.open_recording({"series": series})
    one = recording.align([1.0], window=(0, 1))["counts"]
    np.testing.assert_array_equal(one.values[0], counts)
    two = recording.align([1.0], window=(0, 1), bin_size=0.1)["counts"]
    np.testing.assert_array_equal(two.values[0], counts.reshape(10, 2, 2).sum(1))
    with pytest.raises(ValueError, match=r"already binned at 0\.05 s.*0\.05 or 0\.1 s"):
        recording.align([1.0], window=(0, 1), bin_size=0.07)


def test_broken_stamps_are_repaired_and_reported() -> None:
    stamps = np.array([0.0, 1.0, 3.0, 2.0, 2.0, np.nan, -1.54e9, 4.0])
    clock = StampedTimeline(stamps)
    assert clock.at(0, clock.n).tolist() == [0, 1, 2, 2, 3, 4]
    assert len(clock.issues) == 3
    trials = recording_of([0, 1, 3, 2, 4, 9, 9, 4], stamps).align(
        [0.0], window=(0, 5), bin_size=1.0, signal="x"
    )
    np.testing.assert_allclose(trials["activity"].values[0, :, 0], [0, 1, 3, 3, 4])
    assert "not in order" in trials.attrs["notes"]


def test_long_stamps_are_found_by_bisection() -> None:
    stamps = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 50_000))
    reads: list[int] = []

    def read(rows: slice) -> np.ndarray:
        reads.append(len(range(*rows.indices(len(stamps)))))
        return stamps[rows]

    clock = LongTimeline(read, len(stamps))
    wanted = np.array([-1.0, stamps[777], stamps[30_000] + 0.1, stamps[-1] + 1])
    np.testing.assert_array_equal(clock.search(wanted), np.searchsorted(stamps, wanted - 1e-9))
    assert sum(reads) < len(stamps)
    assert isinstance(stamped(read, 100), StampedTimeline)


def test_timelines_agree() -> None:
    regular, given = RegularTimeline(2.0, 50.0, 200), StampedTimeline(2.0 + np.arange(200) / 50)
    wanted = np.array([0.0, 2.0, 2.01, 3.14, 9.0])
    np.testing.assert_array_equal(regular.search(wanted), given.search(wanted))
    assert regular.span == pytest.approx(given.span)
    assert given.regular
    assert given.period == pytest.approx(0.02)


def test_chop_never_crosses_a_gap() -> None:
    times = np.concatenate([np.arange(0, 10, 0.1), np.arange(20, 27.05, 0.1)])
    trials = recording_of(times, times).chop(2.0, bin_size="native", signal="x")
    assert np.isfinite(trials["activity"].values).all()
    assert np.diff(trials["activity"].values[:, :, 0], axis=1).max() < 0.15
    assert trials.sizes["trial"] == 5 + 3
    assert trials["segment"].values.tolist() == [0] * 5 + [1] * 3
