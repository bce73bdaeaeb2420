"""Timing candidates side by side: interleaved in one process, by the CPU time of all its threads."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_BLOCK, _SLOW = 0.01, 1.0
"""Seconds of CPU time over which a candidate is timed at least, and from which it needs no run before."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds: medians of CPU and wall time, the least CPU time, and how often it ran."""

    cpu: float
    wall: float
    least: float
    repeats: int


def interleave(
    candidates: dict[str, Callable[[], Any]], seconds: float = 3.0, least: int = 3, most: int = 30
) -> dict[str, Timing]:
    """Run all candidates in turn, again and again, for about `seconds`; the first round is not counted.

    A candidate runs for at least ten milliseconds before it is timed, and is timed over as many: what the one before it
    left behind (threads that spin for a while, caches full of its data) is no part of its own cost. Of those that take
    seconds it is too small a part to matter.
    """
    blocks, slow = {}, set()
    for name, run in candidates.items():
        run()
        start = time.process_time()
        run()
        taken = time.process_time() - start
        blocks[name] = max(1, round(_BLOCK / max(taken, 1e-6)))
        if taken > _SLOW:
            slow.add(name)
    cpu: dict[str, list[float]] = {name: [] for name in candidates}
    wall: dict[str, list[float]] = {name: [] for name in candidates}
    start, repeats = time.perf_counter(), 0
    while repeats < least or (time.perf_counter() - start < seconds and repeats < most):
        for name, run in candidates.items():
            block = blocks[name]
            for _ in range(0 if name in slow else block):
                run()
            w, c = time.perf_counter(), time.process_time()
            for _ in range(block):
                run()
            cpu[name].append(1e3 * (time.process_time() - c) / block)
            wall[name].append(1e3 * (time.perf_counter() - w) / block)
        repeats += 1
    median = statistics.median
    return {n: Timing(median(cpu[n]), median(wall[n]), min(cpu[n]), repeats) for n in candidates}


def gemm_rate(size: int = 512, repeats: int = 15) -> float:
    """Matrix product rate of torch on one thread, GFLOP/s."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    taken = interleave({"gemm": lambda: torch.mm(a, b)}, 2.0, repeats, repeats)["gemm"].cpu
    return 2 * size**3 / taken / 1e6


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("torch", "torchdiffeq", "jax", "diffrax", "torchode"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    info = Path("/proc/cpuinfo")
    names = (
        [x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        if (info.exists())
        else [platform.processor()]
    )
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {"processor": names[0], "cores": str(os.cpu_count()), "load": load, **found}


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.tensor(value)


def worst_error(gradients: Sequence[Any], reference: Sequence[torch.Tensor]) -> float:
    """Largest relative norm error over all gradients."""
    return max(
        ((_tensor(g).double() - r).norm() / r.norm().clamp_min(1e-300)).item()
        for g, r in zip(gradients, reference)
    )
