"""From a field and visited states to its portrait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from neurognode.errors import one_of
from neurognode.interpret.contraction import contraction_rates, tangling
from neurognode.interpret.cycles import Cycle, find_cycles, same_cycle
from neurognode.interpret.escapes import Escape, escape
from neurognode.interpret.flow import Diffusion, Flow, as_diffusion
from neurognode.interpret.gating import slowness
from neurognode.interpret.lyapunov import lyapunov_exponents
from neurognode.interpret.map_orbits import map_cycles
from neurognode.interpret.portraits import Portrait
from neurognode.interpret.precision import Precision, drift_precision, residual_diffusion
from neurognode.interpret.region import Region, visited_region
from neurognode.interpret.repelling import unstable_cycles
from neurognode.interpret.rollouts import Behaviour, behaviour
from neurognode.interpret.roots import Roots, find_roots, starting_points
from neurognode.interpret.separation import Connections, connections, nearest_attractor, separatrix
from neurognode.interpret.slow import slow_manifold
from neurognode.interpret.stability import FixedPoints, linearise
from neurognode.interpret.survival import step_survival

T = TypeVar("T")
DEPTHS = ("full", "quick")
MOST_POINTS = 2000
EXPONENT_STARTS = 48
"""A third of them with more than eight latents, where each costs the more."""
FAR = 2.0
"""Zeros farther from the region's box than this many of its widths are counted, not listed."""
ROUNDING = 1e-4
"""No slower is called typical than this share of what the field's rates make of the region's size: where data
only rest on fixed points, their own speed is rounding, and nothing could be slow beside it."""


@dataclass(frozen=True, eq=False)
class _Task:
    flow: Flow
    region: Region
    horizon: float
    bin_size: float | None
    diffusion: Diffusion | None
    trajectories: np.ndarray | None
    n_starts: int
    rng: np.random.Generator
    notes: list[str]

    def attempt(self, what: str, function: Callable[[], T], fallback: T) -> T:
        """Run one part; numerical failure of it is a note in the portrait, not a crash."""
        try:
            with np.errstate(all="ignore"):
                return function()
        except (np.linalg.LinAlgError, ArithmeticError, RuntimeError) as error:
            self.notes.append(f"{what}: not available ({error})")
            return fallback


def portrait(
    field: Any,
    states: np.ndarray,
    *,
    inputs: np.ndarray | None = None,
    diffusion: Any = None,
    horizon: float | None = None,
    bin_size: float | None = None,
    metric: np.ndarray | None = None,
    n_starts: int = 512,
    depth: str = "full",
    random_state: int | np.random.Generator | None = 0,
) -> Portrait:
    """Draw the portrait of a flow field where data have been.

    Parameters
    ----------
    field : VectorField or Map
        The dynamics, of 1 to 64 latents; not a population (take ``field.member(k)``).
    states : array (n, N) or (trial, time, N)
        Visited states; rows with NaN are ignored.
    inputs : array (I,), optional
        A constant input under which the field is looked at; zero by default.
    diffusion : float, array, module or function, optional
        The fitted noise in latent units per sqrt(s), see `as_diffusion`. Without one, and with trajectories and
        a bin size, what the drift leaves unexplained is taken, and a note says so.
    horizon : float, optional
        One trial length in seconds: ``time * bin_size`` if both are known, otherwise the time in which the
        median speed crosses the region three times.
    bin_size : float, optional
        Seconds between states.
    metric : array (M, N), optional
        Distances are taken between ``metric @ state``, for example the readout's weights.
    n_starts : int
        Starts of the search for fixed points.
    depth : {"full", "quick"}
        "quick" leaves out fixed points, exponents, connections, precision and survival.
    random_state : int, Generator or None
        Chooses starts.

    Returns
    -------
    Portrait

    Raises
    ------
    ValueError
        For arguments of the wrong shape. Fields that diverge or are not finite are reported in ``notes``.

    Examples
    --------
    >>> from neurognode.interpret import portrait
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("limit_cycle")
    >>> picture = portrait(circuit.field, circuit.simulate(30).latents, horizon=circuit.duration)
    >>> abs(picture.cycles[0].period - circuit.key.period) < 1e-4
    True
    """
    one_of(depth, DEPTHS, "depth")
    task = _prepare(field, states, inputs, diffusion, horizon, bin_size, metric, n_starts, random_state)
    flow, region, length = task.flow, task.region, task.horizon
    with np.errstate(all="ignore"):
        roll = behaviour(flow, region, length, diffusion=task.diffusion, random_state=task.rng)
        resamples = 5 if depth == "full" else 0
        slow = slow_manifold(
            flow, region, roll, length, diffusion=task.diffusion, n_resamples=resamples, random_state=task.rng
        )
        none: tuple[Cycle, ...] = ()
        cycles = task.attempt("cycles", lambda: _cycles(task, roll, depth == "full"), none)
        deep = _deep(task, roll) if depth == "full" else _shallow(task)
    _warn(task, roll, slow.topology.note)
    return Portrait(
        latent_dim=flow.dim, horizon=length, region=region, behaviour=roll, slow=slow, cycles=cycles,
        notes=tuple(task.notes), **deep,
    )  # fmt: skip


