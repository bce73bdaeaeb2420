"""From latents to what a likelihood calls the location."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from neurognode.errors import one_of

LINKS = ("exp", "softplus", "identity")


class Readout(nn.Module):
    """Affine map of the latents and a link: ``location = shift + scale * link(weight h + bias)``.

    With counts, `shift` is 0, `scale` is 1 and the result is in spikes/s.

    Parameters
    ----------
    latent_dim, n_units : int
        Widths N and U.
    link : {"exp", "softplus", "identity"}
        What turns the affine map into a rate or signal.

    Attributes
    ----------
    weight, bias : Tensor
        (U, N) and (U,); with the exponential link, ``log rate = weight h + bias``.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.readouts import Readout
    >>> Readout(3, 10)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 10])
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, n_units: int, link: str = "exp") -> None:
        super().__init__()
        self.link = one_of(link, LINKS, "link")
        self.weight = nn.Parameter(torch.randn(n_units, latent_dim) * (0.5 / latent_dim**0.5))
        self.bias = nn.Parameter(torch.zeros(n_units))
        self.register_buffer("shift", torch.zeros(n_units))
        self.register_buffer("scale", torch.ones(n_units))

    def initialise(
        self, mean: np.ndarray, shift: np.ndarray | None = None, scale: np.ndarray | None = None
    ) -> None:
        """Set the bias so that zero latents give `mean` (unit,), and fix `shift` and `scale`."""
        with torch.no_grad():
            for name, value in (("shift", shift), ("scale", scale)):
                if value is not None:
                    getattr(self, name).copy_(torch.as_tensor(value))
            level = (torch.as_tensor(mean, dtype=self.bias.dtype) - self.shift) / self.scale
            if self.link == "exp":
                level = level.clamp_min(1e-4).log()
            elif self.link == "softplus":
                level = level.clamp_min(1e-4).expm1().log()
            self.bias.copy_(level)

    def linear(self, h: Tensor) -> Tensor:
        """What goes into the link, (..., U)."""
        return nn.functional.linear(h, self.weight, self.bias)

    def forward(self, h: Tensor, offset: Tensor | None = None) -> Tensor:
        """Location (..., U) of latents (..., N); `offset` is added before the link."""
        level = self.linear(h)
        if offset is not None:
            level = level + offset
        if self.link == "exp":
            level = level.clamp(-12.0, 9.0).exp()
        elif self.link == "softplus":
            level = softplus(level)
        return self.shift + self.scale * level


class MLPReadout(Readout):
    """A readout whose latents first pass a small net, for latents that curve into rates.

    A nonlinear readout leaves the latent space less determined: flows are then comparable between fits only
    up to a smooth change of coordinates.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.readouts import MLPReadout
    >>> MLPReadout(2, 6)(torch.zeros(4, 2)).shape
    torch.Size([4, 6])
    """

    def __init__(self, latent_dim: int, n_units: int, link: str = "exp", hidden: int = 64) -> None:
        super().__init__(latent_dim, n_units, link)
        last = nn.Linear(hidden, n_units, bias=False)
        nn.init.zeros_(last.weight)
        self.net = nn.Sequential(nn.Linear(latent_dim, hidden), nn.Tanh(), last)

    def linear(self, h: Tensor) -> Tensor:
        return super().linear(h) + self.net(h)
