"""A saddle whose curved stable manifold is the boundary between two ways out (a separatrix)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import Circuit, Simulation, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state


def saddle(
    *,
    growth: float = 5.0,
    contraction: float = 6.0,
    bend: float = 0.4,
    noise: float = 0.15,
    duration: float = 1.0,
) -> Circuit:
    """One saddle at the origin and no attractor: states leave to the left or the right for good.

    With u = a - bend b^2: ``du/dt = growth u / sqrt(1 + u^2)``, ``db/dt = -contraction b``. The separatrix
    is the parabola a = bend b^2.

    Parameters
    ----------
    growth, contraction : float
        The two eigenvalues of the saddle in size, 1/s.
    bend : float
        Curvature of the separatrix.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("saddle").key.eigenvalues.real.tolist()
    [[5.0, -6.0]]
    """

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        u = a - bend * b**2
        return state(growth * u / torch.sqrt(1 + u**2) - 2 * bend * contraction * b**2, -contraction * b)

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        u, b = rng.uniform(-0.5, 0.5, n_trials), rng.uniform(-1.5, 1.5, n_trials)
        return np.stack([u + bend * b**2, b], axis=1)

    def choice(simulation: Simulation) -> dict[str, np.ndarray]:
        a, b = simulation.latents[:, -1].T
        return {"choice": np.where(a - bend * b**2 > 0, "right", "left")}

    return Circuit(
        name="saddle",
        field=KnownField(flow, latent_dim=2, name="saddle"),
        hypothesis="saddle_boundary",
        key=answer_key(
            [[0, 0]],
            [[growth, -contraction]],
            "none",
            0,
            "One saddle whose stable manifold divides two ways out; no attractor.",
            latent_dim=2,
        ),
        noise=diagonal(noise, noise),
        duration=duration,
        start=start,
        label=choice,
    )
