"""Slow manifolds: where states linger once fast transients are over, their dimension, rates, drift and shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from neurognode.interpret.flow import Diffusion, Flow
from neurognode.interpret.homology import Topology, topology
from neurognode.interpret.region import Region, box_diagonal
from neurognode.interpret.rollouts import Behaviour

THIN = 0.3
"""A direction counts towards the local dimension if its spread is this share of the widest one's."""


@dataclass(frozen=True, eq=False)
class SlowManifold:
    """The set the flow brings visited states to within a quarter of a trial, and what it does there.

    Attributes
    ----------
    points : array (m, N)
        The set.
    is_slow : bool array (m,)
        Where the speed would move the state by less than 10 % of the region's diameter in a trial.
    dimension : int
        Local dimension: of the set (principal components of neighbourhoods). 0 for a point or separate points.
    spectral_dimension : int
        Number of slow modes by the widest gap in the rates; equals `dimension` on a clean manifold.
    tangent_rate, normal_rate : float
        Median real part of the slowest `dimension` eigenvalues, and of the next, 1/s.
    tangent_rates : array (m,)
        Real part of the slowest eigenvalue at each point, 1/s.
    gap : float
        ``normal_rate / |tangent_rate|`` in size: how much faster the return than the motion along.
    drift : array (m, N)
        The field along the set, latent units per second.
    drift_share : float
        Median of ``speed * trial length / diameter``.
    extent : float
        Diagonal of the set, in region diameters.
    stay : float
        Seconds until half of the states have moved by 10 % of the region's diameter along the drift alone
        (linear estimate); infinite where they never do.
    topology : Topology
        Shape of the set.
    diffusion : float
        Noise along the set, region diameters per sqrt(s), median; NaN without a noise model.
    stay_noisy : float
        Seconds until the drift and the noise along the set have moved half of the states by 10 % of the region's
        diameter (root mean square, linear estimate); NaN without a noise model.
    """

    points: np.ndarray
    is_slow: np.ndarray
    dimension: int
    spectral_dimension: int
    tangent_rate: float
    normal_rate: float
    tangent_rates: np.ndarray
    gap: float
    drift: np.ndarray
    drift_share: float
    extent: float
    stay: float
    topology: Topology
    diffusion: float = float("nan")
    stay_noisy: float = float("nan")


