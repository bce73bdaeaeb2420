"""Solve all time steps at once (DEER) against walking through them: ``python -m benchmarks.speed.parallel_in_time``.

Newton's method on the whole trajectory: linearise every step around the last guess, and solve the linear recurrence
by a parallel scan. Variants: `damped` shrinks the Jacobians, `quasi` keeps their diagonal only. The gradient needs no
iteration: it is one scan backwards through the Jacobians, exactly. Compared with the compiled kernel, which walks.
Sources: Lim et al., "Parallelizing non-linear sequential models", 2023; Gonzalez et al., "Towards scalable and stable
parallelization of nonlinear RNNs", 2024.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.timing import machine
from neurognode.dynamics import GNODE, integrate

RESULTS = Path(__file__).parent / "results"
STEP, TOLERANCE, MOST = 0.01, 1e-5, 30
VARIANTS = ("full", "damped", "quasi")


def scan(matrices: Tensor, offsets: Tensor) -> Tensor:
    """Solve ``h[t] = matrices[t] @ h[t - 1] + offsets[t]`` from ``h[-1] = 0``, by halving.

    `matrices` (T, N, N) and `offsets` (T, N); log T rounds.
    """
    count = len(matrices)
    if count == 1:
        return offsets
    first, second = slice(0, count - 1, 2), slice(1, None, 2)
    pairs = matrices[second] @ matrices[first]
    odd = scan(pairs, _times(matrices[second], offsets[first]) + offsets[second])
    h = torch.empty_like(offsets)
    h[0], h[second] = offsets[0], odd
    h[2::2] = _times(matrices[2::2], odd[: len(h[2::2])]) + offsets[2::2]
    return h


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices @ vectors[..., None])[..., 0]


def solve(field: GNODE, h0: Tensor, steps: int, variant: str) -> tuple[Tensor, Tensor, int]:
    """States (steps + 1, N), Jacobians of the steps and iterations; NaN states if it does not settle."""
    h = h0.expand(steps + 1, -1).clone()
    eye = torch.eye(h0.shape[-1])
    for iteration in range(1, MOST + 1):
        before = h[:-1]
        reached = before + STEP * field(before)
        jacobians = eye + STEP * field.jacobian(before)
        used = jacobians * (0.9 if variant == "damped" else 1.0)
        used = used * eye if variant == "quasi" else used
        offsets = reached - _times(used, before)
        offsets[0] = reached[0]
        used[0] = 0.0
        new = torch.cat([h0, scan(used, offsets)])
        if not bool(torch.isfinite(new).all()):
            return h * torch.nan, jacobians, iteration
        change = (new - h).abs().max() / new.abs().max()
        h = new
        if change < TOLERANCE:
            return h, jacobians, iteration
    return h * torch.nan, jacobians, MOST


def parallel_step(field: GNODE, h0: Tensor, steps: int, weight: Tensor, variant: str) -> tuple[Tensor, int]:
    """One training step; the gradients go to the parameters of the field."""
    with torch.no_grad():
        h, jacobians, iterations = solve(field, h0, steps, variant)
        back = jacobians[1:].mT.flip(0)
        back = torch.cat([torch.zeros_like(back[:1]), back])
        cotangent = scan(back, weight[1:].flip(0)).flip(0)
    change = STEP * field(h[:-1])
    grads = torch.autograd.grad((change * cotangent).sum(), list(field.parameters()))
    for parameter, grad in zip(field.parameters(), grads):
        parameter.grad = grad
    return h, iterations


def walking_step(field: GNODE, h0: Tensor, steps: int, weight: Tensor) -> Tensor:
    """The same through `integrate`."""
    h = integrate(field, h0, torch.arange(steps + 1).double() * STEP, method="euler")
    for parameter, grad in zip(
        field.parameters(), torch.autograd.grad((h[0] * weight).sum(), list(field.parameters()))
    ):
        parameter.grad = grad
    return h[0].detach()


def _cpu_ms(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(1e3 * (time.process_time() - start))
    return sorted(times)[1]


def _field(latents: int, gain: float) -> GNODE:
    field = GNODE(latents, hidden=(32,), gated=True, tau=0.1, random_state=0)
    with torch.no_grad():
        for weight in field.drift_net.weights:
            weight.mul_(gain)
    return field


def compare(latents: int, steps: int, gain: float) -> list[dict[str, Any]]:
    """All variants on one problem, one trial."""
    field = _field(latents, gain)
    h0 = torch.randn(1, latents, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(steps + 1, latents, generator=torch.Generator().manual_seed(1)) / steps
    expected = walking_step(field, h0, steps, weight)
    slopes = [p.grad.clone() for p in field.parameters() if p.grad is not None]
    ours = _cpu_ms(lambda: walking_step(field, h0, steps, weight))
    rows = []
    for variant in VARIANTS:
        h, iterations = parallel_step(field, h0, steps, weight, variant)
        settled = bool(torch.isfinite(h).all())
        error = max(
            ((p.grad - s).norm() / s.norm()).item()
            for p, s in zip((p for p in field.parameters() if p.grad is not None), slopes)
        )  # fmt: skip
        taken = _cpu_ms(lambda v=variant: parallel_step(field, h0, steps, weight, v)) if settled else None
        rows.append({
            "latents": latents, "steps": steps, "gain": gain, "variant": variant, "iterations": iterations,
            "state_error": (h - expected).abs().max().item() if settled else None,
            "gradient_error": error if settled else None, "walking_ms": ours, "parallel_ms": taken,
            "slower_by": taken / ours if taken else None,
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="*", default=[100, 10_000])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row
        for latents in (2, 8)
        for gain in (0.5, 2.0)
        for steps in arguments.steps
        for row in compare(latents, steps, gain)
    ]
    found = {"machine": machine(), "rows": rows}
    (RESULTS / "parallel_in_time.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
