"""CPU time until a fit reaches a given co-smoothing: ``python -m benchmarks.speed.fit reach_delay lfads_lorenz``.

Our model; the same model with torchdiffeq's rk4 where its kernels are; and a GRU-generator auto-encoder written from
the paper (`benchmarks.speed.lfads`). All train with the same loop, batch and optimiser on the same machine, one after
the other in every seed, in an order that turns. What counts is the CPU time of the process spent on training until the
mean rates of the test trials' held-out units first reach the target, which is what smoothing and a Poisson GLM reach.
Each method keeps its own schedule of the learning rate; a fit that passes ``--limit`` has not reached the target.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchdiffeq import odeint

from benchmarks.recordings.recordings import RECORDINGS, Benchmark, co_smoothing
from benchmarks.speed.lfads import LFADS
from benchmarks.speed.timing import machine
from neurognode.models import LatentDynamics
from neurognode.models.fitting import prepare
from neurognode.models.inference import bits_per_spike
from neurognode.models.path import LatentPath, Plan
from neurognode.models.pseudo_observations import apply
from neurognode.training import Settings, train

RESULTS = Path(__file__).parent / "results"
EVERY = 10
CASES: dict[str, dict[str, Any]] = {
    "reach_delay": {"target": 0.322, "model": {"preset": "denoise"}, "lfads": {"inputs": 4, "dropout": 0.3}},
    "lfads_lorenz": {"target": 0.593, "model": {"preset": "dynamics", "latent_dim": 3}, "lfads": {}},
}
"""Target: what smoothing and a GLM reach on the same split; settings of each method, the same for every seed."""


class _Reached(Exception):
    """The target was reached, or the CPU time is used up."""


class Clock:
    """Listener that stops the CPU clock while it scores, and ends the fit when the target is reached."""

    def __init__(self, score: Callable[[], float], target: float, limit: float) -> None:
        self.score, self.target, self.limit = score, target, limit
        self.curve: list[tuple[float, float]] = []
        self.spent, self.step, self.since = 0.0, 0, 0.0

    def on_start(self, total: int) -> None:
        """The first step begins; what was imported before does not count."""
        self.since = time.process_time()

    def __call__(self, step: int, total: int, metrics: Any) -> None:
        if step % EVERY and step != total:
            return
        self.spent += time.process_time() - self.since
        self.step = step
        self.curve.append((self.spent, self.score()))
        if self.curve[-1][1] >= self.target or self.spent > self.limit:
            raise _Reached
        self.since = time.process_time()

    def found(self) -> dict[str, Any]:
        """Seconds to the target (None if it was not reached), milliseconds a step, and the curve."""
        best = max(score for _, score in self.curve)
        return {
            "seconds": self.spent if self.curve[-1][1] >= self.target else None,
            "best": best,
            "steps": self.step,
            "ms_per_step": 1e3 * self.spent / self.step,
            "curve": self.curve,
        }


def ours(benchmark: Benchmark, case: dict[str, Any], seed: int, limit: float, **more: Any) -> dict[str, Any]:
    """Our model with its preset."""
    model = LatentDynamics(
        encode_units=benchmark.held_in, random_state=seed, progress=False, n_samples=0, use_inputs=False,
        device="cpu", **{**case["model"], **more},
    )  # fmt: skip
    fit = prepare(model, benchmark.train)
    clock = Clock(lambda: co_smoothing(benchmark, model.predict(benchmark.test)), case["target"], limit)
    fit.validation = []
    model.callbacks = [clock]
    with contextlib.suppress(_Reached):
        fit.train()
    return clock.found()


def torchdiffeq_rk4(benchmark: Benchmark, case: dict[str, Any], seed: int, limit: float) -> dict[str, Any]:
    """Our model with torchdiffeq's fixed-step rk4, one step a bin, instead of the kernels."""
    with replaced_integrator():
        return ours(benchmark, case, seed, limit)


