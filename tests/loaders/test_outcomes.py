"""What becomes of every recording we have: opened, inspected, aligned, or refused in a sentence."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neurognode as ng
from neurognode.errors import RecordingError

NOTHING = "holds no neural activity"
WORM = {
    "activity": {"path": "gcamp/trace_array", "kind": "calcium"},
    "times": "timing/timestamp_confocal",
    "behavior": {"velocity": "behavior/velocity"},
    "tables": {
        "reversals": {
            "start_time": {"path": "behavior/reversal_events", "row": 0, "as": "samples"},
            "stop_time": {"path": "behavior/reversal_events", "row": 1, "as": "samples"},
        }
    },
}

# file: units, series, tables, commands suggested; then what align or chop gives, or words of the refusal
FILES: dict[str, tuple[int, int, int, int, Any]] = {
    "alm_delay.nwb": (
        4, 0, 1, 2, ("cue_start_time", {"window": (-2.6, 1.0), "bin_size": 0.05}, (342, 72, 4))
    ),
    "fly_ring_bar.nwb": (0, 2, 1, 1, ("start_time", {"window": (0, 65.6)}, (5, 749, 16))),
    "human_mtl.nwb": (
        35, 3, 3, 2, ("encoding_table/boundary1_time", {"window": (-1, 1.5), "bin_size": 0.05}, (90, 50, 35))
    ),
    "linear_track.nwb": (31, 1, 0, 1, ("", {"window": 5.0, "bin_size": 0.25}, (393, 20, 31))),
    "m1_reaching.nwb": (0, 3, 1, 2, ("move_onset_time", {"window": (-0.3, 0.7)}, (362, 20, 171))),
    "reach_delay.nwb": (
        61, 0, 1, 1, ("start_time", {"offset": 0.2, "window": (-0.2, 0.8), "bin_size": 0.02}, (112, 50, 61))
    ),
    "visual_choice_1.nwb": (
        178, 0, 1, 1, ("start_time", {"window": (0, 0.39), "bin_size": 0.01}, (214, 39, 178))
    ),
    "lfads_lorenz.h5": (0, 0, 0, 1, (None, {"bin_size": 0.01}, (800, 100, 60))),
    "worm.h5": (0, 0, 0, 0, NOTHING),
    "character_trajectories.npz": (0, 0, 0, 1, (None, {"bin_size": 0.005}, (2858, 205, 3))),
    "walker2d.npz": (0, 0, 0, 1, (None, {"bin_size": 0.01}, (400, 1000, 17))),
    "spoken_digits.npz": (0, 0, 0, 1, (None, {"bin_size": 0.01}, (3000, 226, 20))),
}  # fmt: skip

_SHORT = {"window": (0.0, 0.5), "bin_size": 0.05}
ZOO: dict[str, tuple[int, int, int, int, Any]] = {
    "dandi-cli__sub-anm369963_ses-20170228.nwb": (
        1, 2, 1, 2, ("cue_start_time", {"window": (-1, 1), "bin_size": 0.05}, (178, 40, 1))
    ),
    "matnwb__ecephys_tutorial.nwb": (3, 1, 1, 1, ("start_time", _SHORT, (3, 10, 3))),
    "matnwb__ecephys_tutorial__schema2.0.nwb": (3, 1, 1, 1, ("start_time", _SHORT, (3, 10, 3))),
    "matnwb__ecephys_tutorial__schema2.0b.nwb": (
        0, 2, 1, 1, ("start_time", {"window": (0, 0.5)}, (3, 100, 10))
    ),
    "matnwb__membrane_potential.nwb": (0, 1, 0, 0, NOTHING),
    "matnwb__test_output.nwb": (0, 1, 0, 0, NOTHING),
    "ndx-pose__0.1.1_poseestimation_nodes_edges.nwb": (0, 2, 0, 0, "signal='front_left_paw'"),
    "ndx-pose__test_pose.nwb": (0, 4, 0, 0, "signal='body'"),
    "neuroconv__doric_fiber_photometry.nwb": (0, 1, 0, 1, ("", {"window": 1.0}, (3, 30, 1))),
    "neuroconv__test.nwb": (10, 1, 0, 1, ("", {"window": 2.0, "bin_size": 0.05}, (797, 40, 10))),
    "nwb-explorer__test_CurrentClampSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_CurrentClampStimulusSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_EventDetection.nwb": (0, 1, 0, 0, ("", {"window": 0.5}, (2, 5, 1))),
    "nwb-explorer__test_IZeroClampSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_OptogeneticSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_PatchClampSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_Subject.nwb": (0, 0, 0, 0, NOTHING),
    "nwb-explorer__test_SweepTable.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_TimeIntervals.nwb": (0, 2, 1, 0, NOTHING),
    "nwb-explorer__test_TimeSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_Units.nwb": (2, 0, 0, 1, ("", {"window": 1.0, "bin_size": 0.5}, (4, 2, 2))),
    "nwb-explorer__test_VoltageClampSeries.nwb": (0, 1, 0, 0, NOTHING),
    "nwb-explorer__test_timestamps_linking.nwb": (0, 2, 0, 0, NOTHING),
    "nwb-linkml__aibs.nwb": (0, 16, 12, 0, "index runs to 987,786 but there are 10 values"),
    "nwb-linkml__aibs_ecephys.nwb": (0, 2, 0, 0, ("", {"window": 0.004}, (2, 5, 87))),
    "nwbshowcase__cache_spec_example.nwb": (0, 1, 0, 1, ("", {"window": 5.0}, (20, 50, 2))),
    "nwbshowcase__datatypes.nwb": (0, 7, 0, 0, NOTHING),
    "nwbshowcase__datatypes__schema2.1.0.nwb": (0, 3, 0, 0, NOTHING),
    "nwbshowcase__datatypes__schema2.2.2.nwb": (0, 7, 0, 0, NOTHING),
    "nwbshowcase__simple_example__schema2.0b.nwb": (0, 0, 0, 0, NOTHING),
    "nwbshowcase__simple_example__schema2.1.0.nwb": (0, 0, 0, 0, NOTHING),
    "nwbshowcase__simple_example__schema2.2.2.nwb": (0, 0, 0, 0, NOTHING),
    "nwbshowcase__simple_example_latest.nwb": (0, 0, 0, 0, NOTHING),
    "nwbshowcase__time_series_data.nwb": (0, 3, 0, 0, NOTHING),
    "nwbshowcase__time_series_data__schema2.0.2.nwb": (0, 3, 0, 0, NOTHING),
    "nwbshowcase__time_series_data__schema2.1.0.nwb": (0, 3, 0, 0, NOTHING),
    "nwbshowcase__time_series_data__schema2.2.2.nwb": (0, 3, 0, 0, NOTHING),
    "nwbshowcase__time_series_data__schema2.2.5.nwb": (0, 3, 0, 0, NOTHING),
    "pynapple__A8604-211122.nwb": (3, 0, 1, 1, ("", {"window": 5.0, "bin_size": 0.05}, (217, 100, 3))),
    "pynwb__1.0.2_nwbfile.nwb": (0, 0, 0, 0, NOTHING),
    "pynwb__1.0.3_nwbfile.nwb": (0, 0, 0, 0, NOTHING),
    "pynwb__1.1.0_str_experimenter.nwb": (0, 0, 0, 0, NOTHING),
    "pynwb__1.2.1_nwbfile.nwb": (0, 0, 0, 0, NOTHING),
    "pynwb__1.3.3_imageseries_no_data.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__1.3.3_ts_no_data.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__1.3.3_ts_no_unit.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__1.5.1_imageseries_no_data.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__1.5.1_timeintervals_non_ndtype_tsref.nwb": (0, 1, 1, 0, NOTHING),
    "pynwb__1.5.1_timeseries_no_data.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__1.5.1_timeseries_no_unit.nwb": (0, 1, 0, 0, NOTHING),
    "pynwb__2.6.0_DynamicTableElectrodes.nwb": (0, 0, 0, 0, NOTHING),
}  # fmt: skip


def _check(path: Path, expected: tuple[int, int, int, int, Any]) -> None:
    units, series, tables, commands, outcome = expected
    with ng.open_recording(path) as recording:
        found = recording.describe()
        assert json.loads(json.dumps(found)) == found
        assert str(recording).startswith(str(path))
        have = (
            (found["units"] or {"n": 0})["n"],
            len(found["series"]),
            len(found["tables"]),
            len(found["commands"]),
        )
        assert have == (units, series, tables, commands)
        if isinstance(outcome, str):
            with pytest.raises(RecordingError, match=outcome) as caught:
                recording.chop(1.0, bin_size=0.1)
            assert str(path) in str(caught.value)
            return
        event, arguments, shape = outcome
        trials = recording.chop(**arguments) if event == "" else recording.align(event, **arguments)
        assert tuple(trials.sizes[d] for d in ("trial", "time", "unit")) == shape
        assert ng.trials.observed(trials).any()
        assert trials.attrs["source_hash"] == ng.open_recording(path).source_hash


@pytest.mark.parametrize("name", FILES)
def test_recording(name: str, data_file: Callable[[str], Path]) -> None:
    _check(data_file(name), FILES[name])


@pytest.mark.parametrize("name", ZOO)
def test_zoo(name: str, data_file: Callable[[str], Path]) -> None:
    _check(data_file(f"nwb_zoo/{name}"), ZOO[name])


def test_the_tables_name_every_file(data_file: Callable[[str], Path]) -> None:
    manifest = data_file("nwb_zoo/MANIFEST.csv")
    with open(manifest, encoding="utf-8") as stream:
        assert {row["file"] for row in csv.DictReader(stream)} == set(ZOO)
    folder = manifest.parent.parent
    assert {p.name for p in folder.iterdir() if p.suffix in (".nwb", ".h5", ".npz")} == set(FILES)


def test_worm_by_a_mapping(data_file: Callable[[str], Path]) -> None:
    recording = ng.open_recording(data_file("worm.h5"), mapping=WORM)
    trials = recording.align("reversals/start_time", window=(-5, 5), behavior="velocity", beyond_stop="keep")
    assert dict(trials.sizes) == {"trial": 38, "time": 14, "unit": 130, "covariate": 1}
    velocity = trials["behavior"].sel(covariate="velocity").mean("trial")
    assert velocity.sel(time=slice(0.1, 1.7)).max() < -0.015
    assert velocity.sel(time=slice(-5, -1)).min() > 0


def test_suggested_commands_name_alignments_that_work(data_file: Callable[[str], Path]) -> None:
    import shlex

    names = (
        "reach_delay",
        "m1_reaching",
        "fly_ring_bar",
        "alm_delay",
        "human_mtl",
        "visual_choice_1",
        "linear_track",
    )
    for name in names:
        recording = ng.open_recording(data_file(f"{name}.nwb"))
        for command in recording.describe()["commands"]:
            words = shlex.split(command)
            given = dict(itertools.pairwise(words))
            size = given["--bin-size"] if given["--bin-size"] == "native" else float(given["--bin-size"])
            if "--chop" in given:
                trials = recording.chop(float(given["--chop"]), bin_size=size, within=given.get("--within"))
            else:
                at = words.index("--window")
                window = (float(words[at + 1]), float(words[at + 2]))
                trials = recording.align(given["--align"], window=window, bin_size=size)
            assert trials.sizes["trial"] >= 30
            assert ng.trials.observed(trials).mean() > 0.3
