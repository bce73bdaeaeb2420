"""A transient channel: states run along a curve, contract to it from the sides, and never stop."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state


def sequence(
    *,
    speed: float = 1.6,
    contraction: float = 6.0,
    bend: float = 0.8,
    noise: float = 0.2,
    duration: float = 1.4,
) -> Circuit:
    """``ds/dt = speed``; the other two latents return to the curve (s, bend sin 2s, bend cos 3s).

    Parameters
    ----------
    speed : float
        Along the channel, latent units per second.
    contraction : float
        Rate of return to the channel, 1/s.
    bend : float
        Size of the bends.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("sequence").key.fixed_points.shape
    (0, 3)
    """

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        s, b, c = columns(h)
        first = 2 * bend * speed * torch.cos(2 * s) - contraction * (b - bend * torch.sin(2 * s))
        second = -3 * bend * speed * torch.sin(3 * s) - contraction * (c - bend * torch.cos(3 * s))
        return state(torch.full_like(s, speed), first, second)

    def curve(s: np.ndarray) -> np.ndarray:
        return np.stack([s, bend * np.sin(2 * s), bend * np.cos(3 * s)], axis=1)

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        place = curve(rng.uniform(-1.3, -0.9, n_trials))
        place[:, 1:] += 0.3 * rng.standard_normal((n_trials, 2))
        return place

    return Circuit(
        name="sequence",
        field=KnownField(flow, latent_dim=3, name="sequence"),
        hypothesis="sequence",
        key=answer_key(
            [],
            [],
            "none",
            0,
            "A channel that states run along without stopping; no fixed point.",
            latent_dim=3,
            exponents=np.array([0.0, -contraction, -contraction]),
            manifold=curve(np.linspace(-1.3, -0.9 + speed * duration, 301)),
        ),
        noise=diagonal(noise, noise, noise),
        duration=duration,
        start=start,
    )
