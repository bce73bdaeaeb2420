"""Fits of spikes of known systems: a file and a line of JSON a fit; stopped and called again, it goes on.

Run from the repository's root, in pieces: ``python -m benchmarks.truth.fit_spikes FOLDER --seeds 0 10 --seconds 400``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.truth.planted import planted_recording
from neurognode.models import LatentDynamics
from neurognode.models.fitting import fit_together
from neurognode.synthetic import circuits

BIN_SIZE = 0.02


def fitted_path(folder: Path, name: str, seed: int, n_trials: int, member: int) -> Path:
    """Where the weights of one fit are kept."""
    return folder / f"{name}_s{seed}_t{n_trials}_m{member}.safetensors"


def fit_missing(folder: Path, name: str, seed: int, n_trials: int, members: list[int], steps: int) -> None:
    """Fit these members together, keep their weights, and add a line each to ``fits.jsonl``."""
    start = time.process_time()
    trials = planted_recording(name, seed, n_trials).trials(BIN_SIZE)
    models = [
        LatentDynamics(
            latent_dim=4 if name == "torus" else 3, preset="dynamics", max_steps=steps, progress=False,
            random_state=1000 * seed + member,
        )
        for member in members
    ]  # fmt: skip
    fit_together(models, trials)
    used = (time.process_time() - start) / len(models)
    for model, member in zip(models, members):
        model.save(fitted_path(folder, name, seed, n_trials, member))
        line = {
            "circuit": name, "seed": seed, "n_trials": n_trials, "member": member, "steps": steps,
            "cpu_s": round(used, 1), "score": round(float(model.validation_score_), 4), "stopped": model.stopped_,
        }  # fmt: skip
        with (folder / "fits.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        print(line, flush=True)


def main() -> None:
    """Fit what is missing, seed by seed, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--circuits", nargs="*", default=circuits.names())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--trials", type=int, nargs="+", default=[200])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=400.0, help="Begin no fit later than this.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for seed, n_trials, name in [
        (s, t, c) for s in options.seeds for t in options.trials for c in options.circuits
    ]:
        paths = [fitted_path(options.folder, name, seed, n_trials, k) for k in range(options.members)]
        missing = [k for k, path in enumerate(paths) if not path.exists()]
        if not missing:
            continue
        if time.monotonic() - start > options.seconds:
            return
        fit_missing(options.folder, name, seed, n_trials, missing, options.steps)
    print("all fits are there", np.datetime64("now"), flush=True)


if __name__ == "__main__":
    main()
