"""A flow written as equations: sparse polynomials fitted to a field where data have been."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neurognode.dynamics.base import VectorField
from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region, visited_region

THRESHOLDS = np.geomspace(1e-5, 0.3, 24)
"""Shares of a velocity's spread below which the contribution of a term is dropped; the data choose among them."""
TOLERANCE, FLOOR = 1.1, 1e-7
"""The sparsest equation is taken whose error is at most this factor above the least (plus the floor)."""
N_PATHS = 100


class PolynomialField(VectorField):
    """``dh/dt = coefficients @ monomials(h)``, exact in the precision of its argument.

    Parameters
    ----------
    exponents : int array (P, N)
        Powers of the latents in every monomial.
    coefficients : array (N, P)
        In latent units per second.

    Examples
    --------
    >>> import torch
    >>> from neurognode.interpret import PolynomialField
    >>> field = PolynomialField([[1], [3]], [[1.0, -1.0]])  # h - h^3
    >>> field(torch.tensor([[2.0]])).tolist()
    [[-6.0]]
    """

    def __init__(self, exponents: Any, coefficients: Any) -> None:
        powers, weights = np.atleast_2d(np.asarray(exponents, int)), np.atleast_2d(coefficients)
        if weights.shape != powers.shape[::-1] or (powers < 0).any():
            raise ValueError(
                f"exponents {powers.shape} must be whole numbers (terms, latents) and coefficients "
                f"{weights.shape} (latents, terms)."
            )
        super().__init__(powers.shape[1])
        self.exponents: Tensor
        self.coefficients: Tensor
        self.register_buffer("exponents", torch.as_tensor(powers))
        self.register_buffer("coefficients", torch.as_tensor(weights, dtype=torch.float64))

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        terms = torch.ones(*h.shape[:-1], len(self.exponents), dtype=h.dtype, device=h.device)
        for power in range(1, int(self.exponents.max()) + 1):
            for latent in range(self.latent_dim):
                raised = self.exponents[:, latent] >= power
                terms = torch.where(raised, terms * h[..., latent, None], terms)
        return terms @ self.coefficients.to(h.dtype).T


@dataclass(frozen=True, eq=False)
class Equations:
    """A field as equations, with how far they are from it on states that had no part in them.

    Attributes
    ----------
    exponents : int array (P, N)
        Powers of the latents in every term of the library.
    coefficients : array (N, P)
        Latent units per second; zero where a term is not in an equation.
    error : array (N,)
        Root mean square error of each latent's velocity on held-out states, in units of its spread there.
    path_error : float
        Median distance, in diameters of the visited region, between where the field and where the equations
        lead from held-out states within `horizon`; infinite if the equations lead nowhere, NaN without horizon.
    horizon : float
        Seconds.
    names : tuple of str
        Of the latents.

    Examples
    --------
    >>> from neurognode.interpret import equations
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("limit_cycle")
    >>> found = equations(circuit.field, circuit.simulate(40).latents)
    >>> int((found.coefficients != 0).sum()), bool(found.error.max() < 1e-6)
    (12, True)
    """

    exponents: np.ndarray
    coefficients: np.ndarray
    error: np.ndarray
    path_error: float
    horizon: float
    names: tuple[str, ...]

    @property
    def field(self) -> PolynomialField:
        """The equations as a field, for `portrait`, `integrate` and everything else that takes one."""
        return PolynomialField(self.exponents, self.coefficients)

    @property
    def n_terms(self) -> int:
        """Number of terms in all equations together."""
        return int((self.coefficients != 0).sum())

    def to_frame(self) -> pd.DataFrame:
        """One row a term that is used somewhere, one column an equation (1/s and latent units)."""
        used = (self.coefficients != 0).any(0)
        rows = [_monomial(powers, self.names) or "1" for powers in self.exponents[used]]
        return pd.DataFrame(
            self.coefficients[:, used].T, index=rows, columns=[f"d{n}/dt" for n in self.names]
        )

    def __str__(self) -> str:
        lines = []
        for name, row, error in zip(self.names, self.coefficients, self.error):
            terms = [_term(c, _monomial(p, self.names)) for c, p in zip(row, self.exponents) if c]
            text = " ".join(terms).removeprefix("+ ") or "0"
            lines.append(f"d{name}/dt = {text}   [1/s; held-out error {error:.2g}]")
        if np.isfinite(self.horizon):
            lines.append(
                f"After {self.horizon:g} s the equations are {self.path_error:.2g} diameters from the field."
            )
        return "\n".join(lines)


