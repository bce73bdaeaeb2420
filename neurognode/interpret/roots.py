"""Zeros of a field: batched Levenberg-Marquardt with analytic Jacobians, ending in plain Newton steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from neurognode.interpret.descent import descend, follow
from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region, farthest_points
from neurognode.interpret.waves import in_waves

RESIDUAL = 1e-10
"""A zero has a speed below this share of the typical speed in the visited region."""
MERGE = 1e-5
"""Zeros closer than this share of the region's diameter are one."""
FLAT = 1e-5
"""A zero whose Jacobian has a singular value below this share of its largest belongs to a continuum of zeros."""
MOST_FLAT = 200
MANY, CHEAP = 16, 60
"""With this many latents a Jacobian costs enough for so many steps without one to be taken first."""
COARSE = 1e5
"""Single precision is left at a residual so many times the one asked for."""
NEAR = 100.0
"""A search that ends above so many times the residual of single precision has stalled, and goes on in no other."""
NEWTON = 1e-4
"""Below this damping, plain Newton steps are tried."""
STALL, FALL, FALL_MANY = 8, 0.9, 0.6
"""A search whose speed has not fallen to this share of itself in eight steps has found a slow point, no zero, and is
left; with many latents, where steps are dear and starts that share a zero are many, sooner."""


@dataclass(frozen=True, eq=False)
class Roots:
    """Zeros of a field.

    Attributes
    ----------
    points : array (P, N)
        The zeros. On a continuum of zeros (a perfect line or ring), an even sample of it.
    residual : array (P,)
        Speed left at each, latent units per second.
    isolated : bool array (P,)
        False where the Jacobian is singular: the zero is one of a continuum.
    n_starts, n_converged : int
        How many starts there were, and how many ended at a zero.
    """

    points: np.ndarray
    residual: np.ndarray
    isolated: np.ndarray
    n_starts: int
    n_converged: int


def find_roots(
    flow: Flow, starts: np.ndarray, *, scale: float, speed: float, max_steps: int = 200, merge: float = MERGE
) -> Roots:
    """Zeros of the field that can be reached from `starts`.

    Parameters
    ----------
    flow : Flow
        The field.
    starts : array (n, N)
        Where to begin.
    scale, speed : float
        Yardsticks: the region's diameter (latent units) and a typical speed in it.
    max_steps : int
        Levenberg-Marquardt steps; each start stops at convergence.
    merge : float
        Zeros closer than ``merge * scale`` are one.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow
    >>> from neurognode.interpret.roots import find_roots
    >>> from neurognode.synthetic import circuits
    >>> flow = Flow(circuits.make("bistable").field)
    >>> starts = np.random.default_rng(0).normal(size=(200, flow.dim))
    >>> int(find_roots(flow, starts, scale=3.0, speed=1.0).isolated.sum())
    3
    """
    states, tolerance = np.array(starts, float), speed * RESIDUAL
    search = levenberg_marquardt if flow.dim < MANY else _many
    states = search(flow, states, tolerance, scale, max_steps)
    residual = np.linalg.norm(flow.velocity(states), axis=1) if len(states) else np.empty(0)
    opened = np.linalg.norm(flow.open_velocity(states), axis=1) if len(states) else np.empty(0)
    good = np.isfinite(residual) & (residual <= speed * RESIDUAL) & (opened <= 10 * speed * RESIDUAL)
    points, residual = states[good], residual[good]
    apart = _distinct(points, residual, np.ones(len(points), bool), merge * scale)
    points, residual = points[apart], residual[apart]
    singular = np.linalg.svd(flow.jacobian(points), compute_uv=False) if len(points) else np.empty((0, 1))
    isolated = singular[:, -1] > FLAT * np.maximum(singular[:, 0], 1e-300)
    keep = np.concatenate([np.flatnonzero(isolated), _thinned(points, ~isolated)]).astype(int)
    return Roots(points[keep], residual[keep], isolated[keep], len(starts), int(good.sum()))


def _many(flow: Flow, states: np.ndarray, tolerance: float, scale: float, max_steps: int) -> np.ndarray:
    """What `levenberg_marquardt` does, for many latents: cheap steps first, most searches in single precision."""
    light = flow.single()

    def search(some: np.ndarray) -> np.ndarray:
        found = levenberg_marquardt(
            light, some.astype(np.float32), tolerance * COARSE, scale, max_steps, FALL_MANY
        )
        found = found.astype(float)
        near = np.linalg.norm(flow.open_velocity(found), axis=1) <= tolerance * COARSE * NEAR
        found[near] = levenberg_marquardt(flow, found[near], tolerance, scale, max_steps, FALL_MANY)
        return found

    if not len(states):
        return states
    states[1::2] = follow(flow, states[1::2], scale, CHEAP)
    return in_waves(flow, states, search, lambda some: descend(flow, some, scale, CHEAP), tolerance, scale)


def _distinct(points: np.ndarray, residual: np.ndarray, chosen: np.ndarray, tolerance: float) -> np.ndarray:
    """Indices of one zero, the best converged, out of each group of coinciding ones."""
    order = np.flatnonzero(chosen)[np.argsort(residual[chosen], kind="stable")]
    kept: list[int] = []
    taken = np.zeros(len(points), bool)
    if len(order):
        tree = cKDTree(points)
        for i in order:
            if not taken[i]:
                kept.append(int(i))
                taken[tree.query_ball_point(points[i], tolerance)] = True
    return np.array(kept, int)


