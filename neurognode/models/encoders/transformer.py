"""An encoder that attends to all bins of a trial."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurognode.models.encoders.base import Encoder


class TransformerEncoder(Encoder):
    """Transformer with pre-normalisation and sinusoidal time stamps.

    Parameters
    ----------
    n_inputs : int
        Width of what it sees in a bin.
    hidden : int
        Width of a token; must be a multiple of `heads`.
    heads, layers : int
        Attention heads, and layers.
    dropout : float
        Dropout inside the layers.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.transformer import TransformerEncoder
    >>> TransformerEncoder(5, hidden=16)(torch.zeros(2, 7, 5)).shape
    torch.Size([2, 7, 16])

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """

    def __init__(
        self, n_inputs: int, *, hidden: int = 128, heads: int = 4, layers: int = 2, dropout: float = 0.1
    ) -> None:
        if hidden % heads or hidden % 2:
            raise ValueError(f"hidden={hidden} must be even and a multiple of heads={heads}.")
        super().__init__(n_inputs, hidden)
        self.project = nn.Linear(n_inputs, hidden)
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 2 * hidden, dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        n_bins = x.shape[1]
        mask = None
        if lengths is not None:
            mask = torch.arange(n_bins, device=x.device)[None] >= lengths.to(x.device).clamp_min(1)[:, None]
        tokens = self.project(x) + _time_stamps(n_bins, self.features, x)
        return self.layers(tokens, src_key_padding_mask=mask)


def _time_stamps(n_bins: int, width: int, like: Tensor) -> Tensor:
    frequency = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(10000.0) / width))
    angle = torch.arange(n_bins, device=like.device)[:, None] * frequency[None]
    return torch.cat([angle.sin(), angle.cos()], dim=1).to(like.dtype)