def equations(
    field: VectorField,
    states: np.ndarray | Region,
    *,
    degree: int = 3,
    threshold: float | None = None,
    inputs: np.ndarray | None = None,
    horizon: float | None = None,
    n_states: int = 4000,
    names: tuple[str, ...] | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> Equations:
    """Write a field as sparse polynomial equations, by sequentially thresholded least squares [1]_.

    The velocity is read at visited states and around them. Half of these states fit the coefficients, a
    quarter chooses how sparse each equation is, and the last quarter gives the error. Which terms are needed
    depends on the coordinates: latents are known up to an invertible map, under which the degree stays and
    sparsity does not.

    Parameters
    ----------
    field : VectorField
        Any field; a `Map` is read as its change per second.
    states : array (..., N) or Region
        Visited states.
    degree : int
        Highest total power.
    threshold : float, optional
        Share of a velocity's spread below which the contribution of a term (coefficient times the term's
        root mean square) is dropped; by default the held-out quarter chooses it for every latent.
    inputs : array (I,), optional
        Constant input.
    horizon : float, optional
        Seconds over which paths are compared.
    n_states : int
        How many states are used.
    names : tuple of str, optional
        Of the latents; ``h0``, ``h1``, ...
    random_state : int, Generator or None

    Raises
    ------
    ValueError
        If the library has more terms than there are states to fit it.

    References
    ----------
    .. [1] Brunton, Proctor and Kutz, "Discovering governing equations from data by sparse identification of
       nonlinear dynamical systems", PNAS 113 (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import PolynomialField, equations
    >>> planted = PolynomialField([[1, 0], [3, 0], [0, 1]], [[2.0, -2.0, 0.0], [0.0, 0.0, -5.0]])
    >>> states = np.random.default_rng(0).uniform(-1.2, 1.2, (500, 2))
    >>> print(equations(planted, states).to_frame().round(9))
          dh0/dt  dh1/dt
    h0       2.0     0.0
    h1       0.0    -5.0
    h0^3    -2.0     0.0
    """
    rng = np.random.default_rng(random_state)
    region = states if isinstance(states, Region) else visited_region(states, random_state=rng)
    flow = Flow(field, inputs)
    points = _around(region, n_states, rng)
    powers = _powers(flow.dim, degree)
    if len(points) < 4 * len(powers):
        raise ValueError(
            f"{len(powers)} terms of degree {degree} need {4 * len(powers)} states, got {len(points)}."
        )
    terms, velocity = _library(points, powers), flow.velocity(points)
    fit, choose, report = np.split(np.arange(len(points)), [len(points) // 2, 3 * len(points) // 4])
    spread = np.maximum(velocity[fit].std(0), 1e-300)
    coefficients = np.zeros((flow.dim, len(powers)))
    for i in range(flow.dim):
        target = velocity[:, i] / spread[i]
        row = _sparsest(
            terms, target, fit, choose, THRESHOLDS if threshold is None else np.array([threshold])
        )
        coefficients[i] = row * spread[i]
    off = terms[report] @ coefficients.T - velocity[report]
    error = np.sqrt((off**2).mean(0)) / np.maximum(velocity[report].std(0), 1e-300)
    names = names or tuple(f"h{i}" for i in range(flow.dim))
    apart = float("nan")
    if horizon is not None:
        known = PolynomialField(powers, coefficients)
        apart = _apart(flow, Flow(known), region, points[report[:N_PATHS]], horizon)
    return Equations(powers, coefficients, error, apart, float("nan") if horizon is None else horizon, names)


def _around(region: Region, n_states: int, rng: np.random.Generator) -> np.ndarray:
    """Visited states, and as many within the region's radius of one, in random order."""
    seen = region.sample(n_states // 2, rng)
    centres = region.states[rng.integers(len(region.states), size=n_states - len(seen))]
    step = rng.normal(size=centres.shape) * (region.upper - region.lower)
    length = np.linalg.norm(region.measure(step), axis=1, keepdims=True)
    near = centres + region.radius * rng.uniform(size=length.shape) * step / np.maximum(length, 1e-300)
    return rng.permutation(np.concatenate([seen, near]))


def _powers(dim: int, degree: int) -> np.ndarray:
    every = itertools.product(range(degree + 1), repeat=dim)
    return np.array(sorted((p for p in every if sum(p) <= degree), key=lambda p: (sum(p), [-q for q in p])))


def _library(points: np.ndarray, powers: np.ndarray) -> np.ndarray:
    return np.stack([np.prod(points**p, axis=1) for p in powers], axis=1)


def _sparsest(
    terms: np.ndarray, target: np.ndarray, fit: np.ndarray, choose: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Coefficients with the highest threshold whose error on `choose` is close to the least."""
    rows = [_thresholded(terms[fit], target[fit], t) for t in thresholds]
    errors = [float(np.sqrt(np.mean((terms[choose] @ row - target[choose]) ** 2))) for row in rows]
    good = [k for k, e in enumerate(errors) if e <= TOLERANCE * min(errors) + FLOOR]
    return rows[good[-1]]


def _thresholded(terms: np.ndarray, target: np.ndarray, threshold: float) -> np.ndarray:
    scale = np.maximum(np.sqrt((terms**2).mean(0)), 1e-300)
    kept = np.ones(terms.shape[1], bool)
    row = np.zeros(terms.shape[1])
    while kept.any():
        row[:] = 0.0
        row[kept] = np.linalg.lstsq(terms[:, kept] / scale[kept], target, rcond=None)[0]
        small = kept & (np.abs(row) < threshold)
        if not small.any():
            break
        kept &= ~small
        row[~kept] = 0.0
    return row / scale


def _apart(flow: Flow, known: Flow, region: Region, starts: np.ndarray, horizon: float) -> float:
    far = 10 * float(np.linalg.norm(region.upper - region.lower))
    one, two = flow.end(starts, horizon, limit=far), known.end(starts, horizon, limit=far)
    distance = np.linalg.norm(region.measure(one - two), axis=1) / max(region.diameter, 1e-300)
    return float(np.median(np.nan_to_num(distance, nan=np.inf)))


def _monomial(powers: np.ndarray, names: tuple[str, ...]) -> str:
    return " ".join(n if p == 1 else f"{n}^{p}" for n, p in zip(names, powers) if p)


def _term(coefficient: float, monomial: str) -> str:
    size = f"{abs(coefficient):.4g}"
    shown = monomial if size == "1" and monomial else f"{size} {monomial}".rstrip()
    return f"{'-' if coefficient < 0 else '+'} {shown}"
