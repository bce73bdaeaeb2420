"""Linear fields: lines and planes of fixed points, leaky and unstable lines, and rotations."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurognode.dynamics.constrained.base import ConstrainedField


class Line(ConstrainedField):
    """Perfect integrator: the first coordinates keep their value, the others decay.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    manifold_dim : int
        Number of integrating coordinates: 1 for a line of fixed points, 2 for a plane.
    decay : float
        First value of the rate at which the others decay, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import Line
    >>> Line(2)(torch.ones(2)).detach().round().tolist()
    [0.0, -10.0]
    """

    kind: ClassVar[str] = "line"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        manifold_dim: int = 1,
        decay: float = 10.0,
        **options: Any,
    ) -> None:
        along: dict[str, float] = {name: options.pop(name) for name in ("leak", "growth") if name in options}
        positive = {"decay": decay, **along}
        super().__init__(latent_dim, input_dim, positive=positive, least_dim=manifold_dim, **options)
        self.manifold_dim = manifold_dim
        self._options["manifold_dim"] = manifold_dim

    def flow(self, h: Tensor) -> Tensor:
        kept, others = h[..., : self.manifold_dim], h[..., self.manifold_dim :]
        return torch.cat([self.along(h) * kept, -self.value("decay", h) * others], dim=-1)

    def along(self, h: Tensor) -> Tensor | float:
        """Return the growth rate of the integrating coordinates, 1/s."""
        return 0.0


class LeakyLine(Line):
    """Leaky integrator: the first coordinate forgets at a slow learned rate.

    Parameters
    ----------
    latent_dim, input_dim, manifold_dim, decay
        As for `Line`.
    leak : float
        First value of the rate at which the integrating coordinates decay, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import LeakyLine
    >>> LeakyLine(1, leak=2.0)(torch.ones(1)).detach().round().tolist()
    [-2.0]
    """

    kind: ClassVar[str] = "leaky_line"

    def __init__(self, latent_dim: int, input_dim: int = 0, *, leak: float = 1.0, **options: Any) -> None:
        super().__init__(latent_dim, input_dim, leak=leak, **options)

    def along(self, h: Tensor) -> Tensor:
        return -self.value("leak", h)


class UnstableLine(Line):
    """Unstable integrator: the first coordinate grows away from zero at a slow learned rate.

    An accumulator that weighs early evidence more than late evidence does this (Brunton, Botvinick and Brody 2013,
    Science 340:95, with a positive lambda).

    Parameters
    ----------
    latent_dim, input_dim, manifold_dim, decay
        As for `Line`.
    growth : float
        First value of the rate at which the integrating coordinates grow, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import UnstableLine
    >>> UnstableLine(1, growth=2.0)(torch.ones(1)).detach().round().tolist()
    [2.0]
    """

    kind: ClassVar[str] = "unstable_line"

    def __init__(self, latent_dim: int, input_dim: int = 0, *, growth: float = 0.5, **options: Any) -> None:
        super().__init__(latent_dim, input_dim, growth=growth, **options)

    def along(self, h: Tensor) -> Tensor:
        return self.value("growth", h)


class Plane(Line):
    """Plane attractor: the first two coordinates keep their values, the others decay.

    Parameters
    ----------
    latent_dim, input_dim, decay
        As for `Line`; at least two latents.
    manifold_dim : int
        Number of coordinates that are kept.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import Plane
    >>> Plane(3)(torch.ones(3)).detach().round().tolist()
    [0.0, 0.0, -10.0]
    """

    kind: ClassVar[str] = "plane"

    def __init__(self, latent_dim: int, input_dim: int = 0, *, manifold_dim: int = 2, **options: Any) -> None:
        super().__init__(latent_dim, input_dim, manifold_dim=manifold_dim, **options)


class Rotation(ConstrainedField):
    """Damped rotation: ``dh/dt = (A - damping) h`` with a learned skew-symmetric ``A``.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N (at least 2) and I.
    frequency : float
        First value of the frequency in each of the planes of coordinates (1, 2), (3, 4) ..., in Hz.
    damping : float
        First value of the common decay rate, 1/s.
    **options
        ``members`` and ``random_state``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.constrained import Rotation
    >>> rates = Rotation(2, frequency=1.0, damping=0.5).rates(torch.zeros(2))
    >>> [round(abs(r.imag), 2) for r in rates.tolist()]
    [6.28, 6.28]
    """

    kind: ClassVar[str] = "rotation"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        frequency: float = 1.0,
        damping: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(latent_dim, input_dim, positive={"damping": damping}, least_dim=2, **options)
        start = torch.zeros(latent_dim, latent_dim)
        for i in range(0, latent_dim - 1, 2):
            start[i + 1, i] = 2 * math.pi * frequency
        lead = () if self.members is None else (self.members, 1, 1)
        self.generator = nn.Parameter(start.repeat(*lead) if lead else start)
        self._options["frequency"] = frequency

    def flow(self, h: Tensor) -> Tensor:
        skew = self.generator - self.generator.mT
        if self.members is not None:
            skew = skew.reshape(self.members, *[1] * (h.dim() - 2), *skew.shape[-2:])
        return (skew @ h[..., None])[..., 0] - self.value("damping", h) * h
