"""How well data of this size can know the drift: its standard error in each cell of the visited region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from neurognode.interpret.flow import Diffusion, Flow
from neurognode.interpret.region import Region, farthest_points


@dataclass(frozen=True, eq=False)
class Precision:
    """Drift and its standard error, sigma / sqrt(time in the cell).

    Attributes
    ----------
    centres : array (c, N)
        Cells of the visited region (Voronoi, far apart).
    occupancy : array (c,)
        Seconds spent in each.
    drift : array (c, N)
        The field at the centres, latent units per second.
    error : array (c,)
        Standard error of one component of the drift, latent units per second.
    resolved : bool array (c,)
        Whether the speed exceeds twice its standard error.
    rate_error : float
        What this makes of growth rates: the median over cells of error / cell radius, 1/s. An eigenvalue
        smaller than this cannot be told from zero.
    """

    centres: np.ndarray
    occupancy: np.ndarray
    drift: np.ndarray
    error: np.ndarray
    resolved: np.ndarray
    rate_error: float


def drift_precision(
    flow: Flow,
    region: Region,
    states: np.ndarray,
    bin_size: float,
    diffusion: Diffusion,
    *,
    n_cells: int = 20,
    random_state: int = 0,
) -> Precision:
    """Standard error of the drift, from the noise and from the time spent in each cell.

    Parameters
    ----------
    states : array (n, N)
        All visited states, one every `bin_size` seconds.
    bin_size : float
        Seconds.
    diffusion : function
        The noise, from `as_diffusion`.
    n_cells : int
        Number of cells.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow, as_diffusion, drift_precision, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> states = circuit.simulate(50, dt=0.02).latents.reshape(-1, 2)
    >>> noise = as_diffusion(circuit.noise, 2)
    >>> cells = drift_precision(Flow(circuit.field), visited_region(states), states, 0.02, noise)
    >>> bool(cells.occupancy.sum() > 50 * 1.2)
    True
    """
    rng = np.random.default_rng(random_state)
    seen = region.measure(region.states)
    centres = region.states[farthest_points(seen, min(n_cells, len(seen)))]
    finite = states[np.isfinite(states).all(1)]
    distance, cell = cKDTree(region.measure(centres)).query(region.measure(finite))
    occupancy = np.bincount(cell, minlength=len(centres)) * bin_size
    draws = rng.standard_normal((256, 1, flow.dim))
    size = np.stack([diffusion(centres, np.broadcast_to(d, centres.shape)) for d in draws[:, 0]])
    sigma = np.sqrt((size**2).mean((0, 2)))
    error = sigma / np.sqrt(np.maximum(occupancy, bin_size))
    drift = flow.velocity(centres)
    speed = np.linalg.norm(drift, axis=1)
    scale = region.diameter / max(float(np.linalg.norm(region.upper - region.lower)), 1e-300)
    radius = np.array(
        [distance[cell == c].mean() if (cell == c).any() else np.nan for c in range(len(centres))]
    )
    radius = np.maximum(radius / max(scale, 1e-300), 1e-9 * region.diameter)
    rate_error = float(np.nanmedian(error / radius)) if np.isfinite(radius).any() else float("nan")
    resolved = speed > 2 * error * np.sqrt(flow.dim)
    return Precision(centres, occupancy, drift, error, resolved, rate_error)


def residual_diffusion(flow: Flow, trajectories: np.ndarray, bin_size: float) -> np.ndarray:
    """Noise (N,) left in trajectories (trial, time, N) after the drift, latent units per sqrt(s).

    Trajectories that were smoothed give too little; it is a floor for models without a noise of their own.

    Examples
    --------
    >>> from neurognode.interpret import Flow, residual_diffusion
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("none", noise=0.5)
    >>> found = residual_diffusion(Flow(circuit.field), circuit.simulate(50).latents, 0.002)
    >>> bool((abs(found / 0.5 - 1) < 0.05).all())
    True
    """
    before = trajectories[:, :-1].reshape(-1, trajectories.shape[2])
    change = np.diff(trajectories, axis=1).reshape(-1, trajectories.shape[2])
    good = np.isfinite(before).all(1) & np.isfinite(change).all(1)
    residual = change[good] - flow.velocity(before[good]) * bin_size
    residual = residual[np.isfinite(residual).all(1)]
    if not len(residual):
        return np.zeros(flow.dim)
    return np.sqrt((residual**2).mean(0) / bin_size)
