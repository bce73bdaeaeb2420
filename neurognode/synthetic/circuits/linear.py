"""Linear circuits: a slowly damped rotation, an oscillation only noise sustains, and no structure at all."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import solve_continuous_lyapunov

from neurognode.synthetic.circuits.base import Circuit, Label, Simulation, Start, answer_key, diagonal
from neurognode.synthetic.circuits.known import KnownField


def rotation(
    *,
    damping: float = 0.4,
    frequency: float = 1.2,
    noise: float = 0.12,
    duration: float = 1.0,
    n_conditions: int = 8,
) -> Circuit:
    """A damped rotation, started in a direction that depends on the condition.

    After Churchland et al. 2012, Nature 487:51.

    Parameters
    ----------
    damping : float
        1/s.
    frequency : float
        Hz.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.
    n_conditions : int
        Directions of the start, evenly spaced.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("rotation").key.eigenvalues.round(2).tolist()
    [[(-0.4-7.54j), (-0.4+7.54j)]]
    """

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        angle = 2 * np.pi * rng.permutation(np.arange(n_trials) % n_conditions) / n_conditions
        radius = rng.uniform(0.8, 1.2, n_trials)
        place = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return place + 0.05 * rng.standard_normal(place.shape)

    def label(simulation: Simulation) -> dict[str, np.ndarray]:
        angle = np.arctan2(simulation.latents[:, 0, 1], simulation.latents[:, 0, 0])
        return {"condition": np.round(angle * n_conditions / (2 * np.pi)).astype(int) % n_conditions}

    matrix = _turning(damping, frequency)
    text = f"A rotation at {frequency:g} Hz, damped at {damping:g} per second."
    return _linear("rotation", matrix, noise, duration, "rotation", text, start, label)


def noise_oscillation(
    *, damping: float = 2.0, frequency: float = 1.5, noise: float = 1.0, duration: float = 1.6
) -> Circuit:
    """A stable focus that noise keeps oscillating: it looks rhythmic, but there is no limit cycle.

    Parameters
    ----------
    damping : float
        1/s.
    frequency : float
        Hz.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("noise_oscillation").key.period is None
    True
    """
    text = f"A stable focus of {frequency:g} Hz, damped at {damping:g} per second and kept going by noise."
    return _linear("noise_oscillation", _turning(damping, frequency), noise, duration, "rotation", text)


def none(*, rates: tuple[float, ...] = (3.5, 4.2, 5.0), noise: float = 1.4, duration: float = 1.6) -> Circuit:
    """No structure: every direction forgets on its own, and noise keeps it moving (Ornstein-Uhlenbeck).

    Parameters
    ----------
    rates : tuple of float
        Rate of forgetting along each latent, 1/s.
    noise : float
        Standard deviation per square root of a second.
    duration : float
        Length of a trial, s.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.make("none").hypothesis
    'none'
    """
    text = "Noise that is forgotten; one fast stable node and no other structure."
    return _linear("none", -np.diag(rates), noise, duration, "none", text)


def _turning(damping: float, frequency: float) -> np.ndarray:
    speed = 2 * np.pi * frequency
    return np.array([[-damping, -speed], [speed, -damping]])


def _linear(
    name: str,
    matrix: np.ndarray,
    noise: float,
    duration: float,
    hypothesis: str,
    text: str,
    start: Start | None = None,
    label: Label | None = None,
) -> Circuit:
    size = len(matrix)
    transposed = torch.from_numpy(matrix.T.copy())
    mixing = diagonal(*size * [noise])
    rates = np.linalg.eigvals(matrix)
    return Circuit(
        name=name,
        field=KnownField(lambda h, x: h @ transposed.to(h.dtype), latent_dim=size, name=name),
        hypothesis=hypothesis,
        key=answer_key(
            [np.zeros(size)], [rates], "points", 1, text, latent_dim=size, exponents=np.sort(rates.real)[::-1]
        ),
        noise=mixing,
        duration=duration,
        start=start or stationary(matrix, mixing),
        label=label,
    )


def stationary(matrix: np.ndarray, mixing: np.ndarray) -> Start:
    """Starts from the stationary distribution of ``dh = matrix h dt + mixing dW``."""
    root = np.linalg.cholesky(solve_continuous_lyapunov(matrix, -mixing @ mixing.T))

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((n_trials, len(root))) @ root.T

    return start