def lfads(benchmark: Benchmark, case: dict[str, Any], seed: int, limit: float) -> dict[str, Any]:
    """The GRU-generator auto-encoder."""
    model = LatentDynamics(
        encode_units=benchmark.held_in, random_state=seed, progress=False, device="cpu", **case["model"]
    )
    fit = prepare(model, benchmark.train)
    own, data = model.sessions_[0], fit.training[0]
    test = own.tensors(benchmark.test, [], drift=False, session=0)
    seen = torch.from_numpy(np.flatnonzero(own.seen[own.active]))
    hidden = torch.from_numpy(~own.seen[own.active])
    mean = data.values.sum((0, 1)) / (
        len(data) * data.values.shape[1] if data.lengths is None else data.lengths.sum()
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LFADS(seen, mean, **case["lfads"])
    whole = test.batch(torch.arange(len(test)))
    weight = torch.ones_like(whole.values) if whole.observed is None else whole.observed
    # co_smoothing measures against the mean of the same units in the training trials, as this does
    base = torch.from_numpy(own.mean[own.active].astype(np.float32))

    def score() -> float:
        network.eval()
        with torch.no_grad():
            rates = network.rates(whole, 0.0)[0]
        return bits_per_spike(rates, whole.values, base, weight * hidden)

    clock = Clock(score, case["target"], limit)
    settings = Settings(max_steps=3000, batch_size=64, learning_rate=5e-3, seed=seed, device="cpu")
    with contextlib.suppress(_Reached):
        train(network, data, settings, callbacks=[clock])
    return clock.found()


@contextlib.contextmanager
def replaced_integrator() -> Iterator[None]:
    """Let `LatentPath` integrate by torchdiffeq, with inputs held over their bin."""
    before = LatentPath.run
    LatentPath.run = _run  # type: ignore[method-assign]
    try:
        yield
    finally:
        LatentPath.run = before  # type: ignore[method-assign]


def _run(
    self: LatentPath, plan: Plan, n_bins: int, inputs: Tensor | None, field: Any
) -> tuple[Tensor, Tensor | None]:
    width = self.bin_size
    if plan.messages is None or plan.anchor is None:

        def whole(t: Tensor, h: Tensor) -> Tensor:
            bin_ = min(int(float(t) / width + 1e-3), n_bins - 1)
            return field(h, None if inputs is None else inputs[:, bin_])

        times = torch.arange(n_bins, dtype=torch.float32) * width
        return odeint(whole, plan.h0, times, method="rk4").movedim(0, 1), None
    h, states, predictions = plan.h0, [plan.h0], []
    span = torch.tensor([0.0, width])
    for t in range(n_bins - 1):
        x = None if inputs is None else inputs[:, t]
        ahead = odeint(lambda _, h, x=x: field(h, x), h, span, method="rk4")[1]
        h = plan.anchor[:, t] + apply(plan.messages.keep[:, t], ahead)
        predictions.append(ahead)
        states.append(h)
    return torch.stack(states, 1), torch.stack(predictions, 1)


METHODS: dict[str, Callable[..., dict[str, Any]]] = {
    "neurognode": ours,
    "torchdiffeq rk4": torchdiffeq_rk4,
    "GRU-generator LFADS": lfads,
}


def run(name: str, seeds: int, limit: float) -> list[dict[str, Any]]:
    """All methods with all seeds on one recording; goes on with what the results file holds already."""
    benchmark, case, path = RECORDINGS[name](), CASES[name], RESULTS / f"fit_{name}.json"
    names = list(METHODS)
    rows: list[dict[str, Any]] = json.loads(path.read_text())["fits"] if path.exists() else []
    done = {(row["method"], row["seed"]) for row in rows}
    for seed in range(seeds):
        for method in names[seed % len(names) :] + names[: seed % len(names)]:
            if (method, seed) in done:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                found = METHODS[method](benchmark, case, seed, limit)
            rows.append({"method": method, "seed": seed, "load": os.getloadavg()[0], **found})
            shown = {k: v for k, v in rows[-1].items() if k != "curve"}
            print(name, json.dumps(shown), flush=True)
            stored = {"target": case["target"], "limit": limit, "machine": machine(), "fits": rows}
            path.write_text(json.dumps(stored, indent=1) + "\n")
    return rows


def table(names: list[str]) -> str:
    """Median CPU seconds to the target and milliseconds a step, and both as multiples of ours."""
    lines = [
        "| recording | target | method | reached | CPU s, median (range) | x ours | ms a step | x ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        stored = json.loads((RESULTS / f"fit_{name}.json").read_text())
        reference: tuple[float, float] | None = None
        for method in METHODS:
            fits = [f for f in stored["fits"] if f["method"] == method]
            seconds = [f["seconds"] for f in fits if f["seconds"] is not None]
            step = float(np.median([f["ms_per_step"] for f in fits]))
            middle = float(np.median(seconds)) if seconds else float(stored["limit"])
            reference = reference or (middle, step)
            more = "" if seconds else "more than "
            span = (
                f"{middle:.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
                if seconds
                else f"{more}{middle:.0f}"
            )
            lines.append(
                f"| {name} | {stored['target']} | {method} | {len(seconds)} of {len(fits)} | {span} "
                f"| {more}{middle / reference[0]:.1f} | {step:.1f} | {step / reference[1]:.1f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=200, help="CPU seconds after which a fit is given up")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.recording or list(CASES):
        run(name, arguments.seeds, arguments.limit)
    known = [name for name in CASES if (RESULTS / f"fit_{name}.json").exists()]
    (RESULTS / "fit.md").write_text(table(known))
    print(table(known))


if __name__ == "__main__":
    main()
