"""Nonlinear constrained fields: two wells, bounded accumulation, rings and limit cycles."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurognode.dynamics.base import per_unit
from neurognode.dynamics.constrained.base import PACE, ConstrainedField, saturating
from neurognode.dynamics.network import affine, match_input


class DoubleWell(ConstrainedField):
    """Two stable points on the first coordinate, at ``-width`` and ``width``, and a saddle between them.

    ``dh1/dt = rate (h1 - h1^3 / width^2)``; the other coordinates decay. Outside the wells the pull is weaker, so
    that it grows only linearly.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    width : float
        First value of the distance of a well from the saddle, latent units.
    rate : float
        First value of the rate at which the saddle repels, 1/s; the wells attract at twice that.
    decay : float
        First value of the rate at which the others decay, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import DoubleWell
    >>> DoubleWell(1, rate=3.0).rates(torch.tensor([[0.0], [1.0]])).real.round().flatten().tolist()
    [3.0, -6.0]
    """

    kind: ClassVar[str] = "double_well"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        width: float = 1.0,
        rate: float = 5.0,
        decay: float = 10.0,
        **options: Any,
    ) -> None:
        positive = {"width": width, "rate": rate, "decay": decay}
        super().__init__(latent_dim, input_dim, positive=positive, **options)

    def flow(self, h: Tensor) -> Tensor:
        first = h[..., :1]
        along = self.value("rate", h) * saturating((first / self.value("width", h)) ** 2) * first
        return torch.cat([along, -self.value("decay", h) * h[..., 1:]], dim=-1)


class DriftDiffusion(ConstrainedField):
    """Accumulation of input on the first coordinate between two absorbing bounds.

    ``dh1/dt = s(h1) (U x)_1`` with ``s = sigmoid(sharpness (1 - h1^2 / width^2))``, which is near 1 between
    the bounds and near 0 beyond them; the other coordinates decay. Combine it with a `Diffusion`.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I; without an input nothing is accumulated.
    width : float
        First value of the distance of a bound from the start, latent units.
    sharpness : float
        First value of how sudden a bound is, without units.
    decay : float
        First value of the rate at which the others decay, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import DriftDiffusion
    >>> field = DriftDiffusion(1, 1, random_state=0)
    >>> inside, outside = field.speed(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1)).tolist()
    >>> outside < 1e-6 < inside
    True
    """

    kind: ClassVar[str] = "drift_diffusion"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        width: float = 1.0,
        sharpness: float = 8.0,
        decay: float = 10.0,
        **options: Any,
    ) -> None:
        positive = {"width": width, "sharpness": sharpness, "decay": decay}
        super().__init__(latent_dim, input_dim, positive=positive, **options)

    def flow(self, h: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(h[..., :1]), -self.value("decay", h) * h[..., 1:]], dim=-1)

    def drive(self, h: Tensor, x: Tensor | None) -> Tensor | float:
        drive = super().drive(h, x)
        if isinstance(drive, float):
            return drive
        room = 1 - (h[..., :1] / self.value("width", h)) ** 2
        passed = torch.sigmoid(self.value("sharpness", h) * room) * drive[..., :1]
        return torch.cat([passed, drive[..., 1:].expand(*passed.shape[:-1], -1)], dim=-1)


class Ring(ConstrainedField):
    """A ring of fixed points in the plane of the first two coordinates, along which inputs can turn.

    In polar coordinates ``dr/dt = rate r (1 - r^2 / radius^2)`` (outside the ring weaker, so that it grows only
    linearly) and ``dtheta/dt = V x``; the input also adds ``U x``, which is how a cue sets the angle.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N (at least 2) and I.
    radius : float
        First value of the radius, latent units.
    rate : float
        First value of half the rate at which the ring attracts, 1/s.
    decay : float
        First value of the rate at which the other coordinates decay, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import Ring
    >>> bool(Ring(2).speed(torch.tensor([0.6, 0.8])) < 1e-5)
    True
    """

    kind: ClassVar[str] = "ring"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        radius: float = 1.0,
        rate: float = 5.0,
        decay: float = 10.0,
        **options: Any,
    ) -> None:
        positive = {"radius": radius, "rate": rate, "decay": decay}
        super().__init__(latent_dim, input_dim, positive=positive, least_dim=2, **options)
        lead = () if self.members is None else (self.members,)
        self.turn_weight = nn.Parameter(torch.zeros(*lead, 1, input_dim)) if input_dim else None

    def angular_velocity(self, h: Tensor) -> Tensor | float:
        """Return the angular velocity without input, radians per second."""
        return 0.0

    def flow(self, h: Tensor) -> Tensor:
        plane = h[..., :2]
        squared = (plane**2).sum(-1, keepdim=True) / self.value("radius", h) ** 2
        along = self.value("rate", h) * saturating(squared) * plane + self.angular_velocity(
            h
        ) * _quarter_turn(plane)
        return torch.cat([along, -self.value("decay", h) * h[..., 2:]], dim=-1)

    def drive(self, h: Tensor, x: Tensor | None) -> Tensor | float:
        drive = super().drive(h, x)
        x = match_input(h, x, self.input_dim)
        if x is None or self.turn_weight is None:
            return drive
        turned = affine(x, PACE * self.turn_weight) * _quarter_turn(h[..., :2])
        return drive + torch.nn.functional.pad(turned, (0, self.latent_dim - 2))


class LimitCycle(Ring):
    """A circular limit cycle in the plane of the first two coordinates: a `Ring` that turns by itself.

    Parameters
    ----------
    latent_dim, input_dim, radius, rate, decay
        As for `Ring`.
    frequency : float
        First value of the frequency in Hz; its sign is the direction, and it is learned.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import LimitCycle
    >>> speed = LimitCycle(2, frequency=1.0).speed(torch.tensor([1.0, 0.0]))
    >>> round(speed.item(), 2)
    6.28
    """

    kind: ClassVar[str] = "limit_cycle"

    def __init__(
        self, latent_dim: int, input_dim: int = 0, *, frequency: float = 1.0, **options: Any
    ) -> None:
        super().__init__(latent_dim, input_dim, **options)
        lead = () if self.members is None else (self.members,)
        self.frequency = nn.Parameter(torch.full((*lead, 1), float(frequency)))
        self._options["frequency"] = frequency

    def angular_velocity(self, h: Tensor) -> Tensor:
        return 2 * math.pi * per_unit(self.frequency, h, self.members)


def _quarter_turn(plane: Tensor) -> Tensor:
    return torch.stack([-plane[..., 1], plane[..., 0]], dim=-1)
