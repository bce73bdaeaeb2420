"""A vector field written down by hand: no parameters, exact in the precision of its argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from neurognode.dynamics.base import VectorField

Flow = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class KnownField(VectorField):
    """A `VectorField` from a function of state and input.

    Parameters
    ----------
    flow : callable
        ``(h, x) -> dh/dt`` on tensors (..., N) and (..., I); `x` has width `input_dim`, zero if not given.
    latent_dim, input_dim : int
    name : str
        Of the circuit.

    Attributes
    ----------
    arguments : dict
        What the circuit was made with.

    Examples
    --------
    >>> import torch
    >>> from neurognode.synthetic.circuits.known import KnownField
    >>> field = KnownField(lambda h, x: -2 * h, latent_dim=1)
    >>> field(torch.ones(3, 1)).squeeze(1).tolist()
    [-2.0, -2.0, -2.0]
    """

    def __init__(
        self,
        flow: Flow,
        *,
        latent_dim: int,
        input_dim: int = 0,
        name: str = "known",
    ) -> None:
        super().__init__(latent_dim, input_dim)
        self._flow = flow
        self.name = name
        self.arguments: dict[str, Any] = {}

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """dh/dt in latent units per second."""
        if x is None:
            x = h.new_zeros((*h.shape[:-1], max(self.input_dim, 1)))
        return self._flow(h, x.to(h.dtype))

    def config(self) -> dict[str, Any]:
        """Name and parameters of the circuit."""
        return {"kind": "circuit", "name": self.name, "parameters": dict(self.arguments)}


def columns(h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The components of a state, each of shape (...,)."""
    return h.unbind(-1)


def state(*components: torch.Tensor) -> torch.Tensor:
    """Components put together as a state (..., N)."""
    return torch.stack(torch.broadcast_tensors(*components), dim=-1)


def complex_power(a: torch.Tensor, b: torch.Tensor, power: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Real and imaginary part of (a + ib)^power, by multiplication, so that it is smooth at the origin."""
    real, imaginary = a, b
    for _ in range(power - 1):
        real, imaginary = real * a - imaginary * b, real * b + imaginary * a
    return real, imaginary


def wall(a: torch.Tensor, limit: float, stiffness: float) -> torch.Tensor:
    """A force back into [-limit, limit]: zero inside, quadratic outside."""
    return -stiffness * torch.sign(a) * torch.relu(a.abs() - limit) ** 2
