"""Drift-diffusion between two bounds that hold the state (Ratcliff 1978, Psychol Rev 85:59)."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.synthetic.circuits.base import Circuit, Pulses, Simulation, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField, columns, state


def drift_diffusion(
    *,
    bound: float = 1.0,
    stickiness: float = 20.0,
    gain: float = 2.0,
    contraction: float = 15.0,
    noise: float = 0.5,
    duration: float = 1.6,
) -> Circuit:
    """Evidence and noise add up along a line until a bound is crossed; beyond it the state is kept.

    With u the distance beyond the bound, ``da/dt = gain x + sign(a) stickiness (u^2 / 0.6 - u^3 / 0.36)``,
    so that the drift does not depend on the state inside the bounds, and stable nodes lie at u = 0.6.

    Parameters
    ----------
    bound : float
        Where the state is caught, latent units.
    stickiness : float
        Rate of return to the nodes beyond the bounds, 1/s.
    gain : float
        Drift under evidence of strength one, per second.
    contraction : float
        Rate of return to the line, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("drift_diffusion").key.fixed_points.tolist()
    [[-1.6, 0.0], [1.6, 0.0]]
    """
    depth = 0.6
    stiffness = stickiness / depth

    def flow(h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a, b = columns(h)
        beyond = torch.relu(a.abs() - bound)
        catch = torch.sign(a) * stiffness * (beyond**2 - beyond**3 / depth)
        return state(gain * x[..., 0] + catch, -contraction * b)

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return 0.08 * rng.standard_normal((n_trials, 2))

    def stimulus(n_trials: int, rng: np.random.Generator) -> Pulses:
        strength = rng.permutation(np.resize([-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0], n_trials))
        onset = np.full((n_trials, 1), 0.1)
        names = {"stimulus_onset_time": onset[:, 0], "stimulus_strength": strength}
        return Pulses(onset, np.full((n_trials, 1), duration), strength[:, None, None], names)

    def choice(simulation: Simulation) -> dict[str, np.ndarray]:
        end = simulation.latents[:, -1, 0]
        return {"choice": np.where(np.abs(end) < bound, "none", np.where(end > 0, "right", "left"))}

    nodes = bound + depth
    along = np.linspace(-bound, bound, 201)
    return Circuit(
        name="drift_diffusion",
        field=KnownField(flow, latent_dim=2, input_dim=1, name="drift_diffusion"),
        hypothesis="drift_diffusion",
        also_true=("line_attractor",),
        key=answer_key(
            [[-nodes, 0], [nodes, 0]],
            2 * [[-stickiness, -contraction]],
            "line",
            3,
            "A line along which evidence and noise add up, with a stable node beyond either end.",
            latent_dim=2,
            manifold=np.stack([along, np.zeros_like(along)], axis=1),
        ),
        noise=diagonal(noise, 0.3),
        duration=duration,
        start=start,
        stimulus=stimulus,
        label=choice,
    )
