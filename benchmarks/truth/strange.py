"""Thirty strange attractors of the `dysts` package (Gilpin 2021, NeurIPS): fixed points and Lyapunov exponents.

Run from the repository's root: ``python -m benchmarks.truth.strange``, after ``pip install --no-deps dysts``. Fixed
points are compared with those that scipy's root finder reaches from other starts in the same box; the exponents and
the Kaplan-Yorke dimension with the values that come with the package, which are estimates themselves.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import root

from neurognode.dynamics import VectorField
from neurognode.interpret import (
    Flow,
    find_roots,
    kaplan_yorke,
    lyapunov_exponents,
    starting_points,
    visited_region,
)

HERE = Path(__file__).parent


class Equations(VectorField):
    """A system of `dysts` as a field."""

    def __init__(self, right_hand_side: Any, parameters: dict[str, float], dim: int) -> None:
        super().__init__(dim)
        self.right_hand_side, self.values = right_hand_side, parameters

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """dh/dt."""
        columns = self.right_hand_side(*h.unbind(-1), torch.zeros_like(h[..., 0]), **self.values)
        return torch.stack([c + torch.zeros_like(h[..., 0]) for c in columns], -1)


def equations() -> tuple[Any, dict[str, Any]]:
    """The module of equations and the table of known values, without what `dysts` needs for forecasting."""
    spec = importlib.util.find_spec("dysts")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("This needs the package dysts: pip install --no-deps dysts")
    folder = Path(spec.submodule_search_locations[0])
    package, base = types.ModuleType("dysts"), types.ModuleType("dysts.base")
    package.__path__ = [str(folder)]
    base.DynSys, base.DynSysDelay, base.staticjit = object, object, staticmethod  # type: ignore[attr-defined]
    sys.modules["dysts"], sys.modules["dysts.base"] = package, base
    known = json.loads((folder / "data" / "chaotic_attractors.json").read_text())
    return importlib.import_module("dysts.flows"), known


def systems(count: int) -> dict[str, tuple[Equations, dict[str, Any]]]:
    """The first `count` autonomous three-dimensional systems with rational right-hand sides, by name."""
    flows, known = equations()
    chosen = {}
    for name in sorted(known):
        about = known[name]
        kind = getattr(flows, name, None)
        if (
            not hasattr(kind, "_rhs")
            or about["nonautonomous"]
            or about["delay"]
            or about["embedding_dimension"] != 3
        ):
            continue
        function = getattr(kind._rhs, "py_func", kind._rhs)
        source = inspect.getsource(function)
        names = list(inspect.signature(function).parameters)[4:]
        if "np." in source or about["unbounded_indices"] or not set(names) <= set(about["parameters"]):
            continue
        if not all(isinstance(about["parameters"][n], int | float) for n in names) or "if " in source:
            continue
        chosen[name] = (Equations(function, {n: about["parameters"][n] for n in names}, 3), about)
        if len(chosen) == count:
            break
    return chosen


def by_scipy(flow: Flow, starts: np.ndarray, tolerance: float) -> np.ndarray:
    """Distinct zeros that ``scipy.optimize.root`` reaches."""
    found: list[np.ndarray] = []
    for start in starts:
        answer = root(
            lambda h: flow.velocity(h[None])[0], start, jac=lambda h: flow.jacobian(h[None])[0], tol=1e-13
        )
        if answer.success and all(np.linalg.norm(answer.x - other) > tolerance for other in found):
            found.append(answer.x)
    return np.array(found).reshape(-1, flow.dim)


def examine(field: Equations, about: dict[str, Any]) -> dict[str, Any]:
    """Compare one system with its known values."""
    flow, period = Flow(field), float(about["period"])
    rng = np.random.default_rng(0)
    step = period / 300
    start = np.array(about["initial_conditions"])[None]
    times = np.arange(0, 40 * period, period / 10)
    path = flow.path(start, times, step=step)[0, 50:]
    region = visited_region(path)
    starts = path[rng.integers(len(path), size=12)]
    exponents, error = lyapunov_exponents(flow, starts, 20 * period, discard=3 * period, step=step)
    scale = float(np.linalg.norm(region.upper - region.lower))
    speed = float(np.median(np.linalg.norm(flow.velocity(path), axis=1)))
    roots = find_roots(flow, starting_points(region, 512, rng), scale=scale, speed=speed)
    lower, upper = region.box(0.5)
    own = roots.points[roots.isolated & ((roots.points >= lower) & (roots.points <= upper)).all(1)]
    other = by_scipy(flow, lower + rng.uniform(size=(60, 3)) * (upper - lower), 1e-4 * scale)
    other = other[((other >= lower) & (other <= upper)).all(1)]
    size = np.linalg.svd(flow.jacobian(other), compute_uv=False) if len(other) else np.empty((0, 3))
    other = other[size[:, -1] > 1e-5 * size[:, 0]]
    missed = sum(not len(own) or np.linalg.norm(own - p, axis=1).min() > 1e-6 * scale for p in other)
    return {
        "largest": float(exponents[0]), "error": float(error[0]), "known_largest": about["maximum_lyapunov_estimated"],
        "exponents": exponents.tolist(), "known_exponents": about["lyapunov_spectrum_estimated"],
        "trace": float(np.trace(flow.jacobian(path), axis1=1, axis2=2).mean()),
        "dimension": kaplan_yorke(exponents), "known_dimension": about["kaplan_yorke_dimension"],
        "fixed_points": len(own), "scipy_points": len(other), "missed": int(missed),
        "largest_residual": float(roots.residual.max()) if len(roots.residual) else 0.0,
    }  # fmt: skip


def main(count: int) -> None:
    """Write ``results/strange.json``."""
    rows = {}
    for name, (field, about) in systems(count).items():
        begin = time.process_time()
        rows[name] = examine(field, about)
        rows[name]["cpu_seconds"] = time.process_time() - begin
        print(
            name,
            json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[name].items()}),
            flush=True,
        )
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "strange.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    main(parser.parse_args().count)
