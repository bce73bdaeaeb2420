"""Put a circuit into a higher-dimensional state space by an affine map, with contracting directions added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from neurognode.dynamics.base import VectorField
from neurognode.synthetic.circuits.base import (
    AnswerKey,
    Circuit,
    RandomState,
    Simulation,
    answer_key,
)
from neurognode.synthetic.circuits.known import KnownField


def embed(
    circuit: Circuit,
    latent_dim: int = 3,
    *,
    contraction: float = 12.0,
    off_noise: float = 0.5,
    shear: float = 0.4,
    random_state: RandomState = 0,
) -> Circuit:
    """The same dynamics in other coordinates: ``z = matrix [h, v] + offset`` with ``dv/dt = -contraction v``.

    The matrix is a random rotation times a random shear. All answers are carried over exactly.

    Parameters
    ----------
    circuit : Circuit
    latent_dim : int
        Dimension to embed in; never less than the circuit's own.
    contraction : float
        Rate at which the added directions are forgotten, 1/s.
    off_noise : float
        Standard deviation of the noise of the added directions, per square root of a second.
    shear : float
        Standard deviation of the entries of the shear; 0 leaves a rotation.
    random_state : int, Generator or None

    Returns
    -------
    Circuit
        Its `parameters` hold ``matrix`` (N, N) and ``offset`` (N,).

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> ring = circuits.embed(circuits.make("ring"), 3)
    >>> ring.key.eigenvalues.real.round(6).tolist()
    [[5.0, 5.0, -12.0]]
    """
    rng = np.random.default_rng(random_state)
    own = circuit.latent_dim
    size = max(latent_dim, own)
    turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
    matrix = turn @ (np.eye(size) + np.triu(shear * rng.standard_normal((size, size)), 1))
    offset = 0.3 * rng.standard_normal(size)
    extra = size - own
    std = off_noise / np.sqrt(2 * contraction)

    def start(n_trials: int, rng: np.random.Generator) -> np.ndarray:
        place = circuit.start(n_trials, rng)
        return np.hstack([place, std * rng.standard_normal((n_trials, extra))]) @ matrix.T + offset

    def label(simulation: Simulation) -> dict[str, np.ndarray]:
        if circuit.label is None:
            return {}
        native = (simulation.latents - offset) @ np.linalg.inv(matrix).T
        return circuit.label(replace(simulation, latents=native[..., :own]))

    noise = np.zeros((size, size))
    noise[:own, :own] = circuit.noise
    noise[own:, own:] = off_noise * np.eye(extra)
    return replace(
        circuit,
        field=_embedded_field(circuit, matrix, offset, contraction),
        key=_carry(circuit.key, matrix, offset, contraction),
        noise=matrix @ noise,
        start=start,
        label=label,
        parameters={**circuit.parameters, "matrix": matrix, "offset": offset, "contraction_off": contraction},
    )


def _embedded_field(
    circuit: Circuit, matrix: np.ndarray, offset: np.ndarray, contraction: float
) -> VectorField:
    own, inner = circuit.latent_dim, circuit.field
    forth, shift = torch.from_numpy(matrix), torch.from_numpy(offset)
    back = torch.from_numpy(np.linalg.inv(matrix))

    def flow(z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        native = (z - shift.to(z)) @ back.to(z).T
        rate = torch.cat([inner(native[..., :own], x), -contraction * native[..., own:]], dim=-1)
        return rate @ forth.to(z).T

    return KnownField(flow, latent_dim=len(matrix), input_dim=inner.input_dim, name=circuit.name)


def _carry(key: AnswerKey, matrix: np.ndarray, offset: np.ndarray, contraction: float) -> AnswerKey:
    def place(states: np.ndarray) -> np.ndarray:
        return states @ matrix[:, : states.shape[1]].T + offset

    extra = len(matrix) - key.fixed_points.shape[1]
    rates = np.hstack([key.eigenvalues, np.full((len(key.eigenvalues), extra), -contraction)])
    exponents = key.exponents
    if exponents is not None:
        exponents = np.sort(np.append(exponents, extra * [-contraction]))[::-1]
    return answer_key(
        place(key.fixed_points),
        rates,
        key.topology,
        key.n_attractors,
        key.text,
        latent_dim=len(matrix),
        period=key.period,
        exponents=exponents,
        manifold=None if key.manifold is None else place(key.manifold),
    )
