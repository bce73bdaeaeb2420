"""A field replaced by affine pieces inside the visited region, each with a proved bound on its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neurognode.interpret.enclosures import enclose
from neurognode.interpret.flow import Flow
from neurognode.interpret.proofs import CHUNK, halved, touches
from neurognode.interpret.region import Region, visited_region


@dataclass(frozen=True, eq=False)
class PiecewiseAffine:
    """Boxes that cover the visited region, with ``dh/dt = offset + slope @ (h - centre)`` within `bound` on each.

    Attributes
    ----------
    centre, half : arrays (C, N)
        Middle and half-widths of the boxes, latent units; they do not overlap.
    offset : array (C, N)
        Velocity at the middle, latent units per second.
    slope : array (C, N, N)
        In 1/s.
    bound : array (C, N)
        The velocity of the field is nowhere in the box farther than this from the affine piece: proved.
    speed : float
        Root mean square speed at visited states, for comparison.
    n_unfinished : int
        Boxes whose bound is still above the tolerance asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import PolynomialField, piecewise_affine
    >>> field = PolynomialField([[1], [3]], [[1.0, -1.0]])  # h - h^3
    >>> states = np.linspace(-1.5, 1.5, 200)[:, None]
    >>> pieces = piecewise_affine(field, states, tolerance=0.05)
    >>> bool(pieces.error <= 0.05), pieces.n_unfinished
    (True, 0)
    """

    centre: np.ndarray
    half: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    bound: np.ndarray
    speed: float
    n_unfinished: int

    @property
    def error(self) -> float:
        """Largest proved distance between field and pieces, in units of `speed`."""
        return float(np.linalg.norm(self.bound, axis=1).max(initial=0.0)) / self.speed

    def __len__(self) -> int:
        return len(self.centre)

    def piece(self, states: np.ndarray) -> np.ndarray:
        """Which box holds each of the states (n, N), int (n,); -1 where none does."""
        points = np.atleast_2d(np.asarray(states, float))
        found = np.full(len(points), -1)
        for first in range(0, len(points), 256):
            off = np.abs(points[first : first + 256, None] - self.centre)
            inside = (off <= self.half * (1 + 1e-12)).all(2)
            found[first : first + 256] = np.where(inside.any(1), inside.argmax(1), -1)
        return found

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Velocity of the affine pieces at states (n, N), latent units per second; NaN outside the boxes."""
        points = np.atleast_2d(np.asarray(states, float))
        which = self.piece(points)
        value = self.offset[which] + np.einsum("nij,nj->ni", self.slope[which], points - self.centre[which])
        return np.where((which >= 0)[:, None], value, np.nan)

    def moving(self) -> np.ndarray:
        """Boxes in which the velocity provably never vanishes, bool (C,)."""
        reach = np.einsum("cij,cj->ci", np.abs(self.slope), self.half) + self.bound
        return (np.abs(self.offset) > reach).any(1)

    def to_frame(self) -> pd.DataFrame:
        """One row a box: where, the affine piece, its bound, and whether the state provably moves."""
        n = self.centre.shape[1]
        columns: dict[str, np.ndarray] = {"moving": self.moving()}
        for i in range(n):
            columns[f"lower_{i}"], columns[f"upper_{i}"] = (self.centre + s * self.half for s in (-1, 1))
            columns[f"lower_{i}"], columns[f"upper_{i}"] = (
                columns[f"lower_{i}"][:, i],
                columns[f"upper_{i}"][:, i],
            )
            columns[f"offset_{i}"], columns[f"bound_{i}"] = self.offset[:, i], self.bound[:, i]
            columns |= {f"slope_{i}{j}": self.slope[:, i, j] for j in range(n)}
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        text = f"{len(self)} affine pieces; the field is within {self.error:.1%} of the typical speed of them (proved)"
        moving = float(
            np.prod(2 * self.half, axis=1)[self.moving()].sum() / np.prod(2 * self.half, axis=1).sum()
        )
        text += f"; {moving:.1%} of their volume provably has no fixed point"
        return text + (f"; {self.n_unfinished} pieces are above the tolerance." if self.n_unfinished else ".")


