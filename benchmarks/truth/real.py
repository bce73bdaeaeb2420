"""Verdicts on real recordings: one line of JSON each, three members, three latents, the preset ``dynamics``.

``python -m benchmarks.truth.real FOLDER`` keeps the fits in FOLDER, goes on where it was stopped, and adds to
``benchmarks/truth/results/real.jsonl``. Nothing here was chosen by what came out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode import open_recording
from neurognode.hypotheses import compare, views_of
from neurognode.hypotheses.judging import hypotheses_named
from neurognode.hypotheses.nulls import rescored
from neurognode.models import LatentDynamics
from neurognode.models.fitting import fit_together
from neurognode.trials import make_trials

DATA = Path(os.environ.get("NEUROGNODE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results" / "real.jsonl"
SILENT_FRAMES = 17
"""Frames at the start of every run of the fly before the ball was recorded."""


def fly_ring_bar(frames: int = 73) -> xr.Dataset:
    """Windows of 6.4 s within runs; each run centred and scaled to one variance; the ball's turning as input, rad/s."""
    whole = open_recording(DATA / "fly_ring_bar.nwb").chop(
        bin_size="native", within="trials", window=65.0, behavior=["heading"]
    )
    signal, heading = whole["activity"].values, whole["behavior"].values[:, :, 0]
    step = float(whole.attrs["bin_size"])
    parts: dict[str, list[Any]] = {"signal": [], "turning": [], "heading": [], "run": []}
    for run, (values, angle) in enumerate(zip(signal, heading)):
        good = np.isfinite(values).all(1) & np.isfinite(angle)
        values, angle = values[good][SILENT_FRAMES:], np.unwrap(angle[good][SILENT_FRAMES:])
        values = (values - values.mean(0)) / (values - values.mean(0)).std()
        turning = np.gradient(angle, step)
        for first in range(0, len(angle) - frames + 1, frames):
            own = slice(first, first + frames)
            for name, series in (
                ("signal", values),
                ("turning", turning[:, None]),
                ("heading", angle[:, None]),
            ):
                parts[name].append(series[own])
            parts["run"].append(run)
    return make_trials(
        np.array(parts["signal"]), bin_size=step, kind="calcium", inputs=np.array(parts["turning"]),
        behavior=np.array(parts["heading"]), columns={"run": np.array(parts["run"])},
    )  # fmt: skip


def reach_delay_planning() -> xr.Dataset:
    """From the target to 0.8 s after it: every trial covers it, and the go cue comes later."""
    recording = open_recording(DATA / "reach_delay.nwb")
    return recording.align("start_time", offset=0.2, window=(0.0, 0.8), bin_size=0.02, conditions="condition")


def reach_delay_movement() -> xr.Dataset:
    """The last 0.7 s of trials."""
    recording = open_recording(DATA / "reach_delay.nwb")
    return recording.align("stop_time", window=(-0.7, 0.0), bin_size=0.02, conditions="condition")


def m1_reaching() -> xr.Dataset:
    """From 0.3 s before the speed's rise to 0.7 s after it; conditions are eight directions."""
    trials = open_recording(DATA / "m1_reaching.nwb").align(
        "move_onset_time", window=(-0.3, 0.7), bin_size=0.05
    )
    octant = np.floor((trials["peak_speed_direction"].values + np.pi) / (np.pi / 4)).astype(int) % 8
    return trials.assign_coords(condition=("trial", octant))


def linear_track() -> xr.Dataset:
    """Windows of 5 s while the rat ran to and fro, in bins of 100 ms."""
    return open_recording(DATA / "linear_track.nwb").chop(window=5.0, bin_size=0.1, within=(4397.0, 5377.0))


def worm() -> xr.Dataset:
    """Windows of 29.5 s, one bin a volume."""
    mapping = {
        "activity": {"path": "gcamp/trace_array", "kind": "calcium"},
        "times": "timing/timestamp_confocal",
        "behavior": {"velocity": "behavior/velocity"},
    }
    return open_recording(DATA / "worm.h5", mapping=mapping).chop(window=29.5, bin_size="native")


def visual_choice_1() -> xr.Dataset:
    """The 0.39 s after the stimulus, in bins of 10 ms."""
    return open_recording(DATA / "visual_choice_1.nwb").align("start_time", window=(0.0, 0.39), bin_size=0.01)


