"""Four recordings through both doors: the command line, and the six lines of Python.

``python -m benchmarks.recordings.main_job [NAME ...] [--door cli|python]`` fits each with three members, takes it
from the file to the report (or, in Python, to the exported latents), prints what was found and writes it to
``results/main_job.json``. The command line keeps a fifth of the trials for its scores; the six lines fit every trial.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import neurognode as ng
from benchmarks.recordings.recordings import DATA
from neurognode.runs import load_run
from neurognode.runs.decoding import against_truth, behavior_r2, phase_against_angles

RESULTS = Path(__file__).parent / "results" / "main_job.json"
MEMBERS = 3


@dataclass(frozen=True)
class Job:
    """One recording: how it is aligned and fitted, in the words of either door."""

    file: str
    line: str
    how: str
    align: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


JOBS = {
    "reach_delay": Job(
        "reach_delay.nwb",
        "--align start_time --offset 0.2 --window -0.2 0.8 --bin-size 0.02 --condition condition --encoder causal_gru "
        "--preset denoise --latent-dim 16",
        "align",
        {"event": "start_time", "offset": 0.2, "window": (-0.2, 0.8), "bin_size": 0.02},
        {"preset": "denoise", "latent_dim": 16, "encoder": "causal_gru"},
    ),
    "lfads_lorenz": Job(
        "lfads_lorenz.h5", "--bin-size 0.01 --latent-dim 3", "align", {"bin_size": 0.01}, {"latent_dim": 3}
    ),
    "fly_ring_bar": Job(
        "fly_ring_bar.nwb",
        "--chop 4 --within trials --bin-size native --latent-dim 3 --behavior heading",
        "chop",
        {"window": 4.0, "within": "trials", "bin_size": "native", "behavior": ["heading"]},
        {"latent_dim": 3},
    ),
    "m1_reaching": Job(
        "m1_reaching.nwb",
        "--align move_onset_time --window -0.3 0.7 --bin-size 0.05 --behavior hand_velocity --preset denoise "
        "--latent-dim 32",
        "align",
        {"event": "move_onset_time", "window": (-0.3, 0.7), "bin_size": 0.05, "behavior": ["hand_velocity"]},
        {"preset": "denoise", "latent_dim": 32},
    ),
}


def through_cli(job: Job, folder: Path) -> dict[str, Any]:
    """`neurognode fit` to the report, and what its run folder says."""
    out = folder / "run"
    words = [sys.executable, "-m", "neurognode", "fit", str(DATA / job.file), *shlex.split(job.line)]
    subprocess.run([*words, "--members", str(MEMBERS), "--out", str(out), "--quiet"], check=True)
    run = load_run(out)
    found: dict[str, Any] = {row["method"]: _numbers(row) for row in run.metrics["table"]}
    found["measures"] = {m["name"]: m["value"] for m in run.metrics["measures"]}
    if "decoding" in run.metrics:
        decoded = run.metrics["decoding"]
        found["condition decoded, by second"] = {
            f"{at:.2f}": round(share, 3)
            for at, share in zip(decoded["time"], decoded["accuracy"], strict=True)
        }
    found["verdicts"] = {v.hypothesis: f"{v.status}: {v.reason}" for v in run.verdicts or ()}
    found["files"] = sorted(path.name for path in out.iterdir())
    return found


def through_python(job: Job, folder: Path) -> dict[str, Any]:
    """The six lines, and what their latents say."""
    recording = ng.open_recording(DATA / job.file)
    trials = getattr(recording, job.how)(**job.align)
    fits = ng.Ensemble(
        ng.LatentGNODE(random_state=0, progress=False, **job.model), n_members=MEMBERS, n_jobs=-1
    ).fit(trials)
    latents = fits.transform(trials)
    verdicts = ng.hypotheses.compare(fits, trials)
    ng.export.to_nwb(folder / "latents.nwb", fits, trials, verdicts, incomplete="write")

    found: dict[str, Any] = {"score on the fitted trials": float(fits.score(trials))}
    found["verdicts"] = {v.hypothesis: f"{v.status}: {v.reason}" for v in verdicts}
    found |= _known(recording, fits, trials, latents)
    return found


def _known(recording: Any, fits: Any, trials: xr.Dataset, latents: xr.DataArray) -> dict[str, Any]:
    """Behaviour and, in simulations, the truth, from the latents; every fifth trial is for testing the map."""
    is_test = np.arange(trials.sizes["trial"]) % 5 == 0
    found: dict[str, Any] = {}
    if "behavior" in trials:
        phases = phase_against_angles(latents, trials)
        decoded = None if phases else behavior_r2(latents, trials, is_test)
        found |= {"phase against angle, r": phases} if phases else {"behaviour R²": decoded}
    try:
        truth = recording.truth()
    except ng.RecordingError:
        return found
    return found | {"against the truth": against_truth(latents, fits.predict(trials), truth, is_test)}


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if isinstance(value, float)}


def main() -> None:
    """Read the arguments, run the jobs, store and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", default=list(JOBS), help=", ".join(JOBS))
    parser.add_argument("--door", choices=("cli", "python"), help="one door only")
    given = parser.parse_args()
    for name in given.name:
        for door, way in (("cli", through_cli), ("python", through_python)):
            if given.door in (None, door):
                started = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    found = way(JOBS[name], Path(folder)) | {"seconds": round(time.perf_counter() - started)}
                stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                stored.setdefault(name, {})[door] = found
                RESULTS.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
                print(name, door, json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
