"""A line attractor that integrates its input, perfect or leaky (Seung 1996, PNAS 93:13339)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import Circuit, Pulses, Start, Stimulus, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state, wall


def line(
    *,
    leak: float = 0.0,
    contraction: float = 10.0,
    noise: float = 0.15,
    duration: float = 1.6,
    starts: str = "manifold",
    n_pulses: int = 3,
) -> Circuit:
    """An integrator: ``da/dt = x - leak a`` inside [-1.5, 1.5], ``db/dt = -contraction (b - a / 2)``.

    Parameters
    ----------
    leak : float
        1/s; 0 is a perfect line attractor, below 0 is unstable.
    contraction : float
        Rate of return to the line, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    starts : {"manifold", "spread"}
        Trials start on the line, or also off it.
    n_pulses : int
        Input pulses of 0.1 s a trial, of any height from -6 to 6 per second.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("line").key.topology
    'line'
    """
    one_of(starts, ("manifold", "spread"), "starts")

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        return state(x[..., 0] - leak * a + wall(a, 1.5, 20.0), -contraction * (b - a / 2))

    name = "leaky_line" if leak > 0 else "line"
    along = np.linspace(-1.5, 1.5, 301)
    isolated = leak != 0
    text = (
        f"A line of states that loses {leak:g} of its value per second." if isolated else "A line attractor."
    )
    key = answer_key(
        [[0, 0]] if isolated else [],
        [[-leak, -contraction]] if isolated else [],
        "line",
        1,
        text,
        latent_dim=2,
        manifold=np.stack([along, along / 2], axis=1),
        exponents=np.array([-leak, -contraction]),
    )
    return Circuit(
        name=name,
        field=KnownField(flow, latent_dim=2, input_dim=1, name=name),
        hypothesis="line_attractor",
        key=key,
        noise=diagonal(noise, noise),
        duration=duration,
        start=_start(0.0 if starts == "manifold" else 0.8),
        stimulus=random_pulses(n_pulses, 1, 6.0, duration),
    )


def _start(off: float) -> Start:
    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        a = rng.uniform(-1.2, 1.2, n_trials)
        return np.stack([a, a / 2 + off * rng.uniform(-1, 1, n_trials)], axis=1)

    return start


def random_pulses(n_pulses: int, input_dim: int, height: float, duration: float) -> Stimulus:
    """Pulses of 0.1 s at random times, of heights uniform in [-height, height], on random channels."""

    def stimulus(n_trials: int, rng: np.random.Generator) -> Pulses:
        onset = np.sort(rng.uniform(0.1, duration - 0.3, (n_trials, n_pulses)), axis=1)
        channel = np.eye(input_dim)[rng.integers(input_dim, size=(n_trials, n_pulses))]
        amplitude = rng.uniform(-height, height, (n_trials, n_pulses, 1)) * channel
        return Pulses(onset, onset + 0.1, amplitude)

    return stimulus
