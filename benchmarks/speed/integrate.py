"""Time `neurognode.integrate` against its peers: ``python -m benchmarks.speed.integrate [--only ...]``.

One training step is a trajectory and the gradient of its weights; candidates are interleaved in one process and
compared by CPU time, because machines are shared. Results go to ``benchmarks/speed/results/`` as JSON, and from
there to docs/integration.md by ``python -m benchmarks.speed.report``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed import peers_torch
from benchmarks.speed.shapes import MAIN, OTHERS, Data, Shape, make, step_of
from benchmarks.speed.timing import gemm_rate, interleave, machine, worst_error
from neurognode.dynamics import integrate

METHODS = ("euler", "exponential_euler", "midpoint", "rk4")
RESULTS = Path(__file__).parent / "results"


def _jax_candidates(data: Data, method: str) -> dict[str, Callable[[], Any]]:
    try:
        from benchmarks.speed import peers_jax
    except ImportError:
        return {}
    found = {"jax.lax.scan": peers_jax.step_of(data, peers_jax.scan(method))}
    if method in ("euler", "midpoint"):
        with contextlib.suppress(ImportError):
            found["diffrax"] = peers_jax.step_of(data, peers_jax.diffrax_steps(method))
    return found


def _candidates(data: Data, method: str) -> dict[str, Callable[[], Any]]:
    found = {
        "neurognode": step_of(data, method),
        "neurognode (recompute)": step_of(data, method, checkpoint=True),
        "neurognode plain": step_of(data, method, backend="plain"),
        "torch eager": peers_torch.eager(data, method),
        "torch.compile": peers_torch.eager(data, method, compiled=True),
    }
    if method != "exponential_euler":
        found["torchdiffeq"] = peers_torch.torchdiffeq(data, method)
    if method == "rk4":
        found["torchdiffeq adjoint"] = peers_torch.torchdiffeq(data, "rk4", adjoint=True)
        found["torchdiffeq dopri5"] = peers_torch.torchdiffeq(data, "dopri5", rtol=1e-3, atol=1e-5)
    if method == "euler":
        with contextlib.suppress(ImportError):
            found["torchode"] = peers_torch.torchode(data, method)
        for width in {data.shape.latents, data.shape.width}:
            found[f"nn.GRU({width})"] = peers_torch.recurrent(data, width)
    return found | _jax_candidates(data, method)


def peers(seconds: float, names: tuple[str, ...], methods: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every peer at the main shapes and by the methods named."""
    rows, rate = [], gemm_rate()
    for name, shape in ((name, MAIN[name]) for name in names):
        for method in methods:
            data = make(shape)
            reference = step_of(data.to(torch.float64), method, backend="plain")()
            candidates, errors = _candidates(data, method), {}
            for candidate, run in list(candidates.items()):
                try:
                    found = run()
                except Exception as error:
                    print(f"{candidate} does not run at {name} {method}: {error!r}"[:300])
                    del candidates[candidate]
                    continue
                errors[candidate] = None if "GRU" in candidate else worst_error(found, reference)
            times = interleave(candidates, seconds)
            base = times["neurognode"].cpu
            share = data.flop(method) / 1e6 / base / rate
            for candidate, timing in times.items():
                row = {"shape": name, "size": str(shape), "method": method, "candidate": candidate}
                row |= {"cpu_ms": timing.cpu, "ratio": timing.cpu / base, "repeats": timing.repeats}
                rows.append(row | {"gradient_error": errors[candidate], "share_of_gemm": share})
            _show(rows[-len(times) :])
    return rows


def others(seconds: float) -> list[dict[str, Any]]:
    """The plain version against the default at shapes that nobody tuned for."""
    rows = []
    for name, shape in OTHERS.items():
        for method in METHODS:
            data = make(shape)
            steps = {"neurognode": step_of(data, method), "torch eager": peers_torch.eager(data, method)}
            times = interleave(steps, seconds)
            ours, theirs = times["neurognode"].cpu, times["torch eager"].cpu
            rows.append({"shape": name, "size": str(shape), "method": method, "cpu_ms": ours,
                         "eager_cpu_ms": theirs, "ratio": theirs / ours})  # fmt: skip
            _show(rows[-1:])
    return rows


