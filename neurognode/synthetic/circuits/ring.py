"""Ring attractors: perfect, drifting, and broken into many points (Zhang 1996, J Neurosci 16:2112)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import AnswerKey, Circuit, Start, answer_key, diagonal
from neurognode.synthetic.circuits.known import Flow, KnownField, columns, complex_power, state
from neurognode.synthetic.circuits.line import random_pulses


def ring(
    *,
    attraction: float = 5.0,
    drift: float = 0.0,
    bumps: int = 0,
    roughness: float = 0.0,
    noise: float = 0.35,
    duration: float = 1.6,
    starts: str = "manifold",
    n_pulses: int = 3,
) -> Circuit:
    """A circle of states that the input turns; drifting or broken into points if asked.

    ``dr/dt = attraction (r - r^3)``, ``da/dt = drift + x - roughness w(r) sin(bumps a)``, where w is 1 on
    the circle and 0 in the middle.

    Parameters
    ----------
    attraction : float
        1/s; states return to the circle at twice this rate.
    drift : float
        Speed along the circle, rad/s.
    bumps : int
        Number of stable points the circle is broken into; 0 for none.
    roughness : float
        Largest speed of the bumps, rad/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    starts : {"manifold", "spread"}
        Trials start on the circle, or also inside and outside it.
    n_pulses : int
        Turning pulses of 0.1 s a trial, of any speed from -12 to 12 rad/s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("bumpy_ring").key.n_attractors
    10
    """
    one_of(starts, ("manifold", "spread"), "starts")
    if drift and roughness:
        raise ValueError(
            "A ring is given a drift or a roughness, not both: their fixed points have no closed form."
        )
    broken = bumps > 0 and roughness > 0
    name = "bumpy_ring" if broken else "drifting_ring" if drift else "ring"
    flow = _flow(attraction, drift, bumps if broken else 0, roughness)
    return Circuit(
        name=name,
        field=KnownField(flow, latent_dim=2, input_dim=1, name=name),
        hypothesis="ring_attractor",
        also_true=("limit_cycle",) if drift else (),
        key=_key(attraction, drift, bumps if broken else 0, roughness),
        noise=diagonal(noise, noise),
        duration=duration,
        start=around((1.0, 1.0) if starts == "manifold" else (0.3, 1.7)),
        stimulus=random_pulses(n_pulses, 1, 12.0, duration),
    )


def _flow(attraction: float, drift: float, bumps: int, roughness: float) -> Flow:
    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        square = a**2 + b**2
        out = attraction * (1 - square)
        turn = drift + x[..., 0]
        if bumps:
            _, sine = complex_power(a, b, bumps)
            turn = turn - roughness * sine * (2 / (1 + square)) ** bumps
        return state(out * a - turn * b, out * b + turn * a)

    return flow


def _key(attraction: float, drift: float, bumps: int, roughness: float) -> AnswerKey:
    angles = np.arange(360) * np.pi / 180
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    complex_rate = 1j * drift
    fixed, rates = [[0.0, 0.0]], [[attraction + complex_rate, attraction - complex_rate]]
    for k in range(2 * bumps):
        angle = np.pi * k / bumps
        fixed.append([np.cos(angle), np.sin(angle)])
        rates.append([-2 * attraction + 0j, -roughness * bumps * (-1) ** k + 0j])
    text = "A ring attractor with an unstable point in its middle."
    if bumps:
        text = f"A ring broken into {bumps} shallow wells, with a saddle between neighbours."
    elif drift:
        text = f"A ring along which the state drifts at {drift:g} rad/s."
    return answer_key(
        fixed,
        rates,
        "ring",
        max(bumps, 1),
        text,
        latent_dim=2,
        manifold=circle,
        period=2 * np.pi / abs(drift) if drift else None,
        exponents=None if bumps else np.array([0.0, -2 * attraction]),
    )


def around(radii: tuple[float, float]) -> Start:
    """Starts at any angle, with a radius uniform between the two given."""

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        angle, radius = rng.uniform(0, 2 * np.pi, n_trials), rng.uniform(*radii, n_trials)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    return start
