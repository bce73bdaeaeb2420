"""Sixteen fits in one process against one after another: ``python -m benchmarks.speed.together``.

Both train with one thread, so that CPU time is what a quiet core would take; candidates are interleaved, and set-up and
validation count. Results go to ``benchmarks/speed/results/together.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.timing import machine
from neurognode.models import LatentDynamics
from neurognode.models.fitting import fit_together
from neurognode.trials import make_trials

RESULTS = Path(__file__).parent / "results"
SHAPES: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "hidden 16, batch 16 x 30 bins x 20 units": (
        (64, 30, 20),
        {"latent_dim": 2, "batch_size": 16, "encoder_options": {"hidden": 16}, "dynamics_options": {"hidden": (16,)}},
    ),
    "hidden 32 x 2, batch 32 x 50 bins x 40 units": (
        (128, 50, 40),
        {"latent_dim": 3, "batch_size": 32, "encoder_options": {"hidden": 32},
         "dynamics_options": {"hidden": (32, 32)}},
    ),
    "preset dynamics, batch 64 x 100 bins x 60 units": ((200, 100, 60), {"latent_dim": 3}),
}  # fmt: skip


def fit(trials: Any, options: dict[str, Any], members: int, steps: int, together: bool) -> float:
    """CPU milliseconds per member and step."""
    models = [
        LatentDynamics(
            preset="dynamics", random_state=seed, progress=False, max_steps=steps, device="cpu",
            encode_units=trials["unit"].values[: int(0.75 * trials.sizes["unit"])].tolist(), **options,
        )
        for seed in range(members)
    ]  # fmt: skip
    started = time.process_time()
    if together:
        fit_together(models, trials)
    else:
        for model in models:
            model.fit(trials)
    return 1e3 * (time.process_time() - started) / members / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng, rows = np.random.default_rng(0), []
    for name, (sizes, options) in SHAPES.items():
        trials = make_trials(rng.poisson(0.3, sizes), bin_size=0.02 if sizes[1] < 100 else 0.01)
        found: dict[bool, list[float]] = {True: [], False: []}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for together in (True, False):
                fit(trials, options, 2, 2, together)
            for _ in range(arguments.rounds):
                found[True].append(fit(trials, options, arguments.members, arguments.steps, True))
                found[False].append(fit(trials, options, 2, arguments.steps, False))
        one, many = (float(np.median(found[k])) for k in (False, True))
        rows.append({"shape": name, "one_after_another": one, "together": many, "ratio": one / many,
                     "load": os.getloadavg()[0]})  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    stored = {"machine": machine(), "members": arguments.members, "rows": rows}
    (RESULTS / "together.json").write_text(json.dumps(stored, indent=1) + "\n")
    lines = ["| shape | one after another | together | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {r['shape']} | {r['one_after_another']:.1f} ms | {r['together']:.1f} ms | {r['ratio']:.1f} |"
        for r in rows
    ]
    (RESULTS / "together.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
