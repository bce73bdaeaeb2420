"""What the constrained fields share: positive parameters, an additive input, decay off the manifold."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from neurognode.dynamics.base import VectorField, per_unit
from neurognode.dynamics.initialization import seeded
from neurognode.dynamics.network import affine, match_input

QUICK = 5.0
"""Positive parameters are kept as their logarithms over this, so that few steps can move them far."""
PACE = 10.0
"""Weights of inputs are kept in units of this rate, 1/s, so that they are learned as fast as those of other fields."""


def saturating(squared: Tensor) -> Tensor:
    """Return ``1 - s`` for ``s <= 1``, and beyond a smooth continuation that falls to -2 and no further.

    The pull towards ``s = 1`` then grows only linearly far outside, and steps of a bin do not overshoot it.
    """
    excess = (squared - 1).clamp_min(0.0)
    return torch.where(squared > 1, -excess / (1 + 0.5 * excess), 1 - squared)


class ConstrainedField(VectorField):
    """A field that can be only one thing, with a handful of learnable parameters.

    The interesting coordinates come first and the others decay to zero with a rate ``decay``; a linear
    readout supplies rotation, scale and offset, so that the field itself has none. ``dh/dt = flow(h) + U x``.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    positive : dict of str to float
        Names and first values of the positive parameters (learned as logarithms, see `QUICK`).
    least_dim : int
        Fewest latents that make sense.
    members : int, optional
        Population axis.
    random_state : int, numpy.random.Generator, optional
        Seed of the input weights.
    """

    def __init__(
        self,
        latent_dim: int,
        input_dim: int,
        *,
        positive: dict[str, float],
        least_dim: int = 1,
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(latent_dim, input_dim, members=members)
        if latent_dim < least_dim:
            raise ValueError(f"latent_dim={latent_dim!r} must be at least {least_dim} for {self.kind!r}.")
        lead = () if members is None else (members,)
        for name, value in positive.items():
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name}={value!r} must be positive and finite.")
            start = math.log(value) / QUICK
            self.register_parameter(f"log_{name}", nn.Parameter(torch.full((*lead, 1), start)))
        self._options = dict(positive)
        self.input_weight: nn.Parameter | None = None
        if input_dim:
            shape = (*lead, latent_dim, input_dim)
            drawn = torch.randn(shape, generator=seeded(random_state)) / math.sqrt(input_dim)
            self.input_weight = nn.Parameter(drawn / PACE)

    def value(self, name: str, h: Tensor) -> Tensor:
        """Return a positive parameter, shaped to multiply states."""
        return per_unit((QUICK * self.get_parameter(f"log_{name}")).exp(), h, self.members)

    def flow(self, h: Tensor) -> Tensor:
        """Return the autonomous part of the field, (..., N)."""
        raise NotImplementedError

    def drive(self, h: Tensor, x: Tensor | None) -> Tensor | float:
        """Return what the input adds to the field."""
        x = match_input(h, x, self.input_dim)
        return 0.0 if x is None or self.input_weight is None else affine(x, PACE * self.input_weight)

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self.flow(h) + self.drive(h, x)
