"""Alignment of the real recordings, checked against the files themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurognode as ng
from neurognode.errors import RecordingError

Find = Callable[[str], Path]


def test_counts_equal_a_histogram_of_the_file(data_file: Find) -> None:
    path = data_file("reach_delay.nwb")
    trials = ng.open_recording(path).align("start_time", offset=0.2, window=(-0.2, 0.8), bin_size=0.02)
    with h5py.File(path) as file:
        stops = file["units/spike_times_index"][:].astype(int)
        times, starts = file["units/spike_times"][:], file["intervals/trials/start_time"][:]
    for unit in (0, 17, 60):
        spikes = times[stops[unit - 1] if unit else 0 : stops[unit]]
        for trial in (0, 55, 111):
            edges = starts[trial] + 0.02 * np.arange(51)
            expected = np.histogram(spikes + 1e-9, edges)[0]
            np.testing.assert_array_equal(trials["counts"].values[trial, :, unit], expected)
    assert trials["condition"].values.tolist() == ["reach1"] * 56 + ["reach2"] * 56
    assert trials.attrs["event"] == "start_time"
    np.testing.assert_allclose(trials["absolute_time"].values[:, 10], starts + 0.2)


def test_units_that_come_and_go_are_masked(data_file: Find) -> None:
    recording = ng.open_recording(data_file("alm_delay.nwb"))
    trials = recording.align("cue_start_time", window=(-2.6, 1.0), bin_size=0.05)
    whole = trials["observed"].all("time")
    assert whole.sum("trial").values.tolist() == [55, 53, 228, 342]
    assert int(whole.all("unit").sum()) == 53
    assert (trials["counts"].values[~trials["observed"].values] == 0).all()
    assert "not observed" in trials.attrs["notes"]
    silent = recording.align("cue_start_time", window=(-2.6, 1.0), bin_size=0.05, presence="file")
    assert bool(silent["observed"].all())


def test_queries_conditions_and_columns(data_file: Find) -> None:
    recording = ng.open_recording(data_file("alm_delay.nwb"))
    query = "response == 'correct' and stim_present == 0"
    trials = recording.align(
        "cue_start_time", window=(-1.3, 0), bin_size=0.1, trials=query, conditions=["type", "stim_present"]
    )
    assert set(trials["response"].values) == {"correct"}
    assert set(trials["condition"].values) == {"lick left, 0", "lick right, 0"}
    rates = trials["counts"].where(trials["observed"]).mean("time") / 0.1
    right, left = (
        rates.where(trials["type"] == f"lick {s}", drop=True).mean("trial") for s in ("right", "left")
    )
    assert float(left[2]) == pytest.approx(0.7, abs=0.15)
    assert float(right[2]) == pytest.approx(1.7, abs=0.15)
    assert float(right[3] - left[3]) == pytest.approx(1.8, abs=0.4)


def test_nothing_between_or_after_trials_is_silence(data_file: Find) -> None:
    recording = ng.open_recording(data_file("visual_choice_1.nwb"))
    trials = recording.align("start_time", window=(-0.1, 0.5), bin_size=0.01)
    seen = ng.trials.observed(trials).any(axis=2)
    np.testing.assert_array_equal(seen.all(0), seen.any(0))
    assert np.flatnonzero(seen[0]).tolist() == list(range(10, 49))
    assert "only the trials" in trials.attrs["notes"]
    kept = recording.align("start_time", window=(0, 0.39), bin_size=0.01)
    assert int(kept["counts"].sum()) == 63_049


def test_events_relative_to_their_trial_are_recognised(data_file: Find) -> None:
    recording = ng.open_recording(data_file("nwb_zoo/dandi-cli__sub-anm369963_ses-20170228.nwb"))
    trials = recording.align("cue_start_time", window=(-1, 1), bin_size=0.1)
    assert trials["absolute_time"].values[0, 10] == pytest.approx(302.371 + 10.1796)
    assert "seconds from start_time" in trials.attrs["notes"]
    with pytest.raises(RecordingError, match="the recording holds 302"):
        recording.align("cue_start_time", window=(-1, 1), bin_size=0.1, event_times="absolute")


def test_binned_recording_gives_its_own_rows(data_file: Find) -> None:
    path = data_file("m1_reaching.nwb")
    trials = ng.open_recording(path).align("move_onset_time", window=(-0.3, 0.7), behavior="hand_velocity")
    with h5py.File(path) as file:
        stamps = file["processing/ecephys/binned_spikes/timestamps"][:]
        first = int(np.argmin(abs(stamps - (file["intervals/trials/move_onset_time"][100] - 0.3))))
        counts = file["processing/ecephys/binned_spikes/data"][first : first + 20]
        velocity = file["processing/behavior/hand_velocity_container/hand_velocity/data"][first : first + 20]
    np.testing.assert_array_equal(trials["counts"].values[100], counts)
    np.testing.assert_allclose(trials["behavior"].values[100], velocity)
    assert trials.attrs["bin_size"] == 0.05
    assert trials.attrs["activity_kind"] == "counts"


def test_calcium_keeps_its_frames_and_heading_is_an_angle(data_file: Find) -> None:
    path = data_file("fly_ring_bar.nwb")
    trials = ng.open_recording(path).align(
        "start_time", window=(0, 65.6), behavior="heading", trials="run != 'x'"
    )
    with h5py.File(path) as file:
        dff = file["processing/ophys/DfOverF/dff/data"][:].reshape(5, 750, 16)
        heading = file["processing/behavior/CompassDirection/heading/data"][:].reshape(5, 750)
    n = trials.sizes["time"]
    np.testing.assert_array_equal(trials["activity"].values, dff[:, :n])
    wrapped = trials["behavior"].values[:, :, 0]
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * heading[:, :n]), atol=1e-9)
    assert trials.attrs["activity_kind"] == "calcium"


def test_tables_by_other_names(data_file: Find) -> None:
    recording = ng.open_recording(data_file("human_mtl.nwb"))
    trials = recording.align("encoding_table/boundary1_time", window=(-1, 1.5), bin_size=0.05)
    assert trials.sizes["trial"] == 90
    assert set(trials["location"].values.tolist()) == {"Right hippocampus", "Right amygdala"} or (
        len(set(trials["location"].values.tolist())) == 2
    )
    with pytest.raises(ValueError, match="Several tables have a column 'start_time'"):
        recording.align("start_time", window=(0, 1), bin_size=0.1)
    same = recording.align("boundary1_time", window=(-1, 1.5), bin_size=0.05)
    np.testing.assert_array_equal(same["counts"], trials["counts"])


def test_lfads_truth_is_kept_apart(data_file: Find) -> None:
    recording = ng.open_recording(data_file("lfads_lorenz.h5"))
    trials = recording.align(bin_size=0.01)
    assert set(trials.data_vars) == {"counts"}
    assert dict(zip(*np.unique(trials["split"], return_counts=True))) == {"train": 640, "valid": 160}
    truth = recording.truth()
    expected = (truth["rates"] * 0.01).mean().item()
    assert trials["counts"].mean().item() == pytest.approx(expected, rel=0.02)
    assert recording.truth("valid").sizes == {"trial": 160, "time": 100, "unit": 60, "latent": 3}
    coarse = ng.open_recording(data_file("lfads_lorenz.h5"), bin_size=0.01).align(bin_size=0.02)
    assert int(coarse["counts"].sum()) == int(trials["counts"].sum())
    with pytest.raises(ValueError, match="bin_size is needed"):
        recording.align()


def test_ragged_windows_are_padded_and_masked(data_file: Find) -> None:
    recording = ng.open_recording(data_file("reach_delay.nwb"))
    trials = recording.align("start_time", window=(0.0, "stop_time"), bin_size=0.01)
    length = (trials["stop_time"] - trials["start_time"]).values
    np.testing.assert_array_equal(ng.trials.lengths(trials), np.floor(length / 0.01 + 1e-6).astype(int))
    back = recording.align("stop_time", window=(("start_time", 0.1), 0.0), bin_size=0.01)
    assert float(back["time"][-1]) == pytest.approx(-0.01)
    first = np.argmax(ng.trials.observed(back).any(2), axis=1)
    np.testing.assert_allclose(back["time"].values[first], -(length - 0.1), atol=0.0100001)


def test_windows_that_would_be_nearly_all_padding_are_refused(data_file: Find) -> None:
    recording = ng.open_recording(data_file("alm_delay.nwb"))
    with pytest.raises(RecordingError, match=r"99% would be padding.*stop_time - start_time <"):
        recording.align("start_time", window=(0, "stop_time"), bin_size=0.001)
    short = recording.align(
        "start_time",
        window=(0, "stop_time"),
        bin_size=0.05,
        trials="stop_time - start_time < 18",
        presence="file",
    )
    assert short.sizes["time"] < 18 / 0.05


def test_several_alignments_at_once(data_file: Find) -> None:
    recording = ng.open_recording(data_file("reach_delay.nwb"))
    found = recording.align(
        {
            "target": {"event": "start_time", "offset": 0.2, "window": (-0.2, 0.8)},
            "end": ("stop_time", (-1.0, 0.0)),
        },
        bin_size=0.02,
    )
    assert {k: v.sizes["time"] for k, v in found.items()} == {"target": 50, "end": 50}
    np.testing.assert_array_equal(found["target"]["row"], found["end"]["row"])


def test_inputs_are_steps_boxes_and_series() -> None:
    given = {
        "spike_times": [np.arange(0, 30, 0.05)],
        "trials": {
            "start_time": [0.0, 10.0], "stop_time": [9.0, 19.0], "cue_time": [1.0, 11.05],
            "off_time": [1.5, 11.5], "contrast": [0.25, 1.0], "side": ["left", "right"],
        },
        "series": {"speed": {"data": np.arange(300.0), "rate": 10.0}},
    }  # fmt: skip
    recording = ng.open_recording(given)
    box = {"value": "contrast", "on": "cue_time", "off": "off_time"}
    trials = recording.align(
        "start_time", window=(0, 2), bin_size=0.1, inputs=["contrast", "cue_time", "side", "speed", box]
    )
    names = trials["input"].values.tolist()
    assert names == ["contrast", "cue_time", "side=left", "side=right", "speed", "contrast"]
    x = trials["inputs"].values
    assert (x[1, :, 0] == 1.0).all()
    np.testing.assert_allclose(x[1, :, 1], [0] * 10 + [0.5] + [1] * 9)
    assert x[0, 0, 2:4].tolist() == [1, 0]
    np.testing.assert_allclose(x[0, :, 4], np.arange(20))
    np.testing.assert_allclose(x[1, 9:17, 5], [0, 0.5, 1, 1, 1, 1, 0, 0])
    with pytest.raises(ValueError, match="Did you mean 'contrast'"):
        recording.align("start_time", window=(0, 2), bin_size=0.1, inputs="contrst")


def test_units_by_query_ids_and_mask(data_file: Find) -> None:
    recording = ng.open_recording(data_file("linear_track.nwb"))
    by_query = recording.chop(5.0, bin_size=0.25, units="rate > 0.5")
    counts = recording.units.counts() if recording.units is not None else np.empty(0)
    assert by_query["unit"].values.tolist() == np.flatnonzero(counts / 1982.5 > 0.5).tolist() or (
        set(np.flatnonzero(counts / 1982.5 > 0.5)) <= set(by_query["unit"].values.tolist())
    )
    assert recording.chop(5.0, bin_size=0.25, units=[3, 1])["unit"].values.tolist() == [3, 1]
    mask = np.zeros(31, bool)
    mask[[2, 30]] = True
    assert recording.chop(5.0, bin_size=0.25, units=mask)["unit"].values.tolist() == [2, 30]
    with pytest.raises(ValueError, match="no unit 99"):
        recording.chop(5.0, bin_size=0.25, units=[99])
    with pytest.raises(ValueError, match="leaves no unit"):
        recording.chop(5.0, bin_size=0.25, units="rate > 500")


def test_the_alignment_can_be_repeated_from_its_record(data_file: Find) -> None:
    recording = ng.open_recording(data_file("reach_delay.nwb"))
    trials = recording.align("start_time", offset=0.2, window=(-0.2, 0.8), bin_size=0.02, units="rate > 1")
    record = json.loads(trials.attrs["alignment"])
    again = getattr(recording, record.pop("verb"))(**record)
    assert again.identical(trials)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event": "strt_time", "window": (0, 1)}, "Did you mean 'start_time'"),
        ({"event": "start_time", "window": (1, 0)}, "must end after it starts"),
        ({"event": "start_time", "window": None}, r"window=\(start, stop\)"),
        ({"event": "start_time", "window": 1.0}, "pair of seconds"),
        ({"event": "start_time", "window": (0, "stp_time")}, "Did you mean 'stop_time'"),
        ({"event": "start_time", "window": (0, 1), "trials": "condition == 'x'"}, "leaves no trial"),
        ({"event": "condition", "window": (0, 1)}, "holds text, not times"),
        ({"event": "start_time", "window": (0, 1), "signal": "lfp"}, "signal='lfp' is not in the recording"),
        ({"event": "start_time", "window": (0, 1), "behavior": "speed"}, "no series 'speed'"),
        ({"event": "start_time", "window": (0, 1), "table": "trails"}, "Did you mean 'trials'"),
        ({"event": "start_time", "window": (0, 1), "conditions": "cond"}, "no column 'cond'"),
        ({"event": "start_time", "window": (0, 1), "beyond_stop": "kep"}, "Did you mean 'keep'"),
        ({"event": None, "window": (0, 1)}, "needs an event"),
    ],
)
def test_wrong_arguments_say_what_is_right(arguments: dict, message: str, data_file: Find) -> None:
    recording = ng.open_recording(data_file("reach_delay.nwb"))
    event = arguments.pop("event")
    with pytest.raises(ValueError, match=message):
        recording.align(event, bin_size=0.02, **arguments)


def test_a_window_outside_the_recording_is_an_error(data_file: Find) -> None:
    recording = ng.open_recording(data_file("reach_delay.nwb"))
    with pytest.raises(RecordingError, match="No bin of the window") as caught:
        recording.align([1e5], window=(0, 1), bin_size=0.1)
    assert "254.3" in str(caught.value)


def test_a_mask_that_is_the_same_for_all_units_has_no_unit_axis() -> None:
    given = {"spike_times": [[0.1, 0.5], [0.2, 2.5]], "obs_intervals": [[[0, 1], [2, 3]]] * 2}
    trials = ng.open_recording(given).align([0.0], window=(0, 3), bin_size=0.5)
    assert trials["observed"].dims == ("trial", "time")
    assert trials["observed"].values[0].tolist() == [True, True, False, False, True, True]
    assert trials["counts"].values[0, :, 0].tolist() == [1, 1, 0, 0, 0, 0]


def test_obs_intervals_decide_what_was_observed(data_file: Find) -> None:
    recording = ng.open_recording(data_file("nwb_zoo/nwb-explorer__test_Units.nwb"))
    trials = recording.align([0.0], window=(0, 8), bin_size=1.0)
    seen = ng.trials.observed(trials)[0].T.astype(int).tolist()
    assert seen == [[1, 0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0, 0]]