def sweep(seconds: float) -> list[dict[str, Any]]:
    """The default against an eager loop over widths, depths, numbers of trials and of steps: slower anywhere?"""
    rows = []
    for width, depth, batch, bins in itertools.product((8, 64, 256, 512), (1, 2, 4), (1, 32, 4096), (1, 10)):
        if width**2 * batch * bins > 512**2 * 4096:
            bins = 2
        data = make(Shape(batch, bins, 4, width, depth))
        steps = {"neurognode": step_of(data, "euler"), "torch eager": peers_torch.eager(data, "euler")}
        times = interleave(steps, seconds / 6, most=15)
        ours, theirs = times["neurognode"].cpu, times["torch eager"].cpu
        rows.append({"width": width, "depth": depth, "batch": batch, "steps": bins, "cpu_ms": ours,
                     "eager_cpu_ms": theirs, "ratio": theirs / ours})  # fmt: skip
        _show(rows[-1:])
    return rows


def gradients(_: float) -> list[dict[str, Any]]:
    """Worst relative error of values and of gradients, by kernel, against the plain version in float64."""
    shapes = [Shape(19, 40, 3, 33, 2), Shape(5, 60, 6, 20, 1), Shape(7, 30, 4, 1, 0), Shape(4, 20, 3, 17, 4)]
    rows = []
    for dtype, backend, method in itertools.product(
        (torch.float32, torch.float64), ("plain", "cpu", "sweep"), METHODS
    ):
        values, slopes = [], []
        for shape in shapes:
            data = make(shape)
            found, exact = (
                step_of(d, method, backend=b, with_path=True)()
                for d, b in ((data.to(dtype), backend), (data.to(torch.float64), "plain"))
            )
            values.append(worst_error(found[:1], exact[:1]))
            slopes.append(worst_error(found[1:], exact[1:]))
        rows.append({"kernel": backend, "type": str(dtype).removeprefix("torch."), "method": method,
                     "value_error": max(values), "gradient_error": max(slopes)})  # fmt: skip
        _show(rows[-1:])
    return rows


def length(_: float) -> list[dict[str, Any]]:
    """Cost and memory as the number of steps grows, with gradients."""
    rows = []
    step_of(make(Shape(4, 50, 3, 32, 1)), "exponential_euler", checkpoint=True)()
    for bins in (50, 500, 5_000, 50_000, 100_000):
        data = make(Shape(4, bins, 3, 32, 1))
        step = step_of(data, "exponential_euler", checkpoint=True)
        start = time.process_time()
        step()
        taken = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append({"bins": bins, "cpu_us_per_bin": 1e6 * taken / bins, "peak_memory_MiB": peak})
        _show(rows[-1:])
    return rows


def trials(seconds: float) -> list[dict[str, Any]]:
    """Cost as the number of trials grows."""
    rows = []
    for batch in (1, 4, 16, 64, 256, 1024, 4096):
        timing = interleave({"ours": step_of(make(Shape(batch, 50, 4, 64, 1)), "exponential_euler")}, seconds)
        rows.append({"batch": batch, "cpu_us_per_trial": 1e3 * timing["ours"].cpu / batch})
        _show(rows[-1:])
    return rows