def _prepare(
    field: Any,
    states: np.ndarray,
    inputs: np.ndarray | None,
    diffusion: Any,
    horizon: float | None,
    bin_size: float | None,
    metric: np.ndarray | None,
    n_starts: int,
    random_state: int | np.random.Generator | None,
) -> _Task:
    states = np.asarray(states, float)
    flow = Flow(field, inputs)
    if states.ndim not in (2, 3) or states.shape[-1] != flow.dim:
        raise ValueError(f"states must be (n, {flow.dim}) or (trial, time, {flow.dim}), got {states.shape}.")
    rng = np.random.default_rng(random_state)
    region = visited_region(states, metric, rng)
    notes: list[str] = []
    if region.diameter <= 0:
        raise ValueError("All visited states are the same; there is no region to draw a portrait of.")
    trajectories = states if states.ndim == 3 else None
    if horizon is None:
        horizon = _horizon(flow, region, trajectories, bin_size, notes)
    if not (np.isfinite(horizon) and horizon > 0):
        raise ValueError(f"horizon={horizon!r} must be a positive number of seconds.")
    noise = as_diffusion(diffusion, flow.dim)
    if noise is None and trajectories is not None and bin_size is not None and states.shape[1] > 1:
        noise = as_diffusion(residual_diffusion(flow, trajectories, bin_size), flow.dim)
        notes.append(
            "noise: none was fitted; what the drift leaves of the trajectories is used, a lower bound"
        )
    return _Task(flow, region, float(horizon), bin_size, noise, trajectories, n_starts, rng, notes)


def _horizon(
    flow: Flow, region: Region, trajectories: np.ndarray | None, bin_size: float | None, notes: list[str]
) -> float:
    if trajectories is not None and bin_size is not None:
        return trajectories.shape[1] * bin_size
    speed = np.linalg.norm(region.measure(flow.velocity(region.states)), axis=1)
    speed = speed[np.isfinite(speed)]
    horizon = 3 * region.diameter / float(np.median(speed)) if len(speed) and np.median(speed) > 0 else 1.0
    notes.append(
        f"horizon: no trial length was given; {horizon:.3g} s, three crossings of the region, is used"
    )
    return horizon


def _cycles(task: _Task, roll: Behaviour, deep: bool) -> tuple[Cycle, ...]:
    flow, region = task.flow, task.region
    found: list[Cycle] = []
    if flow.is_map:
        found = map_cycles(flow, region, roll.ends)
    else:
        if roll.travel > 0.1:
            found = find_cycles(flow, region, roll.ends, longest=2 * task.horizon)
        if deep:
            repelling = unstable_cycles(flow, region, region.states, longest=2 * task.horizon)
            found += [c for c in repelling if not any(same_cycle(region, c, other) for other in found)]
    return tuple(sorted(found, key=lambda c: (not c.stable, c.period)))


def _empty_points(dim: int) -> FixedPoints:
    none = np.empty(0)
    return FixedPoints(
        np.empty((0, dim)), none, np.empty((0, dim), complex), np.empty((0, dim, dim), complex),
        np.empty(0, "U14"), np.empty(0, int), np.empty(0, bool), np.empty(0, bool),
    )  # fmt: skip


def _shallow(task: _Task) -> dict[str, Any]:
    nothing = np.full(task.flow.dim, np.nan)
    return {
        "fixed_points": _empty_points(task.flow.dim),
        "basin_shares": np.empty(0),
        "connections": Connections(np.empty(0, int), np.empty(0, int), np.empty(0)),
        "exponents": nothing,
        "exponents_error": nothing,
        "slowness": slowness(task.flow, task.region, task.region.states[:0]),
        "contraction": float("nan"),
        "tangling": float("nan"),
        "precision": None,
        "survival": {},
        "separatrices": (),
        "escape": None,
    }


def _deep(task: _Task, roll: Behaviour) -> dict[str, Any]:
    flow, region, length = task.flow, task.region, task.horizon
    out = _shallow(task)
    fixed = task.attempt("fixed points", lambda: _fixed_points(task, roll), out["fixed_points"])
    sample = region.sample(400, task.rng)
    velocity = flow.velocity(sample)
    finite = np.isfinite(velocity).all(1)
    out["fixed_points"] = fixed
    out["basin_shares"] = task.attempt(
        "basins", lambda: _basin_shares(task, fixed, roll), np.zeros(len(fixed))
    )
    out["connections"] = task.attempt(
        "connections", lambda: connections(flow, region, fixed, 4 * length), out["connections"]
    )
    none: tuple[np.ndarray, ...] = ()
    out["separatrices"] = task.attempt("separatrices", lambda: _separatrices(task, fixed), none)
    out["escape"] = task.attempt("escape", lambda: _escape(task, fixed), None)
    n_ends = EXPONENT_STARTS if flow.dim <= 8 else EXPONENT_STARTS // 3
    ends = roll.ends[np.isfinite(roll.ends).all(1)][:n_ends]
    if len(ends):
        out["exponents"], out["exponents_error"] = task.attempt(
            "exponents",
            lambda: lyapunov_exponents(
                flow, ends, 2 * length, discard=0.5 * length, step=_coarse(task, ends)
            ),
            (out["exponents"], out["exponents_error"]),
        )
    out["slowness"] = task.attempt(
        "slowness", lambda: slowness(flow, region, roll.relaxed()), out["slowness"]
    )
    rates = contraction_rates(flow, sample)
    out["contraction"] = float(np.nanmedian(rates)) if np.isfinite(rates).any() else float("nan")
    if finite.sum() > 1:
        out["tangling"] = float(np.percentile(tangling(sample[finite], velocity[finite]), 90))
    if task.bin_size is not None:
        out["survival"] = _survival(task, sample[:100])
        out["precision"] = _precision(task)
    return out


