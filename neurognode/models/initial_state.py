"""Where trials begin: a learned Gaussian prior over the first state."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InitialState(nn.Module):
    """Prior over the state at the first bin: independent Gaussians with learned mean and standard deviation.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.

    Examples
    --------
    >>> from neurognode.models.initial_state import InitialState
    >>> InitialState(3).std.tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(latent_dim))
        self.log_std = nn.Parameter(torch.zeros(latent_dim))

    @property
    def std(self) -> Tensor:
        """Standard deviation, (N,)."""
        return self.log_std.clamp(-4.0, 2.0).exp()
