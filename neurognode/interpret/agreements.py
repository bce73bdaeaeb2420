"""Do several fits of the same data agree? Fields compared after affine alignment, fixed points matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from neurognode.errors import MissingExtraError
from neurognode.interpret.flow import Flow
from neurognode.interpret.portraits import Portrait
from neurognode.interpret.stability import MARGINAL

NEAR = 0.1
"""Fixed points closer than this share of the region's diameter may be the same."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """What members of an ensemble share.

    Attributes
    ----------
    reference : int
        Member in whose latents everything is expressed.
    maps : tuple of (array (N + 1, N))
        Affine map of each member's latents to the reference's, offset in the last row.
    state_r2 : array (members,)
        How well the maps carry the members' latents onto the reference's.
    cosine : array (members,)
        Median cosine between the mapped drift and the reference's at the reference's visited states.
    slope : array (members,)
        Regression of the mapped drift's size on the reference's.
    points : array (P, N)
        The reference's isolated fixed points inside the visited region.
    kind : array of str (P,)
        Their type, "marginal" where the interval of growth rates over members spans zero.
    found : array (P,)
        Share of members with a fixed point there.
    growth : array (P, 2)
        Smallest and largest top growth rate over the members that have it, 1/s.
    """

    reference: int
    maps: tuple[np.ndarray, ...]
    state_r2: np.ndarray
    cosine: np.ndarray
    slope: np.ndarray
    points: np.ndarray
    kind: np.ndarray
    found: np.ndarray
    growth: np.ndarray

    @property
    def field_cosine(self) -> float:
        """Median over the other members of `cosine`; NaN for a single one."""
        others = np.delete(self.cosine, self.reference)
        return float(np.median(others)) if len(others) else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """One row a fixed point of the reference."""
        frame = pd.DataFrame(
            {
                "kind": self.kind,
                "found": self.found,
                "growth_low": self.growth[:, 0],
                "growth_high": self.growth[:, 1],
            }
        )
        for i in range(self.points.shape[1]):
            frame[f"latent_{i}"] = self.points[:, i]
        return frame

    def __str__(self) -> str:
        rows = [
            f"  {kind}: in {share:.0%} of members, growth {low:+.2g} to {high:+.2g} /s"
            for kind, share, (low, high) in zip(self.kind, self.found, self.growth)
        ]
        head = f"Agreement of {len(self.maps)} members: drift cosine {self.field_cosine:.2f} (median)"
        return "\n".join([head, *rows])


def agreement(
    portraits: Sequence[Portrait],
    fields: Sequence[Any],
    trajectories: Sequence[np.ndarray],
    *,
    reference: int = 0,
) -> Agreement:
    """Compare the members of an ensemble.

    Parameters
    ----------
    portraits : sequence of Portrait
        One a member.
    fields : sequence of VectorField or Map
        In the same order.
    trajectories : sequence of arrays (trial, time, N)
        The members' latents of the same trials; bins that are NaN in one are left out.
    reference : int
        Member the others are compared with.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import agreement, portrait
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> states = circuit.simulate(40, dt=0.02).latents
    >>> picture = portrait(circuit.field, states, horizon=1.2, diffusion=circuit.noise)
    >>> round(agreement([picture] * 2, [circuit.field] * 2, [states] * 2).field_cosine, 3)
    1.0
    """
    if not len(portraits) == len(fields) == len(trajectories):
        raise ValueError("agreement needs as many portraits as fields and trajectories.")
    flat = [np.asarray(t, float).reshape(-1, np.shape(t)[-1]) for t in trajectories]
    good = np.all([np.isfinite(f).all(1) for f in flat], axis=0)
    if good.sum() < 10:
        raise ValueError("The members share fewer than ten finite states; were they given the same trials?")
    target = flat[reference][good]
    home = Flow(fields[reference])
    maps, r2, cosine, slope = [], [], [], []
    for states, field in zip(flat, fields):
        matrix, fit = _affine(states[good], target)
        maps.append(matrix)
        r2.append(fit)
        own = states[good][:: max(1, int(good.sum()) // 2000)]
        similar = _similarity(portraits[reference], Flow(field), home, own, matrix)
        cosine.append(similar[0])
        slope.append(similar[1])
    points, kind, found, growth = _matched(portraits, maps, reference)
    return Agreement(
        reference, tuple(maps), np.array(r2), np.array(cosine), np.array(slope), points, kind, found, growth
    )


def _affine(states: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    design = np.column_stack([states, np.ones(len(states))])
    matrix = np.linalg.lstsq(design, target, rcond=1e-6)[0]
    left = ((target - design @ matrix) ** 2).sum()
    return matrix, float(1 - left / max(((target - target.mean(0)) ** 2).sum(), 1e-300))


def _similarity(
    picture: Portrait, flow: Flow, home: Flow, states: np.ndarray, matrix: np.ndarray
) -> tuple[float, float]:
    metric = picture.region.metric
    mapped = flow.velocity(states) @ matrix[:-1] @ metric.T
    there = home.velocity(states @ matrix[:-1] + matrix[-1]) @ metric.T
    good = np.isfinite(mapped).all(1) & np.isfinite(there).all(1)
    mapped, there = mapped[good], there[good]
    if not len(mapped):
        return float("nan"), float("nan")
    product = (mapped * there).sum(1)
    size = np.linalg.norm(mapped, axis=1) * np.linalg.norm(there, axis=1)
    return float(np.median(product / np.maximum(size, 1e-300))), float(
        product.sum() / max((there**2).sum(), 1e-300)
    )


def _matched(
    portraits: Sequence[Portrait], maps: Sequence[np.ndarray], reference: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    home = portraits[reference]
    chosen = home.fixed_points.isolated & home.fixed_points.inside
    points = home.fixed_points.points[chosen]
    rates: list[list[float]] = [[] for _ in points]
    for picture, matrix in zip(portraits, maps):
        fixed = picture.fixed_points
        if not len(points) or not len(fixed):
            continue
        moved = home.region.measure(fixed.points @ matrix[:-1] + matrix[-1])
        gap = np.linalg.norm(home.region.measure(points)[:, None] - moved[None], axis=2)
        for i, j in zip(*linear_sum_assignment(np.minimum(gap, 1e3 * home.region.diameter))):
            if gap[i, j] < NEAR * home.region.diameter:
                rates[i].append(float(fixed.eigenvalues[j].real.max()))
    found = np.array([len(r) / len(portraits) for r in rates])
    growth = np.array([[min(r), max(r)] if r else [np.nan, np.nan] for r in rates]).reshape(-1, 2)
    kind = home.fixed_points.kind[chosen].copy()
    limit = MARGINAL / home.horizon
    kind[(growth[:, 0] < limit) & (growth[:, 1] > -limit)] = "marginal"
    return points, kind, found, growth


def dsa(first: np.ndarray, second: np.ndarray, *, n_delays: int = 10, rank: int = 20) -> float:
    """Dynamical similarity analysis of two sets of trajectories (trial, time, N): 0 for conjugate dynamics.

    Ostrow et al. 2023, NeurIPS, by the package ``dsa-metric``.

    Raises
    ------
    MissingExtraError
        If ``dsa-metric`` is not installed.
    """
    try:
        from DSA import DSA
    except ImportError as error:
        raise MissingExtraError("dsa-metric", "compare") from error
    finite = [x[np.isfinite(x).all((1, 2))] for x in (np.asarray(first, float), np.asarray(second, float))]
    return float(
        np.asarray(
            DSA(finite[0], finite[1], n_delays=n_delays, rank=rank, verbose=False).fit_score()
        ).squeeze()
    )
