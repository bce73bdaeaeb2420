"""A limit cycle: the normal form of a supercritical Hopf bifurcation (Strogatz, ch. 8)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state
from neurognode.synthetic.circuits.ring import around


def limit_cycle(
    *,
    growth: float = 3.0,
    frequency: float = 1.0,
    twist: float = 1.0,
    noise: float = 0.25,
    duration: float = 1.6,
    starts: str = "spread",
) -> Circuit:
    """``dr/dt = growth (r - r^3)``, ``da/dt = 2 pi frequency + twist (r^2 - 1)``.

    Parameters
    ----------
    growth : float
        1/s; states return to the cycle at twice this rate.
    frequency : float
        Hz.
    twist : float
        Dependence of the speed on the radius, rad/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    starts : {"manifold", "spread"}
        Trials start on the cycle, or also inside and outside it.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("limit_cycle", frequency=2.0).key.period
    0.5
    """
    one_of(starts, ("manifold", "spread"), "starts")
    speed = 2 * np.pi * frequency

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        excess = a**2 + b**2 - 1
        out, turn = -growth * excess, speed + twist * excess
        return state(out * a - turn * b, out * b + turn * a)

    angles = np.arange(360) * np.pi / 180
    focus = 1j * (speed - twist)
    return Circuit(
        name="limit_cycle",
        field=KnownField(flow, latent_dim=2, name="limit_cycle"),
        hypothesis="limit_cycle",
        key=answer_key(
            [[0, 0]],
            [[growth + focus, growth - focus]],
            "cycle",
            1,
            f"A limit cycle of {1 / frequency:g} s around an unstable focus.",
            latent_dim=2,
            period=1 / frequency,
            exponents=np.array([0.0, -2 * growth]),
            manifold=np.stack([np.cos(angles), np.sin(angles)], axis=1),
        ),
        noise=diagonal(noise, noise),
        duration=duration,
        start=around((1.0, 1.0) if starts == "manifold" else (0.3, 1.6)),
    )
