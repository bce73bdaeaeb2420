"""Which fixed points a field has in a region, proved: each one found is unique in its box, the rest is excluded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neurognode.interpret.enclosures import ROUNDING, enclose
from neurognode.interpret.region import Region, visited_region

INFLATE = 1.25
"""A zero is looked for in a box somewhat larger than the one that has to be decided, so that none falls between."""
CHUNK = 1024


@dataclass(frozen=True, eq=False)
class ProvedFixedPoints:
    """Fixed points that a field is proved to have, and where it is proved to have none.

    Attributes
    ----------
    points, radius : arrays (P, N)
        Each box ``points +- radius`` holds exactly one fixed point.
    kind : array (P,) of str
        ``stable``, ``unstable`` (all directions), ``saddle``, or ``unproved`` where the sign of a rate is open.
    inside : bool array (P,)
        Whether it lies in the visited region.
    open_lower, open_upper : arrays (U, N)
        Boxes about which nothing could be proved: there may be none, one or many (a continuum, for example).
    lower, upper : arrays (N,)
        The box that was searched.
    excluded : float
        Share of that box in which there is provably no fixed point beside those in `points`.
    n_boxes : int
        How many boxes were looked at.

    Examples
    --------
    >>> from neurognode.interpret import PolynomialField, proved_fixed_points
    >>> field = PolynomialField([[1], [3]], [[1.0, -1.0]])  # h - h^3
    >>> found = proved_fixed_points(field, box=([-2.0], [2.0]))
    >>> found.points.round(6).ravel().tolist(), found.kind.tolist(), found.complete
    ([-1.0, 0.0, 1.0], ['stable', 'unstable', 'stable'], True)
    """

    points: np.ndarray
    radius: np.ndarray
    kind: np.ndarray
    inside: np.ndarray
    open_lower: np.ndarray
    open_upper: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    excluded: float
    n_boxes: int

    @property
    def complete(self) -> bool:
        """Whether the number of fixed points in the searched box is proved."""
        return not len(self.open_lower)

    def to_frame(self) -> pd.DataFrame:
        """One row a proved fixed point."""
        frame = pd.DataFrame({"kind": self.kind, "inside": self.inside})
        for i in range(self.points.shape[1]):
            frame[f"latent_{i}"] = self.points[:, i]
        return frame.assign(radius=self.radius.max(1) if len(self.points) else np.empty(0))

    def __str__(self) -> str:
        kinds = ", ".join(f"{(self.kind == k).sum()} {k}" for k in dict.fromkeys(self.kind))
        text = f"{len(self.points)} fixed points proved" + (f" ({kinds})" if kinds else "")
        if self.complete:
            return text + "; no other in the box."
        return (
            text
            + f"; {self.excluded:.2%} of the box is free of others, {len(self.open_lower)} boxes undecided."
        )


def proved_fixed_points(
    field: Any,
    states: np.ndarray | Region | None = None,
    *,
    box: tuple[Any, Any] | None = None,
    inputs: np.ndarray | None = None,
    smallest: float = 1e-5,
    max_boxes: int = 50_000,
) -> ProvedFixedPoints:
    """Find and exclude fixed points by proof: bisection with affine forms and the Krawczyk test [1]_.

    A box in which a component of the velocity cannot vanish is free of fixed points. A box on which the Krawczyk
    operator maps into itself holds exactly one. What is neither is halved, down to `smallest`. Bounds cover the
    rounding of float64, so that nothing rests on sampling. For up to about four latents.

    Parameters
    ----------
    field : GNODE, NODE or PolynomialField
        See `enclose`.
    states : array (..., N) or Region, optional
        Visited states; the search is confined to where they are (boxes farther than the region's radius from
        every visited state are left out, and count as excluded).
    box : pair of arrays (N,), optional
        Lower and upper corner of the searched box; that of the region, widened by a fifth, by default.
    inputs : array (I,), optional
        Constant input.
    smallest : float
        Boxes are halved until their sides are this share of the searched box.
    max_boxes : int
        Most boxes that are looked at; those still waiting are then undecided.

    Raises
    ------
    ValueError
        If neither states nor a box are given, or no bounds are known for the field.

    References
    ----------
    .. [1] Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken", Computing 4 (1969);
       Neumaier, "Interval Methods for Systems of Equations", 1990.

    Examples
    --------
    Two units that excite themselves, ``dh/dt = -h + tanh(2 h)`` each, have nine fixed points:

    >>> import torch
    >>> from neurognode.dynamics import NODE
    >>> from neurognode.interpret import proved_fixed_points
    >>> field = NODE(2, hidden=(), bounded=True, tau=1.0)
    >>> _ = field.load_state_dict({"drift_net.weights.0": 2 * torch.eye(2), "drift_net.biases.0": torch.zeros(2)})
    >>> print(proved_fixed_points(field, box=([-2, -2], [2, 2])))
    9 fixed points proved (4 stable, 4 saddle, 1 unstable); no other in the box.
    """
    region = states if isinstance(states, Region) or states is None else visited_region(states)
    if box is None and region is None:
        raise ValueError("Give visited states or a box to search.")
    lower, upper = (np.asarray(side, float) for side in (box if box is not None else region.box()))  # type: ignore[union-attr]
    search = _Search(field, region, inputs, 0.5 * smallest * (upper - lower))
    undecided = search.run(lower, upper, max_boxes)
    points, radius = search.distinct()
    order = np.lexsort(points.T[::-1]) if len(points) else np.empty(0, int)
    points, radius = points[order], radius[order]
    kind = _kinds(field, points, radius, inputs)
    inside = np.ones(len(points), bool) if region is None else region.inside(points)
    centre, half = undecided
    share = float(np.prod(2 * half, axis=1).sum() / np.prod(upper - lower))
    return ProvedFixedPoints(
        points, radius, kind, inside, centre - half, centre + half, lower, upper, 1 - share, search.n_boxes
    )


class _Search:
    """The boxes of a search and what has been proved."""

    def __init__(
        self, field: Any, region: Region | None, inputs: np.ndarray | None, smallest: np.ndarray
    ) -> None:
        self.field, self.region, self.inputs, self.smallest = field, region, inputs, smallest
        self.proved: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self.n_boxes = 0

    def run(self, lower: np.ndarray, upper: np.ndarray, max_boxes: int) -> tuple[np.ndarray, np.ndarray]:
        """Decide what can be; returns centres and half-widths of the boxes left."""
        n = len(lower)
        centre, half = 0.5 * (lower + upper)[None], 0.5 * (upper - lower)[None]
        left: list[tuple[np.ndarray, np.ndarray]] = []
        while len(centre):
            if self.n_boxes + len(centre) > max_boxes:
                left.append((centre, half))
                break
            waiting = [self._undecided(c, r) for c, r in _chunks(centre, half)]
            centre, half = (np.concatenate(parts) for parts in zip(*waiting))
            done = (half <= self.smallest * (1 + 1e-9)).all(1)
            left.append((centre[done], half[done]))
            centre, half = halved(centre[~done], half[~done], self.smallest)
        if not left:
            return np.empty((0, n)), np.empty((0, n))
        return np.concatenate([c for c, _ in left]), np.concatenate([r for _, r in left])

    def _undecided(self, centre: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.n_boxes += len(centre)
        if self.region is not None:
            near = touches(self.region, centre, half)
            centre, half = centre[near], half[near]
        bounds = enclose(self.field, centre, half, self.inputs, opened=True)
        free = (np.abs(bounds.value.mid) > bounds.value.radius).any(1)
        centre, half = centre[~free], half[~free]
        if not len(centre):
            return centre, half
        wide = INFLATE * half
        mid, rad = krawczyk(self.field, centre, wide, self.inputs)
        absent = ((np.abs(mid - centre) > rad + half) | ~np.isfinite(rad)).any(1) & np.isfinite(rad).all(1)
        unique = (np.abs(mid - centre) + rad < wide).all(1)
        for row in np.flatnonzero(unique):
            self.proved.append((mid[row], rad[row], centre[row], wide[row]))
        keep = ~(absent | unique)
        return centre[keep], half[keep]

    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """The proved fixed points in narrow boxes, each once."""
        dim = int(self.field.latent_dim)
        points: list[np.ndarray] = []
        radii: list[np.ndarray] = []
        owners: list[tuple[np.ndarray, np.ndarray]] = []
        for mid, rad, centre, wide in self.proved:
            mid, rad = self._narrow(mid, rad)
            same = [(np.abs(p - centre) + r < wide).all() for p, r in zip(points, radii)]
            same += [(np.abs(mid - c) + rad < w).all() for c, w in owners]
            if not any(same):
                points.append(mid)
                radii.append(rad)
                owners.append((centre, wide))
        return np.array(points).reshape(-1, dim), np.array(radii).reshape(-1, dim)

    def _narrow(self, mid: np.ndarray, rad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for _ in range(20):
            new_mid, new_rad = (v[0] for v in krawczyk(self.field, mid[None], rad[None], self.inputs))
            low, high = np.maximum(mid - rad, new_mid - new_rad), np.minimum(mid + rad, new_mid + new_rad)
            if not (low <= high).all() or (high - low > 1.8 * rad).all():
                break
            mid = 0.5 * (low + high)
            rad = np.maximum(high - mid, mid - low)
        return mid, rad


def krawczyk(
    field: Any, centre: np.ndarray, half: np.ndarray, inputs: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mid and radius (C, N) of the Krawczyk operator on boxes; infinite where the Jacobian is singular.

    All zeros in a box lie in its image; if the image lies inside the box, there is exactly one.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import PolynomialField
    >>> from neurognode.interpret.proofs import krawczyk
    >>> field = PolynomialField([[0], [1]], [[-1.0, 2.0]])  # 2 h - 1
    >>> mid, radius = krawczyk(field, np.array([[0.0]]), np.array([[1.0]]))
    >>> mid.tolist(), bool(radius < 1e-12)
    ([[0.5]], True)
    """
    whole = enclose(field, centre, half, inputs, opened=True)
    middle = enclose(field, centre, np.zeros_like(half), inputs, opened=True).value
    eye = np.eye(centre.shape[1])
    inverse = np.full(whole.jacobian.shape, np.nan)
    sound = np.isfinite(whole.jacobian).all((1, 2))
    sound[sound] = np.linalg.cond(whole.jacobian[sound]) < 1e12
    inverse[sound] = np.linalg.inv(whole.jacobian[sound])
    big = np.abs(inverse)
    contraction = np.abs(eye - inverse @ whole.jacobian) + big @ whole.spread
    step = np.einsum("cij,cj->ci", inverse, middle.mid)
    size = np.einsum("cij,cj->ci", big, np.abs(middle.mid) + middle.radius)
    rad = np.einsum("cij,cj->ci", big, middle.radius) + np.einsum("cij,cj->ci", contraction, half)
    scale = np.einsum("cij,cjk,ck->ci", big, np.abs(whole.jacobian), half)
    slack = 8 * (centre.shape[1] + 2) * ROUNDING * (np.abs(centre) + size + rad + scale)
    return np.where(sound[:, None], centre - step, centre), np.where(sound[:, None], rad + slack, np.inf)


