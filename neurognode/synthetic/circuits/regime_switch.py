"""Evidence first, then commitment: input drives the state until the circuit's own flow takes over."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import Circuit, Pulses, Simulation, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state


def regime_switch(
    *,
    bound: float = 0.8,
    capture: float = 5.0,
    turn: float = 5.0,
    gain: float = 2.5,
    noise: float = 0.4,
    duration: float = 1.6,
) -> Circuit:
    """Two regimes whose flows are orthogonal (after Luo, Kim et al. 2025, Nature, s41586-025-09528-4).

    With s(a) rising from 0 at |a| = bound to 1 at |a| = bound + 0.3:
    ``da/dt = (1 - s) gain x - s capture (a - sign(a) (bound + 0.3))`` and
    ``db/dt = -turn (b - 2 sign(a) s)``. Before commitment, input moves the state along the first axis; after
    it, input has no effect and the state moves along the second axis to a stable node.

    Parameters
    ----------
    bound : float
        Where commitment begins, latent units.
    capture : float
        Rate of return to the committed value of the first axis, 1/s.
    turn : float
        Rate of approach along the second axis, 1/s.
    gain : float
        Drift under evidence of strength one, per second.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("regime_switch").key.fixed_points.tolist()
    [[-1.1, -2.0], [1.1, 2.0]]
    """
    width, height = 0.3, 2.0
    committed = bound + width

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        u = ((a.abs() - bound) / width).clamp(0, 1)
        s = u**2 * (3 - 2 * u)
        sign = torch.sign(a)
        along = (1 - s) * gain * x[..., 0] - s * capture * (a - sign * committed)
        return state(along, -turn * (b - height * sign * s))

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return 0.08 * rng.standard_normal((n_trials, 2))

    def stimulus(n_trials: int, rng: np.random.Generator) -> Pulses:
        strength = rng.permutation(np.resize([-1.0, -0.5, -0.25, 0.25, 0.5, 1.0], n_trials))
        onset = np.full((n_trials, 1), 0.1)
        names = {"stimulus_onset_time": onset[:, 0], "stimulus_strength": strength}
        return Pulses(onset, np.full((n_trials, 1), duration), strength[:, None, None], names)

    def outcome(simulation: Simulation) -> dict[str, np.ndarray]:
        a = simulation.latents[..., 0]
        over = np.abs(a) > bound + width / 2
        when = np.where(over.any(axis=1), simulation.times[np.argmax(over, axis=1)], np.nan)
        side = np.where(a[:, -1] > 0, "right", "left")
        return {"choice": np.where(over[:, -1], side, "none"), "commitment_time": when}

    along = np.linspace(-bound, bound, 201)
    return Circuit(
        name="regime_switch",
        field=KnownField(flow, latent_dim=2, input_dim=1, name="regime_switch"),
        hypothesis="regime_switch",
        also_true=("drift_diffusion", "line_attractor", "discrete_attractors"),
        key=answer_key(
            [[-committed, -height], [committed, height]],
            2 * [[-capture, -turn]],
            "line",
            3,
            "Evidence adds up along a line; beyond a bound the state turns and runs to one of two stable nodes.",
            latent_dim=2,
            manifold=np.stack([along, np.zeros_like(along)], axis=1),
        ),
        noise=diagonal(noise, 0.12),
        duration=duration,
        start=start,
        stimulus=stimulus,
        label=outcome,
    )
