"""A plane attractor: two inputs, integrated independently."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state, wall
from neurognode.synthetic.circuits.line import random_pulses


def plane(
    *,
    contraction: float = 10.0,
    noise: float = 0.15,
    duration: float = 1.6,
    starts: str = "manifold",
    n_pulses: int = 4,
) -> Circuit:
    """Two integrators: ``da/dt = x_1``, ``db/dt = x_2`` inside the square [-1.5, 1.5]^2.

    The third latent only returns to the plane: ``dc/dt = -contraction (c - (a + b) / 2)``.

    Parameters
    ----------
    contraction : float
        Rate of return to the plane, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    starts : {"manifold", "spread"}
        Trials start on the plane, or also off it.
    n_pulses : int
        Input pulses of 0.1 s a trial, each on one of the two inputs.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("plane").key.topology
    'plane'
    """
    one_of(starts, ("manifold", "spread"), "starts")
    off = 0.8 * (starts == "spread")

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b, c = columns(h)
        first, second = x[..., 0], x[..., 1]
        return state(
            first + wall(a, 1.5, 20.0), second + wall(b, 1.5, 20.0), -contraction * (c - (a + b) / 2)
        )

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        a, b, c = rng.uniform(-1.2, 1.2, (3, n_trials))
        return np.stack([a, b, (a + b) / 2 + off * c], axis=1)

    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1.5, 1.5, 31)], indexing="ij"), axis=-1).reshape(-1, 2)
    return Circuit(
        name="plane",
        field=KnownField(flow, latent_dim=3, input_dim=2, name="plane"),
        hypothesis="plane_attractor",
        key=answer_key(
            [],
            [],
            "plane",
            1,
            "A plane attractor: two values are kept, a third direction is forgotten.",
            latent_dim=3,
            manifold=np.column_stack([grid, grid.mean(axis=1)]),
            exponents=np.array([0.0, 0.0, -contraction]),
        ),
        noise=diagonal(noise, noise, noise),
        duration=duration,
        start=start,
        stimulus=random_pulses(n_pulses, 2, 6.0, duration),
    )
