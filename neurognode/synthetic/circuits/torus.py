"""A torus attractor: two independent rings (Gardner et al. 2022, Nature 602:123)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state
from neurognode.synthetic.circuits.line import random_pulses
from neurognode.synthetic.circuits.ring import around


def torus(
    *,
    attraction: float = 5.0,
    noise: float = 0.35,
    duration: float = 1.6,
    starts: str = "manifold",
    n_pulses: int = 4,
) -> Circuit:
    """The product of two rings, each turned by its own input, in four latents.

    Parameters
    ----------
    attraction : float
        1/s; states return to each circle at twice this rate.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    starts : {"manifold", "spread"}
        Trials start on the torus, or also off it.
    n_pulses : int
        Turning pulses of 0.1 s a trial, each on one of the two rings.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("torus").latent_dim
    4
    """
    one_of(starts, ("manifold", "spread"), "starts")

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b, c, d = columns(h)
        first, second = attraction * (1 - a**2 - b**2), attraction * (1 - c**2 - d**2)
        p, q = x[..., 0], x[..., 1]
        return state(first * a - p * b, first * b + p * a, second * c - q * d, second * d + q * c)

    one = around((1.0, 1.0) if starts == "manifold" else (0.3, 1.7))

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([one(n_trials, rng), one(n_trials, rng)], axis=1)

    p, q = (grid.ravel() for grid in np.meshgrid(*2 * [np.arange(40) * 2 * np.pi / 40], indexing="ij"))
    return Circuit(
        name="torus",
        field=KnownField(flow, latent_dim=4, input_dim=2, name="torus"),
        hypothesis="torus_attractor",
        key=answer_key(
            [[0, 0, 0, 0]],
            [4 * [attraction]],
            "torus",
            1,
            "A torus attractor; its middle is an unstable point (and each ring times the middle of the other "
            "an unstable circle of points).",
            latent_dim=4,
            manifold=np.stack([np.cos(p), np.sin(p), np.cos(q), np.sin(q)], axis=1),
            exponents=np.array([0.0, 0.0, -2 * attraction, -2 * attraction]),
        ),
        noise=diagonal(*4 * [noise]),
        duration=duration,
        start=start,
        stimulus=random_pulses(n_pulses, 2, 12.0, duration),
    )
