"""Slow change of each unit's rate over the session, apart from the latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SessionDrift(nn.Module):
    """A smooth function of a trial's place in the session, one per unit, added before the readout's link.

    Parameters
    ----------
    n_units : int
        Number U of units.
    n_bases : int
        Number of Gaussian bumps, spread evenly over the session; more of them follow faster change.

    References
    ----------
    The across-session part of the baseline in FINDR (Kim et al., "Flow-field inference from neural data using
    deep recurrent networks", ICML 2025), there with raised cosines fitted beforehand.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.session_drift import SessionDrift
    >>> SessionDrift(5, 4)(torch.tensor([0.0, 0.5])).shape
    torch.Size([2, 1, 5])
    """

    centres: Tensor

    def __init__(self, n_units: int, n_bases: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0, 1, n_bases))
        self.weight = nn.Parameter(torch.zeros(n_bases, n_units))

    def forward(self, when: Tensor) -> Tensor:
        """Offset (B, 1, U) of trials at places `when` (B,) of the session, 0 to 1."""
        width = 1 / max(len(self.centres) - 1, 1)
        bumps = torch.exp(-0.5 * ((when[:, None] - self.centres) / width).square())
        bumps = bumps / bumps.sum(1, keepdim=True)
        return (bumps @ self.weight)[:, None, :]
