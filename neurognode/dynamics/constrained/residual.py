"""A mechanism and what it leaves over: a constrained field plus a gated network that starts at zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics.base import VectorField
from neurognode.dynamics.constrained.attractors import DoubleWell, DriftDiffusion, LimitCycle, Ring
from neurognode.dynamics.constrained.base import ConstrainedField
from neurognode.dynamics.constrained.linear import LeakyLine, Line, Plane, Rotation, UnstableLine
from neurognode.dynamics.gnode import GNODE


class WithResidual(VectorField):
    """``dh/dt = mechanism(h, x) + residual(h, x)``; the residual ``G(h, x) * F(h, x) / tau`` is zero at first.

    How large the residual has become says how much of the flow the mechanism does not explain. When a
    latent model is fitted it is held down by its size relative to the process noise.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    hidden : sequence of int
        Widths of the residual's hidden layers.
    tau : float
        Time constant of the residual, seconds.
    members : int, optional
        Population axis.
    random_state : int, numpy.random.Generator, optional
        Seed of the weights.
    **options
        Of the mechanism.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import build
    >>> field = build({"kind": "ring+residual", "latent_dim": 2})
    >>> bool((field(torch.eye(2)) == field.known(torch.eye(2))).all())
    True
    """

    mechanism: ClassVar[type[ConstrainedField]]

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        hidden: Sequence[int] = (32,),
        tau: float = 0.1,
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__(latent_dim, input_dim, members=members)
        rng = np.random.default_rng(random_state)
        common: dict[str, Any] = {"members": members, "random_state": rng}
        self.known = self.mechanism(latent_dim, input_dim, **common, **options)
        self.rest = GNODE(latent_dim, input_dim, hidden=hidden, tau=tau, leak=False, init="glorot", **common)
        with torch.no_grad():
            self.rest.drift_net.weights[-1].zero_()
            self.rest.drift_net.biases[-1].zero_()
        own = {"hidden": [int(w) for w in hidden], "tau": float(tau)}
        shape = ("kind", "latent_dim", "input_dim", "members")
        self._options = own | {k: v for k, v in self.known.config().items() if k not in shape}

    def residual(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return what is added to the mechanism, (..., N), latent units per second."""
        return self.rest(h, x)

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self.known(h, x) + self.rest(h, x)

    def jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self.known.jacobian(h, x) + self.rest.jacobian(h, x)

    def input_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self.known.input_jacobian(h, x) + self.rest.input_jacobian(h, x)


class LineWithResidual(WithResidual):
    """`Line` plus a residual."""

    kind, mechanism = "line+residual", Line


class LeakyLineWithResidual(WithResidual):
    """`LeakyLine` plus a residual."""

    kind, mechanism = "leaky_line+residual", LeakyLine


class UnstableLineWithResidual(WithResidual):
    """`UnstableLine` plus a residual."""

    kind, mechanism = "unstable_line+residual", UnstableLine


class PlaneWithResidual(WithResidual):
    """`Plane` plus a residual."""

    kind, mechanism = "plane+residual", Plane


class RotationWithResidual(WithResidual):
    """`Rotation` plus a residual."""

    kind, mechanism = "rotation+residual", Rotation


class DoubleWellWithResidual(WithResidual):
    """`DoubleWell` plus a residual."""

    kind, mechanism = "double_well+residual", DoubleWell


class DriftDiffusionWithResidual(WithResidual):
    """`DriftDiffusion` plus a residual."""

    kind, mechanism = "drift_diffusion+residual", DriftDiffusion


class RingWithResidual(WithResidual):
    """`Ring` plus a residual."""

    kind, mechanism = "ring+residual", Ring


class LimitCycleWithResidual(WithResidual):
    """`LimitCycle` plus a residual."""

    kind, mechanism = "limit_cycle+residual", LimitCycle