def local_dimension(points: np.ndarray, diameter: float, neighbours: int | None = None) -> int:
    """Dimension of a point set, from the principal components of its neighbourhoods.

    Parameters
    ----------
    points : array (n, M)
        The set.
    diameter : float
        Of the whole region; a set (or a neighbourhood) narrower than 1 % of it is a point.
    neighbours : int, optional
        Size of a neighbourhood; 1/20 of the set, at least 10.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import local_dimension
    >>> plane = np.random.default_rng(0).uniform(size=(400, 2)) @ np.array([[1.0, 0, 1], [0, 1, 1]])
    >>> local_dimension(plane, 2.0)
    2
    """
    points = points[np.isfinite(points).all(1)]
    if len(points) < 10 or box_diagonal(points) < 0.05 * diameter:
        return 0
    k = min(len(points), neighbours or max(10, len(points) // 20))
    _, index = cKDTree(points).query(points, k=k)
    local = points[index] - points[index].mean(1, keepdims=True)
    spread = np.linalg.svd(local, compute_uv=False) / np.sqrt(k)
    wide = spread[:, 0] > 1e-3 * diameter
    if wide.mean() < 0.3:
        return 0
    return int(np.median((spread[wide] > THIN * spread[wide, :1]).sum(1)))


def spectral_gap(rates: np.ndarray, trial_length: float) -> int:
    """Number of slow modes: where the sizes of the sorted real parts jump most, on average over points.

    A rate counts as at least a tenth of one per trial, so that two perfect zeros do not make a gap.
    """
    real = np.sort(np.abs(rates.real), axis=1)
    real = real[np.isfinite(real).all(1)]
    if not len(real) or real.shape[1] < 2:
        return 0
    size = np.log(np.maximum(real, 0.1 / trial_length))
    return 1 + int(np.argmax(np.median(np.diff(size, axis=1), axis=0)))


def slow_manifold(
    flow: Flow,
    region: Region,
    roll: Behaviour,
    trial_length: float,
    *,
    share: float = 0.25,
    diffusion: Diffusion | None = None,
    n_resamples: int = 5,
    random_state: int | np.random.Generator | None = 0,
) -> SlowManifold:
    """Describe the set that visited states relax to within ``share`` of a trial.

    Examples
    --------
    >>> from neurognode.interpret import Flow, behaviour, slow_manifold, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("ring")
    >>> region = visited_region(circuit.simulate(60).latents)
    >>> flow = Flow(circuit.field)
    >>> roll = behaviour(flow, region, circuit.duration)
    >>> slow_manifold(flow, region, roll, circuit.duration).dimension
    1
    """
    points = roll.relaxed(share)
    seen = region.measure(points)
    dimension = local_dimension(seen, region.diameter)
    drift = flow.velocity(points)
    pace = np.linalg.norm(region.measure(drift), axis=1) / region.diameter
    rates = flow.rates(points)
    real = np.sort(rates.real, axis=1)[:, ::-1]
    slowest = np.take_along_axis(real, np.argsort(np.abs(real), axis=1), 1)
    tangent, normal = _tangent_and_normal(slowest, max(dimension, 1))
    shape = topology(
        seen, dimension, reference=region.diameter, n_resamples=n_resamples, random_state=random_state
    )
    noise = _along_noise(region, points, diffusion, dimension)
    stay = 0.1 / float(np.median(pace)) if len(pace) and np.median(pace) > 0 else np.inf
    return SlowManifold(
        points=points,
        is_slow=pace * trial_length < 0.1,
        dimension=dimension,
        spectral_dimension=spectral_gap(rates, trial_length) if len(rates) else 0,
        tangent_rate=tangent,
        normal_rate=normal,
        tangent_rates=slowest[:, 0] if len(slowest) else np.empty(0),
        gap=abs(normal) / max(abs(tangent), 0.1 / trial_length),
        drift=drift,
        drift_share=float(np.median(pace) * trial_length) if len(pace) else float("nan"),
        extent=box_diagonal(seen) / region.diameter if len(seen) else 0.0,
        stay=stay,
        topology=shape,
        diffusion=float(np.median(noise)) if len(noise) else float("nan"),
        stay_noisy=_stay(pace, noise) if len(noise) else float("nan"),
    )


def _along_noise(
    region: Region, points: np.ndarray, diffusion: Diffusion | None, dimension: int, n_draws: int = 64
) -> np.ndarray:
    """Noise along the set (m,), diameters per sqrt(s), all its directions together; of all where it is a point."""
    if diffusion is None or len(points) < 2:
        return np.empty(0)
    rng = np.random.default_rng(0)
    draws = np.stack([diffusion(points, rng.standard_normal(points.shape)) for _ in range(n_draws)], 1)
    seen, moved = region.measure(points), region.measure(draws)
    if dimension:
        k = min(len(seen), max(10, len(seen) // 20))
        index = cKDTree(seen).query(seen, k=k)[1]
        local = seen[index] - seen[index].mean(1, keepdims=True)
        tangent = np.linalg.svd(local, full_matrices=False)[2][:, :dimension]
        moved = np.einsum("mkd,mtd->mkt", moved, tangent)
    return np.asarray(np.sqrt((moved**2).sum(2).mean(1)) / region.diameter)


def _stay(pace: np.ndarray, noise: np.ndarray) -> float:
    """Median time at which (pace t)^2 + noise^2 t reaches 0.1^2."""
    a, b = np.maximum(pace, 1e-12) ** 2, noise**2
    return float(np.median((np.sqrt(b**2 + 4 * a * 0.01) - b) / (2 * a)))


def _tangent_and_normal(slowest: np.ndarray, dimension: int) -> tuple[float, float]:
    finite = slowest[np.isfinite(slowest).all(1)]
    if not len(finite):
        return float("nan"), float("nan")
    tangent = float(np.median(finite[:, :dimension].mean(1)))
    normal = float(np.median(finite[:, dimension])) if dimension < finite.shape[1] else float("nan")
    return tangent, normal
