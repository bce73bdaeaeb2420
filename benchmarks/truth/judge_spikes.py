"""Verdicts on fits of spikes of known systems: one line of JSON a data set; stopped and called again, it goes on.

``python -m benchmarks.truth.judge_spikes FOLDER`` reads what `benchmarks.truth.fit_spikes` left in FOLDER and adds to
``benchmarks/truth/results/spikes.jsonl``, or, with ``--name spikes_long``, to another file beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.truth.fit_spikes import BIN_SIZE, fitted_path
from benchmarks.truth.planted import planted_recording
from benchmarks.truth.recovery import recovery
from neurognode.hypotheses import compare, views_of
from neurognode.models import LatentDynamics
from neurognode.synthetic import circuits

RESULTS = Path(__file__).parent / "results"


def judge_one(folder: Path, name: str, seed: int, n_trials: int, n_members: int) -> dict[str, Any]:
    """Portraits, recovery and verdicts of one data set."""
    start = time.process_time()
    recording = planted_recording(name, seed, n_trials)
    trials = recording.trials(BIN_SIZE)
    members = [LatentDynamics.load(fitted_path(folder, name, seed, n_trials, k)) for k in range(n_members)]
    views = views_of(members, trials)
    verdicts = compare(members, trials, views=views)
    kept = [member_line(recording, member, view) for member, view in zip(members, views)]
    circuit = recording.circuit
    return {
        "circuit": name, "seed": seed, "n_trials": n_trials, "planted": circuit.hypothesis,
        "allowed": sorted({circuit.hypothesis, *circuit.also_true}),
        "steps": int(members[0].n_steps_), "scores": [round(float(m.validation_score_), 4) for m in members],
        "verdicts": {v.hypothesis: v.status for v in verdicts},
        "reasons": {v.hypothesis: v.reason for v in verdicts},
        "p": {v.hypothesis: round(v.p_corrected, 4) for v in verdicts if np.isfinite(v.p_corrected)},
        "notes": list(verdicts.notes), "members": kept, "cpu_s": round(time.process_time() - start, 1),
    }  # fmt: skip


def member_line(recording: Any, member: Any, view: Any) -> dict[str, Any]:
    """One member's recovery and the numbers of its portrait, rounded."""
    fitted = member.diffusion_(torch.zeros(1, member.field_.latent_dim)).detach().double().numpy()[0]
    std = fitted * view.portrait.noise_scale
    seen = SimpleNamespace(trajectories=view.trajectories, flow=view.flow, portrait=view.portrait, noise=std)
    found = recovery(recording, seen, BIN_SIZE)
    numbers = {key: _rounded(value) for key, value in view.numbers.items()}
    return {
        "recovery": {key: _rounded(value) for key, value in found.items()},
        "topology": view.portrait.slow.topology.name, "numbers": numbers,
    }  # fmt: skip


def _rounded(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value


def done(results: Path) -> set[tuple[str, int, int]]:
    """Data sets that have a line already."""
    if not results.exists():
        return set()
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return {(line["circuit"], line["seed"], line["n_trials"]) for line in lines}


def main() -> None:
    """Judge every data set whose fits are all there, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--circuits", nargs="*", default=circuits.names())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--trials", type=int, nargs="+", default=[200])
    parser.add_argument("--seconds", type=float, default=400.0)
    parser.add_argument("--name", default="spikes", help="of the file of results")
    options = parser.parse_args()
    results = RESULTS / f"{options.name}.jsonl"
    start, known = time.monotonic(), done(results)
    for seed in options.seeds:
        for n_trials in options.trials:
            for name in options.circuits:
                fits = [fitted_path(options.folder, name, seed, n_trials, k) for k in range(options.members)]
                if (name, seed, n_trials) in known or not all(path.exists() for path in fits):
                    continue
                if time.monotonic() - start > options.seconds:
                    return
                line = judge_one(options.folder, name, seed, n_trials, options.members)
                with results.open("a") as stream:
                    stream.write(json.dumps(line) + "\n")
                told = {k: v for k, v in line["verdicts"].items() if v == "supported"}
                print(name, seed, n_trials, list(told), f"{line['cpu_s']} CPU s", flush=True)


if __name__ == "__main__":
    main()
