"""What `print(recording)` and `describe` say, and what they notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurognode as ng

Find = Callable[[str], Path]


def test_rates_count_only_time_that_was_observed(data_file: Find) -> None:
    rates = {
        name: ng.open_recording(data_file(f"{name}.nwb")).describe()["units"]["rate"]
        for name in ("reach_delay", "visual_choice_1", "human_mtl")
    }
    assert rates["reach_delay"]["min"] == pytest.approx(0.22, abs=0.01)
    assert rates["reach_delay"]["max"] == pytest.approx(38.6, abs=0.1)
    assert rates["reach_delay"]["median"] == pytest.approx(9.7, abs=0.1)
    assert rates["visual_choice_1"]["median"] == pytest.approx(2.1, abs=0.15)
    assert rates["human_mtl"]["max"] == pytest.approx(7.35, abs=0.01)


def test_the_text_of_a_recording_shows_what_one_needs(data_file: Find) -> None:
    text = str(ng.open_recording(data_file("alm_delay.nwb")))
    for part in (
        "species Mus musculus", "4 with 34,057 spikes", "cue_start_time (342)", "stim_present",
        "To fit it:", "--align cue_start_time",
    ):  # fmt: skip
        assert part in text
    assert max(map(len, text.splitlines())) < 400
    calcium = str(ng.open_recording(data_file("fly_ring_bar.nwb")))
    assert "dff: RoiResponseSeries 3750 x 16 dF/F, 11.42 Hz" in calcium


def test_what_a_recording_shows_of_itself_is_noted(data_file: Find) -> None:
    notes = {
        name: " ".join(ng.open_recording(data_file(f"{name}.nwb")).describe()["notes"])
        for name in ("linear_track", "visual_choice_1", "m1_reaching", "human_mtl")
    }
    assert "position does not change from 5382.25 to 6379.46 s (50%" in notes["linear_track"]
    assert "steps of 10 ms" in notes["visual_choice_1"]
    assert notes["m1_reaching"] == ""
    assert "12 steps back" in notes["human_mtl"]
    trials = ng.open_recording(data_file("visual_choice_1.nwb")).align(
        "start_time", window=(0, 0.39), bin_size=0.013
    )
    assert "use a multiple of 10 ms" in trials.attrs["notes"]


def test_series_of_events_can_be_aligned_to_by_value(data_file: Find) -> None:
    path = data_file("human_mtl.nwb")
    recording = ng.open_recording(path)
    assert "events" in recording.events
    trials = recording.align("events", window=(0, 1), bin_size=0.05, trials="value == 11")
    with h5py.File(path) as file:
        group = file["acquisition/events"]
        times = group["timestamps"][:][(group["data"][:] == 11) & (group["timestamps"][:] >= 0)]
    np.testing.assert_allclose(np.sort(trials["absolute_time"].values[:, 0]), np.sort(times))


def test_annotations_are_events(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units["spike_times"], units["spike_times_index"] = np.arange(0, 10, 0.1), np.array([100])
        units["id"] = np.arange(1)
        notes = file.create_group("stimulus/presentation/remarks")
        notes.attrs["neurodata_type"] = "AnnotationSeries"
        notes["data"], notes["timestamps"] = np.array([b"go", b"stop", b"go"]), np.array([1.0, 2.0, 4.0])
    recording = ng.open_recording(tmp_path / "a.nwb")
    assert recording.events == ["remarks"]
    trials = recording.align("remarks", window=(0, 1), bin_size=0.5, trials="value == 'go'")
    assert trials["absolute_time"].values[:, 0].tolist() == [1.0, 4.0]
    assert trials["counts"].values.sum() == 20