def _thinned(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Indices of an even sample of a continuum."""
    indices = np.flatnonzero(chosen)
    return indices[farthest_points(points[indices], MOST_FLAT)] if len(indices) else indices


def levenberg_marquardt(
    flow: Flow, states: np.ndarray, tolerance: float, scale: float, max_steps: int, fall: float = FALL
) -> np.ndarray:
    """Move each state (n, N) to a zero of the field; those that find none are left where they stalled.

    Gated fields are searched with their gates open, which moves no zero. Each state has its own damping, at
    first so small that Newton's step is tried: a step that lowers the speed is taken and the damping cut by ten,
    another is refused and the damping raised by ten. Two plain
    Newton steps on the field itself end it. A search that no longer gets anywhere is given up.
    """
    active = np.arange(len(states))
    velocity = flow.open_velocity(states) if len(states) else states
    damping = np.full(len(states), NEWTON)
    jacobian = flow.open_jacobian(states)
    best = np.full(len(states), np.inf)
    for k in range(max_steps):
        speed = np.linalg.norm(velocity[active], axis=1)
        if k % STALL == STALL - 1:
            moving = speed < fall * best[active]
            active, speed = active[moving], speed[moving]
            best[active] = speed
        finite = np.isfinite(speed) & np.isfinite(jacobian[active]).all((1, 2))
        active = active[finite & (speed > tolerance) & (damping[active] < 1e10)]
        if not len(active):
            break
        step = _damped_step(jacobian[active], velocity[active], damping[active])
        length = np.linalg.norm(step, axis=1, keepdims=True)
        trial = states[active] + step * np.minimum(1.0, 0.5 * scale / np.maximum(length, 1e-300))
        moved = flow.open_velocity(trial)
        better = np.linalg.norm(moved, axis=1) < np.linalg.norm(velocity[active], axis=1)
        taken, refused = active[better], active[~better]
        states[taken], velocity[taken] = trial[better], moved[better]
        damping[taken] = np.maximum(damping[taken] * 0.1, 1e-15)
        damping[refused] *= 10.0
        if len(taken):
            jacobian[taken] = flow.open_jacobian(states[taken])
    return _polished(flow, states, tolerance)


def _damped_step(jacobian: np.ndarray, velocity: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """-(J'J + d I)^-1 J'f, with d relative to the mean square of J's columns; Newton's step where d is tiny."""
    step = np.empty_like(velocity)
    plain = damping <= NEWTON
    diagonal = np.arange(velocity.shape[1])
    if plain.any():
        matrix = jacobian[plain]
        matrix[:, diagonal, diagonal] += 1e-15 * np.abs(matrix).max((1, 2))[:, None] + 1e-300
        step[plain] = _solved(matrix, -velocity[plain])
    if not plain.all():
        matrix = jacobian[~plain]
        transposed = matrix.transpose(0, 2, 1)
        normal = transposed @ matrix
        size = np.trace(normal, axis1=1, axis2=2) / normal.shape[1]
        normal[:, diagonal, diagonal] += (damping[~plain] * size + 1e-300)[:, None]
        step[~plain] = _solved(normal, -(transposed @ velocity[~plain][..., None])[..., 0])
    return step


def _solved(matrices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solutions (n, N) of linear systems; the shortest least-squares one of every system where one is singular."""
    try:
        return np.linalg.solve(matrices, values[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return (np.linalg.pinv(matrices) @ values[..., None])[..., 0]


def _polished(flow: Flow, states: np.ndarray, tolerance: float) -> np.ndarray:
    """Two plain Newton steps from states that have converged, kept where they are short and lower the speed."""
    for _ in range(2):
        velocity = flow.velocity(states) if len(states) else states
        speed = np.linalg.norm(velocity, axis=1)
        near = np.flatnonzero(np.isfinite(speed) & (speed <= tolerance) & (speed > 0))
        if not len(near):
            return states
        step = _damped_step(flow.jacobian(states[near]), velocity[near], np.zeros(len(near)))
        short = np.linalg.norm(step, axis=1) <= 1e-6 * (1 + np.linalg.norm(states[near], axis=1))
        trial = states[near] + np.where(short[:, None], step, 0.0)
        better = short & (np.linalg.norm(flow.velocity(trial), axis=1) < speed[near])
        states[near[better]] = trial[better]
    return states


def starting_points(region: Region, n: int, rng: np.random.Generator) -> np.ndarray:
    """Where to look for zeros: half visited states, and space-filling sets in the region's widened box.

    A quarter of these lie in a box that is widened by its own width on every side.
    """
    visited = region.sample(n // 2, rng)
    count = max(0, n - len(visited))
    sets = [
        _filling(region.box(widen), k, rng) for widen, k in ((0.2, count - count // 4), (1.0, count // 4))
    ]
    return np.concatenate([visited, *sets])


def _filling(box: tuple[np.ndarray, np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Points (count, N) that fill a box evenly."""
    lower, upper = box
    dim = len(lower)
    if not count or dim > 64:
        return lower + rng.uniform(size=(count, dim)) * (upper - lower)
    unit = qmc.Sobol(dim, seed=rng).random_base2(int(np.ceil(np.log2(count))))[:count]
    return lower + unit * (upper - lower)