def piecewise_affine(
    field: Any,
    states: np.ndarray | Region,
    *,
    tolerance: float = 0.05,
    inputs: np.ndarray | None = None,
    max_pieces: int = 20_000,
) -> PiecewiseAffine:
    """Replace a field by affine pieces, as many as a proved error needs.

    The box of the visited region is halved, where data have been, until the second-order remainder of the field
    on every box is below the tolerance. The bounds come from affine forms propagated through the network (see
    `enclosures`), not from sampling, and cover rounding. For up to about four latents.

    Parameters
    ----------
    field : GNODE, NODE or PolynomialField
        See `enclose`.
    states : array (..., N) or Region
        Visited states.
    tolerance : float
        Largest error of the velocity, as a share of its root mean square at visited states.
    inputs : array (I,), optional
        Constant input.
    max_pieces : int
        Where more are needed the worst boxes are halved first, and `n_unfinished` says how many stay above.

    References
    ----------
    Abate, Edwards and Giacobbe, "Neural abstractions", NeurIPS 2022 (the idea); Stolfi and de Figueiredo,
    "Self-validated numerical methods and applications", 1997 (affine arithmetic).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.interpret import Flow, piecewise_affine
    >>> field, states = GNODE(2, hidden=(16,), random_state=0), np.random.default_rng(0).normal(size=(500, 2))
    >>> pieces = piecewise_affine(field, states, tolerance=0.1)
    >>> off = np.abs(pieces(states) - Flow(field).velocity(states)) - pieces.bound[pieces.piece(states)]
    >>> bool(np.nanmax(off) < 1e-12)
    True
    """
    region = states if isinstance(states, Region) else visited_region(states)
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance!r} must be positive.")
    speed = float(np.sqrt((Flow(field, inputs).velocity(region.states) ** 2).sum(1).mean()))
    low, high = np.minimum(region.lower, region.states.min(0)), np.maximum(region.upper, region.states.max(0))
    middle, sides = 0.5 * (low + high), 0.5 * (high - low)
    centre, half = middle[None], np.maximum(sides * (1 + 1e-9), 1e-12 * max(region.diameter, 1e-300))[None]
    scale, finished = half[0], []
    pieces = _pieces(field, region, centre, half, inputs)
    while True:
        error = np.linalg.norm(pieces.bound, axis=1) / max(speed, 1e-300)
        good = error <= tolerance
        finished.append(pieces.rows(good))
        pieces = pieces.rows(~good)
        room = max_pieces - sum(len(part.centre) for part in finished) - len(pieces.centre)
        if not len(pieces.centre) or room <= 0:
            break
        order = np.argsort(-error[~good], kind="stable")
        finished.append(pieces.rows(order[room:]))
        split = pieces.rows(order[:room])
        pieces = _pieces(field, region, *halved(split.centre, split.half, scale), inputs)
    finished.append(pieces)
    centre, half, offset, slope, bound = (
        np.concatenate([getattr(part, name) for part in finished]) for name in _Pieces.__annotations__
    )
    above = int((np.linalg.norm(bound, axis=1) > tolerance * speed).sum())
    return PiecewiseAffine(centre, half, offset, slope, bound, speed, above)


@dataclass
class _Pieces:
    centre: np.ndarray
    half: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    bound: np.ndarray

    def rows(self, which: np.ndarray) -> _Pieces:
        return _Pieces(*(getattr(self, name)[which] for name in self.__annotations__))


def _pieces(
    field: Any, region: Region, centre: np.ndarray, half: np.ndarray, inputs: np.ndarray | None
) -> _Pieces:
    near = touches(region, centre, half)
    centre, half = centre[near], half[near]
    n = centre.shape[1]
    parts = []
    for first in range(0, max(len(centre), 1), CHUNK):
        c, r = centre[first : first + CHUNK], half[first : first + CHUNK]
        value = enclose(field, c, r, inputs).value
        parts.append((value.mid, value.slope / r[:, None], value.rest * (1 + 1e-9)))
    offset, slope, bound = (np.concatenate(part) for part in zip(*parts))
    return _Pieces(centre, half, offset.reshape(-1, n), slope.reshape(-1, n, n), bound.reshape(-1, n))
