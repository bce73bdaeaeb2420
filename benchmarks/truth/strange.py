"""Thirty strange attractors of the `dysts` package (Gilpin 2021, NeurIPS): fixed points and Lyapunov exponents.

Run from the repository's root: ``python -m benchmarks.truth.strange``, after ``pip install --no-deps dysts``. Fixed
points are compared with those that scipy's root finder reaches from other starts in the same box; the exponents and
the Kaplan-Yorke dimension with the values that come with the package, which are estimates themselves, and where
these differ by more than 25 % the largest one also with the growth of a small separation followed by scipy.
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
from scipy.integrate import solve_ivp
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


def separation_exponent(
    flow: Flow, start: np.ndarray, period: float, scale: float, periods: int = 150
) -> float:
    """Largest exponent from the growth of a small separation, pulled back ten times a period (Benettin et al. 1976).

    It shares neither the integrator (Dormand and Prince, order 8) nor the Jacobians with ours.
    """
    small, gap = 1e-7 * scale, period / 10
    dim, total = flow.dim, 0.0
    pair = np.concatenate([start, start + small / np.sqrt(dim)])
    warm = 20 * 10
    for k in range(warm + periods * 10):
        answer = solve_ivp(
            lambda t, y: flow.velocity(y.reshape(2, dim)).ravel(), (0.0, gap), pair, method="DOP853", rtol=1e-9,
            atol=1e-12 * scale,
        )  # fmt: skip
        pair = answer.y[:, -1]
        apart = pair[dim:] - pair[:dim]
        size = float(np.linalg.norm(apart))
        if not np.isfinite(size) or size == 0:
            return float("nan")
        total += np.log(size / small) if k >= warm else 0.0
        pair[dim:] = pair[:dim] + apart * (small / size)
    return total / (periods * period)


def differenced(flow: Flow, point: np.ndarray, scale: float) -> np.ndarray:
    """Eigenvalues at a point from central differences of the field."""
    h = 1e-5 * scale * np.eye(flow.dim)
    jacobian = (flow.velocity(point + h) - flow.velocity(point - h)).T / (2e-5 * scale)
    return np.sort_complex(np.linalg.eigvals(jacobian))


def compared_points(
    flow: Flow, region: Any, scale: float, speed: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Isolated fixed points in the attractor's box, ours and scipy's: how many, how far apart, their eigenvalues."""
    roots = find_roots(flow, starting_points(region, 512, rng), scale=scale, speed=speed)
    lower, upper = region.box(0.5)
    own = roots.points[roots.isolated & ((roots.points >= lower) & (roots.points <= upper)).all(1)]
    other = by_scipy(flow, lower + rng.uniform(size=(60, 3)) * (upper - lower), 1e-4 * scale)
    other = other[((other >= lower) & (other <= upper)).all(1)]
    size = np.linalg.svd(flow.jacobian(other), compute_uv=False) if len(other) else np.empty((0, 3))
    other = other[size[:, -1] > 1e-5 * size[:, 0]]
    gap = np.linalg.norm(other[:, None] - own[None], axis=2).min(1, initial=np.inf) / scale
    rates = [np.sort_complex(r) for r in flow.rates(own)] if len(own) else []
    wrong = [
        float(np.abs(r - differenced(flow, p, scale)).max() / max(np.abs(r).max(), 1e-300))
        for r, p in zip(rates, own)
    ]
    return {
        "fixed_points": len(own), "scipy_points": len(other), "missed": int((gap > 1e-6).sum()),
        "largest_gap": float(gap.max(initial=0.0)), "largest_eigenvalue_error": max(wrong, default=0.0),
        "largest_residual": float(roots.residual.max()) if len(roots.residual) else 0.0,
    }  # fmt: skip


def attractor(flow: Flow, about: dict[str, Any]) -> tuple[np.ndarray, Any, float, float]:
    """States every tenth of a period over 100 periods, after 100 others; their region, size and typical speed."""
    start, period = np.array(about["initial_conditions"])[None], float(about["period"])
    step = min(period / 200, 0.3 / max(np.abs(flow.rates(start)).max(), 1e-12))
    path = flow.path(start, np.arange(0, 200 * period, period / 10), step=step)[0, 1000:]
    region = visited_region(path)
    scale = float(np.linalg.norm(region.upper - region.lower))
    return path, region, scale, float(np.median(np.linalg.norm(flow.velocity(path), axis=1)))


def only_points(field: Equations, about: dict[str, Any]) -> dict[str, Any]:
    """The part of `examine` that looks for fixed points."""
    flow = Flow(field)
    _, region, scale, speed = attractor(flow, about)
    return compared_points(flow, region, scale, speed, np.random.default_rng(0))


def examine(field: Equations, about: dict[str, Any], periods: int = 60) -> dict[str, Any]:
    """Compare one system with its known values, and where they differ with an independent computation."""
    flow, period, rng = Flow(field), float(about["period"]), np.random.default_rng(0)
    path, region, scale, speed = attractor(flow, about)
    start = np.array(about["initial_conditions"])[None]
    step = min(period / 200, 0.3 / max(np.abs(flow.rates(start)).max(), 1e-12))
    step = min(step, flow.time_step(region.states, period) / 2)
    starts = path[rng.integers(len(path), size=32)]
    exponents, error = lyapunov_exponents(flow, starts, periods * period, discard=20 * period, step=step)
    known = [about["maximum_lyapunov_estimated"], (about["lyapunov_spectrum_estimated"] or [None])[0]]
    agrees = any(k is not None and abs(exponents[0] - k) < 0.25 * abs(k) for k in known)
    separation = None if agrees else float(separation_exponent(flow, path[-1], period, scale))
    return {
        "largest": float(exponents[0]), "error": float(error[0]), "known_largest": about["maximum_lyapunov_estimated"],
        "separation": separation,
        "exponents": exponents.tolist(), "known_exponents": about["lyapunov_spectrum_estimated"],
        "trace": float(np.trace(flow.jacobian(path), axis1=1, axis2=2).mean()),
        "dimension": kaplan_yorke(exponents), "known_dimension": about["kaplan_yorke_dimension"],
        **compared_points(flow, region, scale, speed, rng),
    }  # fmt: skip


def main(count: int, seconds: float, points: bool = False) -> None:
    """Write ``results/strange.json``; what it holds is kept, and the rest is computed for about so long."""
    target = HERE / "results" / "strange.json"
    stored = json.loads(target.read_text()) if target.exists() else {}
    rows = {name: row for name, row in stored.items() if "separation" in row}
    if points:
        for name, (field, about) in systems(count).items():
            rows.get(name, {}).update(only_points(field, about))
            print(name, rows.get(name, {}).get("missed"), flush=True)
    first = time.monotonic()
    for name, (field, about) in systems(count).items():
        if name in rows or time.monotonic() - first > seconds:
            continue
        begin = time.process_time()
        rows[name] = examine(field, about)
        rows[name]["cpu_seconds"] = time.process_time() - begin
        print(
            name,
            json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[name].items()}),
            flush=True,
        )
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="Stop after about so long; run again."
    )
    main(**vars(parser.parse_args()))