RECORDINGS: dict[str, Callable[[], xr.Dataset]] = {
    one.__name__: one
    for one in (
        fly_ring_bar, reach_delay_planning, reach_delay_movement, m1_reaching, linear_track, worm, visual_choice_1,
    )
}  # fmt: skip

N_MEMBERS = 3


def fitted(folder: Path, name: str, steps: int | None, deadline: float) -> list[LatentDynamics] | None:
    """The members fitted to a recording, the missing ones now; None if the time is up before they are all there."""
    paths = [folder / f"{name}_m{k}.safetensors" for k in range(N_MEMBERS)]
    if not all(path.exists() for path in paths):
        if time.monotonic() > deadline:
            return None
        models = [
            LatentDynamics(latent_dim=3, preset="dynamics", max_steps=steps, progress=False, random_state=k)
            for k in range(N_MEMBERS)
        ]
        fit_together(models, RECORDINGS[name]())
        for model, path in zip(models, paths):
            model.save(path)
        print(name, "scores", [round(model.validation_score_, 3) for model in models], flush=True)
    return [LatentDynamics.load(path) for path in paths]


def judged(name: str, members: list[LatentDynamics]) -> dict[str, Any]:
    """Verdicts with their reasons, and the numbers of the portraits."""
    trials = RECORDINGS[name]()
    views = views_of(members, trials)
    verdicts = compare(members, trials, views=views)
    line = {
        "recording": name,
        "sizes": {str(k): int(v) for k, v in trials.sizes.items()},
        "scores": [round(float(m.validation_score_), 4) for m in members],
        "verdicts": {v.hypothesis: v.status for v in verdicts},
        "reasons": {v.hypothesis: v.reason for v in verdicts},
        "null": {v.hypothesis: v.null for v in verdicts if np.isfinite(v.p_corrected)},
        "p": {v.hypothesis: round(v.p_corrected, 4) for v in verdicts if np.isfinite(v.p_corrected)},
        "notes": list(verdicts.notes),
        "members": [
            {k: float(f"{v:.4g}") if np.isfinite(v) else None for k, v in view.numbers.items()}
            for view in views
        ],
    }
    if "condition" in trials.coords:
        null = rescored(
            members[0], views[0], trials, hypotheses_named(["rotation"]), 250, 0, lambda *told: None
        )
        turning = null["rotation"]
        line["turning"] = {
            "ratio": round(turning.observed, 3), "null": turning.name, "p": round(turning.p, 4),
            "null_median": round(float(np.median(turning.sample)), 3),
        }  # fmt: skip
    if name == "fly_ring_bar":
        line["heading"] = following(members, trials)
    return line


def following(members: list[LatentDynamics], trials: xr.Dataset) -> list[list[float]]:
    """Correlation of the latents' unwrapped phase with heading, a list for each member with one value a run."""
    from scipy.optimize import least_squares

    found = []
    heading = trials["behavior"].values[:, :, 0]
    for member in members:
        paths = member.transform(trials).values
        flat = paths.reshape(-1, paths.shape[2])
        centred = flat - flat.mean(0)
        plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        circle = least_squares(
            lambda c, p=plane: np.hypot(p[:, 0] - c[0], p[:, 1] - c[1]) - c[2], [0.0, 0.0, plane.std()]
        ).x
        phase = np.arctan2(plane[:, 1] - circle[1], plane[:, 0] - circle[0]).reshape(paths.shape[:2])
        runs = trials["run"].values
        found.append(
            [
                round(
                    float(np.corrcoef(np.unwrap(phase[runs == r].ravel()), heading[runs == r].ravel())[0, 1]),
                    3,
                )
                for r in np.unique(runs)
            ]
        )
    return found


def main() -> None:
    """Fit what is missing and judge what has no line yet, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", nargs="*", default=list(RECORDINGS))
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--seconds", type=float, default=400.0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.seconds
    known = (
        {json.loads(line)["recording"] for line in RESULTS.read_text().splitlines()}
        if RESULTS.exists()
        else set()
    )
    for name in options.names:
        if name in known:
            continue
        members = fitted(options.folder, name, options.steps, deadline)
        if members is None or time.monotonic() > deadline:
            return
        line = judged(name, members)
        with RESULTS.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        print(name, [k for k, v in line["verdicts"].items() if v == "supported"], flush=True)
    print("all recordings are judged", flush=True)


if __name__ == "__main__":
    main()
