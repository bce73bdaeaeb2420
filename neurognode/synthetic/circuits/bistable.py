"""Two choice attractors with a saddle between them, pushed by a stimulus (Wang 2002, Neuron 36:955)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import (
    Circuit,
    Label,
    Pulses,
    Simulation,
    Start,
    Stimulus,
    answer_key,
    diagonal,
)
from neurognode.synthetic.circuits.known import KnownField, columns, state


def bistable(
    *,
    growth: float = 4.0,
    contraction: float = 12.0,
    tilt: float = 0.0,
    gain: float = 4.0,
    noise: float = 0.3,
    duration: float = 1.2,
    strengths: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0),
) -> Circuit:
    """A binary choice: ``da/dt = growth (a - a^3 + tilt) + gain x``, ``db/dt = -contraction (b - a^2 / 4)``.

    A trial starts near the saddle; a stimulus of one of several strengths and two sides comes at 0.2 s and
    lasts 0.4 s; the choice is the side on which the trial ends.

    Parameters
    ----------
    growth, contraction : float
        Rates in 1/s: of leaving the saddle, and of returning to the curve the choices lie on.
    tilt : float
        Bias to the right choice; below 0.38 in size, or one attractor is lost.
    gain : float
        How strongly a stimulus of strength one pushes, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    strengths : tuple of float
        Of the stimulus.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("bistable").key.stable.tolist()
    [True, False, True]
    """
    roots = np.sort(np.roots([-1, 0, 1, tilt]))
    if np.iscomplexobj(roots) and np.abs(roots.imag).max() > 1e-9:
        raise ValueError(
            f"tilt={tilt} leaves one attractor only; it must be below 2 / sqrt(27) = 0.385 in size."
        )
    roots = np.real(roots)

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        return state(growth * (a - a**3 + tilt) + gain * x[..., 0], -contraction * (b - a**2 / 4))

    points = np.stack([roots, roots**2 / 4], axis=1)
    rates = np.stack([growth * (1 - 3 * roots**2), np.full(3, -contraction)], axis=1)
    return Circuit(
        name="bistable",
        field=KnownField(flow, latent_dim=2, input_dim=1, name="bistable"),
        hypothesis="discrete_attractors",
        also_true=("saddle_boundary",),
        key=answer_key(
            points,
            rates,
            "points",
            2,
            "Two choice attractors (stable nodes) with a saddle between them.",
            latent_dim=2,
        ),
        noise=diagonal(noise, noise),
        duration=duration,
        start=_near(roots[1]),
        stimulus=_evidence(strengths),
        label=_choice(roots[1]),
    )


def _near(middle: float) -> Start:
    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return np.array([middle, middle**2 / 4]) + 0.12 * rng.standard_normal((n_trials, 2))

    return start


def _evidence(strengths: tuple[float, ...]) -> Stimulus:
    def stimulus(n_trials: int, rng: np.random.Generator) -> Pulses:
        strength = rng.permutation(np.resize(np.asarray(strengths, float), n_trials))
        side = rng.permutation(np.resize([-1, 1], n_trials))
        onset = np.full((n_trials, 1), 0.2)
        names = {
            "stimulus_onset_time": onset[:, 0],
            "stimulus_strength": strength,
            "stimulus_side": np.where(side > 0, "right", "left"),
        }
        return Pulses(onset, onset + 0.4, (strength * side)[:, None, None], names)

    return stimulus


def _choice(middle: float) -> Label:
    def label(simulation: Simulation) -> dict[str, np.ndarray]:
        return {"choice": np.where(simulation.latents[:, -1, 0] > middle, "right", "left")}

    return label
