"""Where the flow leads within one and two trial lengths, and whether noise undoes it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from neurognode.interpret.flow import Diffusion, Flow
from neurognode.interpret.region import Region, box_diagonal

GRID = 80
"""Times at which roll-outs are looked at, over two trial lengths."""
LINK = 0.06
"""End points closer than this share of the region's diameter hang together (single linkage)."""
AWAY = 0.10
"""A state that ends farther than this share of the diameter from where it was has switched."""
SMALLEST = 0.02
"""A cluster with fewer than this share of the end points is not counted."""


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Noiseless roll-outs from visited states over two trial lengths, and what noise does to their ends.

    Attributes
    ----------
    times : array (T,)
        Seconds, from 0 to two trial lengths.
    paths : array (n, T, N)
        Roll-outs from visited states; NaN after a state has diverged.
    labels : int array (n,)
        Cluster of each end point, the largest first; -1 for diverged or stray ones.
    noisy_ends : array (n, N)
        End points pushed by the fitted noise for one trial length, then relaxed without it for another; NaN
        where there is no noise model.
    diverged : float
        Share of roll-outs that left the data far behind.
    leaving : float
        Share of end points outside the visited region.
    spread, spread_end : float
        Root mean square deviation of the roll-outs after one and two trial lengths, relative to the visited
        states: 0 when all collapse to a point.
    travel : float
        Median path length during the second trial length, in region diameters.
    drift : float
        Median distance between the states at one and at two trial lengths, in region diameters.
    n_clusters : int
        Groups of end points.
    width : float
        Diagonal of the widest group, in region diameters.
    balance : float
        Share of end points in the second largest group.
    switching : float
        Share of end points that noise takes to another place (more than 10 % of the diameter away) within a
        trial; NaN without a noise model. Near 0: separate wells; 0.2 and more: a continuum, bumpy or not.
    """

    times: np.ndarray
    paths: np.ndarray
    labels: np.ndarray
    noisy_ends: np.ndarray
    diverged: float
    leaving: float
    spread: float
    spread_end: float
    travel: float
    drift: float
    n_clusters: int
    width: float
    balance: float
    switching: float

    @property
    def ends(self) -> np.ndarray:
        """States after two trial lengths, (n, N)."""
        return self.paths[:, -1]

    def relaxed(self, share: float = 0.25) -> np.ndarray:
        """States after `share` trial lengths, once fast transients are over, (m, N); diverged ones left out."""
        states = self.paths[:, round(share * GRID / 2)]
        return states[np.isfinite(states).all(1)]

    def scalars(self) -> dict[str, float]:
        """The numbers among the attributes."""
        return {f.name: float(getattr(self, f.name)) for f in fields(self) if f.type in ("float", "int")}


def behaviour(
    flow: Flow,
    region: Region,
    trial_length: float,
    *,
    diffusion: Diffusion | None = None,
    n_states: int = 300,
    random_state: int | np.random.Generator | None = 0,
) -> Behaviour:
    """Roll visited states out for two trial lengths and see where they end.

    Parameters
    ----------
    flow : Flow
        The field.
    region : Region
        The visited states.
    trial_length : float
        Seconds. Longer horizons would break up every continuum that was learned from finite data.
    diffusion : function, optional
        The fitted noise, from `as_diffusion`.
    n_states : int
        Number of roll-outs.

    Examples
    --------
    >>> from neurognode.interpret import Flow, behaviour, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> region = visited_region(circuit.simulate(50).latents)
    >>> behaviour(Flow(circuit.field), region, circuit.duration).n_clusters
    2
    """
    rng, flow = np.random.default_rng(random_state), flow.single()
    starts = region.sample(n_states, rng)
    times = np.linspace(0, 2 * trial_length, GRID + 1)
    reach = 10 * np.linalg.norm(region.upper - region.lower) + 1e-12
    step = flow.time_step(starts, 2 * trial_length)
    paths = flow.path(starts, times, step=step, limit=reach)
    finite = np.isfinite(paths[:, -1]).all(1)
    labels, n_clusters, width, balance = _groups(region, paths[:, -1], finite)
    noisy = np.full_like(starts, np.nan)
    if diffusion is not None and finite.any():
        options = {"step": step, "limit": reach}
        noise = {"diffusion": diffusion, "rng": rng, "limit": reach, "step": step / 2}
        pushed = flow.end(paths[finite, -1], trial_length, **noise)
        noisy[finite] = flow.end(pushed, trial_length, **options)
    travel = _travel(region, paths, finite)
    return Behaviour(
        times, paths, labels, noisy,
        diverged=float(1 - finite.mean()),
        leaving=float(1 - region.inside(paths[finite, -1]).mean()) if finite.any() else 1.0,
        spread=_spread(region, paths, finite, GRID // 2), spread_end=_spread(region, paths, finite, GRID),
        travel=travel,
        drift=_displacement(region, paths, finite),
        n_clusters=n_clusters, width=width, balance=balance,
        switching=_switching(flow, region, paths[:, -1], noisy, finite, trial_length, step, travel),
    )  # fmt: skip


def _groups(region: Region, ends: np.ndarray, finite: np.ndarray) -> tuple[np.ndarray, int, float, float]:
    labels = np.full(len(ends), -1)
    points = region.measure(ends[finite])
    if len(points) < 2:
        return labels, len(points), 0.0, 0.0
    groups = fcluster(linkage(pdist(points), "single"), LINK * region.diameter, "distance")
    values, counts = np.unique(groups, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    values, counts = values[order], counts[order]
    large = counts >= max(2, SMALLEST * len(points))
    names = {value: rank for rank, value in enumerate(values[large])}
    labels[finite] = [names.get(group, -1) for group in groups]
    widths = [box_diagonal(points[groups == value]) for value in values[large]]
    second = counts[1] / len(points) if large.sum() > 1 else 0.0
    return labels, int(large.sum()), max(widths, default=0.0) / region.diameter, float(second)


def _spread(region: Region, paths: np.ndarray, finite: np.ndarray, k: int) -> float:
    if finite.sum() < 2:
        return float("nan")
    now, start = region.measure(paths[finite, k]), region.measure(paths[finite, 0])
    return float(np.sqrt(now.var(0).sum() / max(start.var(0).sum(), 1e-300)))


def _travel(region: Region, paths: np.ndarray, finite: np.ndarray) -> float:
    if not finite.any():
        return float("nan")
    second = region.measure(paths[finite, GRID // 2 :])
    return float(np.median(np.linalg.norm(np.diff(second, axis=1), axis=2).sum(1)) / region.diameter)


def _displacement(region: Region, paths: np.ndarray, finite: np.ndarray) -> float:
    if not finite.any():
        return float("nan")
    gap = region.measure(paths[finite, -1]) - region.measure(paths[finite, GRID // 2])
    return float(np.median(np.linalg.norm(gap, axis=1)) / region.diameter)


def _switching(
    flow: Flow,
    region: Region,
    ends: np.ndarray,
    noisy: np.ndarray,
    finite: np.ndarray,
    length: float,
    step: float,
    moving: float,
) -> float:
    kept = finite & np.isfinite(noisy).all(1)
    if not kept.any():
        return float("nan")
    undisturbed = ends[kept]
    if moving > 0.02:
        undisturbed = flow.end(undisturbed, 2 * length, step=step)
    gap = np.linalg.norm(region.measure(noisy[kept]) - region.measure(undisturbed), axis=1)
    lost = finite.sum() - kept.sum()
    return float(((gap > AWAY * region.diameter).sum() + lost) / finite.sum())