def _survival(task: _Task, states: np.ndarray) -> dict[str, float]:
    bin_size, none = float(task.bin_size or 0.0), dict[str, float]()
    return task.attempt(
        "survival", lambda: step_survival(task.flow, task.region, states, bin_size, task.horizon), none
    )


def _coarse(task: _Task, states: np.ndarray) -> float:
    """A step for exponents: twice the usual one, at most 600 a horizon."""
    return max(2 * task.flow.time_step(states, task.horizon), task.horizon / 600)


def _precision(task: _Task) -> Precision | None:
    if task.diffusion is None or task.bin_size is None:
        return None
    noise, bin_size = task.diffusion, task.bin_size
    if task.trajectories is None:
        task.notes.append("precision: taken from at most 5,000 visited states")
        states = task.region.states
    else:
        states = task.trajectories.reshape(-1, task.flow.dim)
    return task.attempt(
        "precision", lambda: drift_precision(task.flow, task.region, states, bin_size, noise), None
    )


def _rate(flow: Flow, region: Region) -> float:
    """Median size of the Jacobian at a few visited states, 1/s."""
    jacobian = flow.jacobian(region.states[:: -(-len(region.states) // 16)])
    size = np.abs(jacobian).max((1, 2))
    return float(np.median(size[np.isfinite(size)])) if np.isfinite(size).any() else 0.0


def _fixed_points(task: _Task, roll: Behaviour) -> FixedPoints:
    flow, region = task.flow, task.region
    speed = np.linalg.norm(flow.velocity(region.states), axis=1)
    speed = speed[np.isfinite(speed)]
    scale = float(np.linalg.norm(region.upper - region.lower))
    if not len(speed) or not speed.max() > 0:
        task.notes.append("fixed points: the field is zero or not finite at every visited state")
        return _empty_points(flow.dim)
    ends = roll.ends[np.isfinite(roll.ends).all(1)]
    middle = np.stack([region.states.mean(0), (region.lower + region.upper) / 2])
    starts = np.concatenate([starting_points(region, task.n_starts, task.rng), ends[:64], middle])
    typical = max(float(np.median(speed)), ROUNDING * scale * _rate(flow, region)) or float(speed.max())
    roots = find_roots(flow, starts, scale=scale, speed=typical)
    lower, upper = region.box(FAR)
    near = ((roots.points >= lower) & (roots.points <= upper)).all(1)
    if (~near).any():
        task.notes.append(f"fixed points: {(~near).sum()} far outside the data were left out")
    kept = Roots(
        roots.points[near], roots.residual[near], roots.isolated[near], roots.n_starts, roots.n_converged
    )
    return linearise(flow, kept, region, task.horizon)


def _escape(task: _Task, fixed: FixedPoints) -> Escape | None:
    if task.diffusion is None:
        return None
    return escape(task.flow, task.region, fixed, task.diffusion, task.horizon, random_state=task.rng)


def _separatrices(task: _Task, fixed: FixedPoints) -> tuple[np.ndarray, ...]:
    if task.flow.is_map or task.flow.dim < 2:
        return ()
    saddles = np.flatnonzero((fixed.kind == "saddle") & (fixed.index == 1) & fixed.isolated & fixed.inside)
    found = [separatrix(task.flow, task.region, fixed, int(k), task.horizon) for k in saddles]
    return tuple(points[:: max(1, len(points) // MOST_POINTS)] for points in found)


def _basin_shares(task: _Task, fixed: FixedPoints, roll: Behaviour) -> np.ndarray:
    shares = np.zeros(len(fixed))
    wells = np.flatnonzero(fixed.stable & fixed.isolated)
    if len(wells):
        reached = nearest_attractor(task.region, fixed.points[wells], roll.ends)
        for k, well in enumerate(wells):
            shares[well] = float((reached == k).mean())
    return shares


def _warn(task: _Task, roll: Behaviour, topology_note: str) -> None:
    if roll.diverged > 0:
        task.notes.append(
            f"{roll.diverged:.0%} of roll-outs from visited states diverge within two trial lengths"
        )
    if roll.leaving > 0.05:
        task.notes.append(f"{roll.leaving:.0%} of end points lie outside the data: extrapolation")
    if topology_note:
        task.notes.append(f"topology: {topology_note}")
