"""Gated recurrent encoders: both directions (the default), or forward only for online use."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurognode.models.draws import Dropout
from neurognode.models.encoders.base import Encoder
from neurognode.models.encoders.pooling import blocks, pooled
from neurognode.models.encoders.recurrence import gru


class GRUEncoder(Encoder):
    """Bidirectional gated recurrent unit.

    Parameters
    ----------
    n_inputs : int
        Width of what it sees in a bin.
    hidden : int
        Units per direction.
    dropout : float
        Dropout before and after the recurrent layer, in 256ths.
    stride : int
        Average this many bins before the recurrent layer; faster, but blind to what happens within that time.
    layers : int
        Number of recurrent layers.
    skip : bool
        Pass on what it saw in the bin beside what the recurrent layer makes of it, so that latents can be read
        linearly from the recording where there are few trials to learn more from.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.gru import GRUEncoder
    >>> GRUEncoder(5, hidden=8)(torch.zeros(2, 7, 5)).shape
    torch.Size([2, 7, 16])
    """

    bidirectional = True

    def __init__(
        self,
        n_inputs: int,
        *,
        hidden: int = 64,
        dropout: float = 0.1,
        stride: int = 1,
        layers: int = 1,
        skip: bool = False,
    ) -> None:
        if self.causal and stride > 1:
            raise ValueError("stride > 1 averages over later bins; a causal encoder needs stride=1.")
        width = hidden * (2 if self.bidirectional else 1)
        super().__init__(n_inputs, width + (n_inputs if skip else 0), stride)
        self.skip = skip
        self.before, self.after = Dropout(dropout), Dropout(dropout)
        self.recurrent = nn.GRU(
            n_inputs,
            hidden,
            num_layers=layers,
            batch_first=True,
            bidirectional=self.bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if self.stride > 1:
            x, lengths = pooled(x, self.stride), blocks(lengths, self.stride)
        found = self.after(gru(self.recurrent, self.before(x), lengths))
        return torch.cat([found, x], -1) if self.skip else found


class CausalGRUEncoder(GRUEncoder):
    """Forward gated recurrent unit: the features of a bin know nothing of later bins.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.gru import CausalGRUEncoder
    >>> encoder = CausalGRUEncoder(3, hidden=4).eval()
    >>> x = torch.randn(1, 6, 3)
    >>> bool(torch.allclose(encoder(x)[:, :3], encoder(x[:, :3])))
    True
    """

    causal, bidirectional = True, False
