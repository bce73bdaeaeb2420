"""What a field could be at best: fitted to the exact states of the Lorenz recording's 20 training trajectories.

The truth is used, so this says nothing about fits to spikes but where they fail: in the field, or in its inference.

    python -m benchmarks.recordings.exact_states      # first biases near 0, and spread; about a minute
"""

from __future__ import annotations

import json
import math

import numpy as np
import torch

from benchmarks.recordings.attractor import BIN, Carried, examine, foci, truth
from benchmarks.recordings.recordings import lorenz
from neurognode.dynamics import GNODE, integrate
from neurognode.models.alignment import Affine

STEPS, RATE = 2500, 5e-3
LENGTHS = (5, 10, 20, 50, 100)


def fitted(paths: torch.Tensor, spread: float, seed: int = 0) -> GNODE:
    """A gated field fitted to segments of growing length, each from its exact first state."""
    field = GNODE(3, hidden=(64, 64), gate_hidden=None, tau=0.025, spread=spread, random_state=seed)
    optimiser = torch.optim.AdamW(field.parameters(), RATE, weight_decay=1e-4, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    times = torch.arange(paths.shape[1], dtype=torch.float64) * BIN
    for step in range(STEPS):
        progress = step / STEPS
        length = LENGTHS[min(int(8 * progress), len(LENGTHS) - 1)]
        for group in optimiser.param_groups:
            cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
            group["lr"] = RATE * cosine * min(1.0, (step + 1) / 30)
        begin = torch.randint(0, paths.shape[1] - length + 1, (len(paths),), generator=generator).tolist()
        target = torch.stack([path[a : a + length] for path, a in zip(paths, begin)])
        states = integrate(field, target[:, 0], times[:length], method="rk4")
        optimiser.zero_grad()
        (states - target).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(field.parameters(), 1.0)
        optimiser.step()
    return field


def main() -> None:
    benchmark = lorenz()
    known = truth(benchmark)
    paths = torch.as_tensor(np.unique(benchmark.extra["train_lowd"].round(6), axis=0), dtype=torch.float32)
    chosen = np.random.default_rng(0).permutation(benchmark.test.sizes["trial"])[:64]
    begin = benchmark.extra["valid_lowd"][chosen, 0].astype(float)
    for spread in (1e-3, 1.0):
        own = Carried([fitted(paths, spread)], [Affine(np.eye(3), np.zeros(3))]).double()
        row = examine(own, begin, known["changes_per_100"], known["cloud"])
        row["foci"] = foci(own, [], row.pop("cloud"))
        print(json.dumps({"spread": spread, **row}), flush=True)


if __name__ == "__main__":
    main()
