"""One to six point attractors, from k-fold symmetric normal forms (Strogatz, Nonlinear Dynamics, ch. 8)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq

from neurognode.synthetic.circuits.base import AnswerKey, Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import Flow, KnownField, columns, complex_power, state


def points(
    n_points: int, *, growth: float = 6.0, pull: float = 3.0, noise: float = 0.35, duration: float = 1.2
) -> Circuit:
    """`n_points` stable nodes in the plane, with saddles between them.

    One node: a nonlinear sink. Two: a double well along the first axis. Three or more: nodes on the corners
    of a polygon, a saddle between neighbours and an unstable node in the middle,

        dr/dt = growth (r - r^3) + pull w(r) r cos(n a),   da/dt = -pull w(r) sin(n a),
        w(r) = (r^2 / (1 + r^2))^((n - 2) / 2)

    Parameters
    ----------
    n_points : int
        1 to 6.
    growth : float
        Rate at which states leave the middle, 1/s.
    pull : float
        Rate at which states on the circle move to the corners, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("points_4").key.n_attractors
    4
    """
    if not 1 <= n_points <= 6:
        raise ValueError(f"n_points must be 1 to 6, got {n_points}.")
    build = {1: _sink, 2: _double_well}.get(n_points, _polygon)
    flow, key = build(n_points, growth, pull)
    name = f"points_{n_points}"
    return Circuit(
        name=name,
        field=KnownField(flow, latent_dim=2, name=name),
        hypothesis="discrete_attractors" if n_points > 1 else "none",
        also_true=("saddle_boundary",) if n_points > 1 else (),
        key=key,
        noise=diagonal(noise, noise),
        duration=duration,
        start=_spread,
    )


def _spread(n_trials: int, rng: np.random.Generator) -> np.ndarray:
    radius = 1.4 * np.sqrt(rng.uniform(size=n_trials))
    angle = rng.uniform(0, 2 * np.pi, n_trials)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _sink(n_points: int, growth: float, pull: float) -> tuple[Flow, AnswerKey]:
    centre = (0.3, -0.2)

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        a, b = a - centre[0], b - centre[1]
        return state(-pull * a - growth * a**3, -1.5 * pull * b - growth * b**3)

    text = "One stable node; nothing else."
    return flow, answer_key([centre], [[-pull, -1.5 * pull]], "points", 1, text, latent_dim=2)


def _double_well(n_points: int, growth: float, pull: float) -> tuple[Flow, AnswerKey]:
    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        return state(growth * (a - a**3), -2 * pull * b)

    fixed = [[-1, 0], [1, 0], [0, 0]]
    rates = [[-2 * growth, -2 * pull], [-2 * growth, -2 * pull], [growth, -2 * pull]]
    text = "Two stable nodes with a saddle between them."
    return flow, answer_key(fixed, rates, "points", 2, text, latent_dim=2)


def _polygon(n_points: int, growth: float, pull: float) -> tuple[Flow, AnswerKey]:
    half = (n_points - 2) / 2

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        square = a**2 + b**2
        real, imaginary = complex_power(a, -b, n_points - 1)
        outward, weight = growth * (1 - square), pull / (1 + square) ** half
        return state(outward * a + weight * real, outward * b + weight * imaginary)

    fixed, rates = [np.zeros(2)], [[growth, growth]]
    for index in range(2 * n_points):
        sign = 1 if index % 2 == 0 else -1
        radius, along, around = _corner(n_points, growth, sign * pull)
        angle = np.pi * index / n_points
        fixed.append(radius * np.array([np.cos(angle), np.sin(angle)]))
        rates.append([along, around])
    text = f"{n_points} stable nodes on a polygon, {n_points} saddles between them, an unstable node inside."
    return flow, answer_key(fixed, rates, "points", n_points, text, latent_dim=2)


def _corner(n_points: int, growth: float, pull: float) -> tuple[float, float, float]:
    """Radius of a corner, and its radial and angular eigenvalue."""
    power = (n_points - 2) / 2

    def outward(r: float) -> float:
        return growth * (1 - r**2) + pull * (r ** (n_points - 2)) / (1 + r**2) ** power

    radius = float(brentq(outward, 1e-3, 10.0, xtol=1e-15, rtol=1e-15))
    weight = radius ** (n_points - 2) / (1 + radius**2) ** power
    slope = (n_points - 2) * weight / (radius * (1 + radius**2))
    along = radius * (-2 * growth * radius + pull * slope)
    return radius, along, -n_points * pull * weight