def population(seconds: float) -> list[dict[str, Any]]:
    """Sixteen models in one call against sixteen calls, on two threads (wall time) and one (CPU time)."""
    rows = []
    base = MAIN["S1"]
    together = make(Shape(base.batch, base.bins, base.latents, base.width, base.depth, members=16))
    apart = [make(base, seed) for seed in range(16)]
    for method in METHODS:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            one, many = step_of(together, method), [step_of(data, method) for data in apart]
            times = interleave({"one call": one, "16 calls": lambda many=many: [s() for s in many]}, seconds)
            a, b = times["one call"], times["16 calls"]
            rows.append({"method": method, "threads": threads, "one_call_wall_ms": a.wall, "calls_wall_ms": b.wall,
                         "wall_ratio": b.wall / a.wall, "cpu_ratio": b.cpu / a.cpu})  # fmt: skip
            _show(rows[-1:])
    torch.set_num_threads(1)
    return rows


def threads(seconds: float) -> list[dict[str, Any]]:
    """Wall time on one and on two threads; only meaningful on a machine with two idle cores."""
    rows = []
    for name, shape in MAIN.items():
        for method in METHODS:
            data = make(shape)

            def on(count: int, step: Callable[[], Any]) -> Callable[[], None]:
                def run() -> None:
                    torch.set_num_threads(count)
                    step()

                return run

            step = step_of(data, method)
            times = interleave({"1": on(1, step), "2": on(2, step)}, seconds, most=60)
            rows.append({"shape": name, "method": method, "wall_ms_1": times["1"].wall, "wall_ms_2": times["2"].wall,
                         "speedup": times["1"].wall / times["2"].wall,
                         "cpu_ms_1": times["1"].cpu, "cpu_ms_2": times["2"].cpu})  # fmt: skip
            _show(rows[-1:])
    torch.set_num_threads(1)
    return rows


def convergence(_: float) -> list[dict[str, Any]]:
    """Error against the step, and the order fitted to it."""
    import numpy as np

    data = make(Shape(8, 20, 3, 32, 1)).to(torch.float64)
    exact = integrate(data.field, data.h0, data.times, data.inputs, "rk4", 200)
    rows = []
    for method in METHODS:
        counts = [1, 2, 4, 8, 16]
        errors = [
            (integrate(data.field, data.h0, data.times, data.inputs, method, n) - exact).norm().item()
            for n in counts
        ]
        order = -float(np.polyfit(np.log(counts), np.log(errors), 1)[0])
        rows.append({"method": method, "order": order, **{f"error_{n}": e for n, e in zip(counts, errors)}})
        _show(rows[-1:])
    return rows


SECTIONS: dict[str, Callable[[float], list[dict[str, Any]]]] = {
    **{
        f"peers_{name}_{method}": functools.partial(peers, names=(name,), methods=(method,))
        for name, method in itertools.product(MAIN, METHODS)
    },
    "others": others,
    "sweep": sweep,
    "gradients": gradients,
    "length": length,
    "trials": trials,
    "population": population,
    "threads": threads,
    "convergence": convergence,
}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return (
            f"{value:.1e}"
            if value and abs(value) < 1e-3
            else f"{value:.3g}"
            if value < 1000
            else f"{value:.0f}"
        )
    return "-" if value is None else str(value)


def _show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print("  ".join(f"{k}={_cell(v)}" for k, v in row.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each comparison")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if "NEUROGNODE_BENCHMARK" not in os.environ:
        # A process each, because peak memory is that of a whole process. Passive waiting, because on busy cores
        # torch's threads otherwise spin for tens of milliseconds in the loss, which is no part of the comparison.
        environment = os.environ | {"NEUROGNODE_BENCHMARK": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        for name in arguments.only:
            options = ["--only", name, "--seconds", str(arguments.seconds), "--out", str(arguments.out)]
            command = [
                sys.executable,
                *(f"-W{w}" for w in sys.warnoptions),
                "-m",
                "benchmarks.speed.integrate",
            ]
            subprocess.run([*command, *options], check=True, env=environment)
        return
    for name in arguments.only:
        where = machine() | {"GEMM GFLOP/s, one thread": f"{gemm_rate():.0f}"}
        rows = SECTIONS[name](arguments.seconds)
        where["load after"] = machine()["load"]
        target = arguments.out / f"integrate_{name}"
        target.with_suffix(".json").write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