def touches(region: Region, centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Which boxes may hold a state of the visited region, bool (C,)."""
    reach = np.linalg.norm(half @ np.abs(region.metric).T, axis=1)
    return region.tree.query(region.measure(centre))[0] <= (region.radius + reach) * (1 + 1e-9)


def halved(centre: np.ndarray, half: np.ndarray, smallest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cut in two across the side that is longest in units of `smallest`."""
    if not len(centre):
        return centre, half
    side = np.argmax(half / smallest, axis=1)
    step = np.zeros_like(half)
    step[np.arange(len(half)), side] = 0.5 * half[np.arange(len(half)), side]
    return np.concatenate([centre - step, centre + step]), np.concatenate([half - step, half - step])


def _chunks(centre: np.ndarray, half: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(centre[i : i + CHUNK], half[i : i + CHUNK]) for i in range(0, len(centre), CHUNK)]


def _kinds(field: Any, points: np.ndarray, radius: np.ndarray, inputs: np.ndarray | None) -> np.ndarray:
    """Stability that holds for every Jacobian in the box: Gershgorin discs in the eigenvectors of the middle one."""
    if not len(points):
        return np.empty(0, "U8")
    bounds = enclose(field, points, radius, inputs)
    kinds = []
    for middle, spread in zip(bounds.jacobian, bounds.spread):
        vectors = np.linalg.eig(middle).eigenvectors
        try:
            inverse = np.linalg.inv(vectors)
        except np.linalg.LinAlgError:
            kinds.append("unproved")
            continue
        turned = inverse @ middle @ vectors
        error = np.abs(inverse) @ spread @ np.abs(vectors)
        fuzz = 1e3 * ROUNDING * (np.abs(inverse) @ np.abs(middle) @ np.abs(vectors)).sum(1)
        disc = np.abs(turned - np.diag(np.diag(turned))).sum(1) + error.sum(1) + fuzz
        real = np.diag(turned).real
        down, up = real + disc < 0, real - disc > 0
        if not (down | up).all():
            kinds.append("unproved")
        else:
            kinds.append("stable" if down.all() else "unstable" if up.all() else "saddle")
    return np.array(kinds)
