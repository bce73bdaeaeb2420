"""The Lorenz system, scaled to unit size and to a chosen speed (Lorenz 1963, J Atmos Sci 20:130)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import Circuit, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state

CENTRE, SCALE = np.array([0.0, 0.0, 23.5]), np.array([7.9, 9.0, 8.6])
EXPONENTS = np.array([0.9056, 0.0, -14.5723])
"""Per Lorenz time unit (Sprott, Chaos and Time-Series Analysis, 2003); their sum is -41/3."""


def lorenz(*, speed: float = 2.0, noise: float = 0.02, duration: float = 1.0) -> Circuit:
    """The two-lobed strange attractor with the standard parameters 10, 28 and 8/3.

    Parameters
    ----------
    speed : float
        Lorenz time units per second.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("lorenz").key.topology
    'strange'
    """
    centre, scale = torch.from_numpy(CENTRE), torch.from_numpy(SCALE)

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b, c = columns(h * scale.to(h.dtype) + centre.to(h.dtype))
        rate = state(10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c)
        return speed * rate / scale.to(h.dtype)

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return _on_attractor(n_trials, rng)

    side = np.sqrt(8 / 3 * 27)
    raw = np.array([[0, 0, 0], [side, side, 27], [-side, -side, 27]])
    return Circuit(
        name="lorenz",
        field=KnownField(flow, latent_dim=3, name="lorenz"),
        hypothesis="none",
        key=answer_key(
            (raw - CENTRE) / SCALE,
            [speed * np.linalg.eigvals(_jacobian(p)) for p in raw],
            "strange",
            1,
            "A strange attractor of two lobes around two unstable foci, with a saddle between.",
            latent_dim=3,
            exponents=speed * EXPONENTS,
            manifold=_on_attractor(2000, np.random.default_rng(0)),
        ),
        noise=diagonal(noise, noise, noise),
        duration=duration,
        start=start,
    )


def _jacobian(point: np.ndarray) -> np.ndarray:
    a, b, c = point
    return np.array([[-10, 10, 0], [28 - c, -1, -a], [b, a, -8 / 3]])


def _on_attractor(n_states: int, rng: np.random.Generator) -> np.ndarray:
    """States on the attractor: random ones, after 15 Lorenz time units."""

    def rate(p: np.ndarray) -> np.ndarray:
        a, b, c = p.T
        return np.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], axis=1)

    p, dt = rng.normal(size=(n_states, 3)) * SCALE + CENTRE, 0.01
    for _ in range(1500):
        k1 = rate(p)
        k2 = rate(p + dt / 2 * k1)
        k3 = rate(p + dt / 2 * k2)
        p = p + dt / 6 * (k1 + 2 * k2 + 2 * k3 + rate(p + dt * k3))
    return (p - CENTRE) / SCALE
