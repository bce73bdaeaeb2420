"""Gated recurrent encoders: both directions (the default), or forward only for online use."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from neurognode.models.encoders.base import Encoder


class GRUEncoder(Encoder):
    """Bidirectional gated recurrent unit.

    Parameters
    ----------
    n_inputs : int
        Width of what it sees in a bin.
    hidden : int
        Units per direction.
    dropout : float
        Dropout before and after the recurrent layer.
    stride : int
        Average this many bins before the recurrent layer and interpolate its output; faster, but blind to what
        happens within that time.
    layers : int
        Number of recurrent layers.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.gru import GRUEncoder
    >>> GRUEncoder(5, hidden=8)(torch.zeros(2, 7, 5)).shape
    torch.Size([2, 7, 16])
    """

    bidirectional = True

    def __init__(
        self, n_inputs: int, *, hidden: int = 64, dropout: float = 0.1, stride: int = 1, layers: int = 1
    ) -> None:
        if self.causal and stride > 1:
            raise ValueError("stride > 1 averages over later bins; a causal encoder needs stride=1.")
        super().__init__(n_inputs, hidden * (2 if self.bidirectional else 1))
        self.stride = stride
        self.before, self.after = nn.Dropout(dropout), nn.Dropout(dropout)
        self.recurrent = nn.GRU(
            n_inputs,
            hidden,
            num_layers=layers,
            batch_first=True,
            bidirectional=self.bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        n_bins = x.shape[1]
        if self.stride > 1:
            x = _pooled(x, self.stride)
            lengths = None if lengths is None else torch.div(lengths + self.stride - 1, self.stride, rounding_mode="floor")
        out = self._run(self.before(x), lengths)
        if self.stride > 1:
            out = _interpolated(out, n_bins, self.stride, lengths)
        return self.after(out)

    def _run(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            return self.recurrent(x)[0]
        packed = pack_padded_sequence(x, lengths.clamp_min(1).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1])[0]


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


def _pooled(x: Tensor, stride: int) -> Tensor:
    """Sums over `stride` bins divided by its square root, so that independent noise keeps its size."""
    missing = -x.shape[1] % stride
    x = nn.functional.pad(x, (0, 0, 0, missing))
    return x.reshape(x.shape[0], -1, stride, x.shape[2]).sum(2) / stride**0.5


def _interpolated(out: Tensor, n_bins: int, stride: int, lengths: Tensor | None) -> Tensor:
    """Features at bins from features at block centres; beyond the first and last centre they stay constant."""
    place = (torch.arange(n_bins, device=out.device) + 0.5) / stride - 0.5
    last = torch.full((out.shape[0], 1), out.shape[1] - 1, device=out.device)
    if lengths is not None:
        last = (lengths.to(out.device).clamp_min(1) - 1)[:, None]
    place = torch.minimum(place.clamp_min(0)[None], last.to(place.dtype))
    low = place.floor().long()
    high = torch.minimum(low + 1, last)
    weight = (place - low)[..., None].to(out.dtype)

    def at(index: Tensor) -> Tensor:
        return out.gather(1, index[..., None].expand(-1, -1, out.shape[2]))

    return at(low) * (1 - weight) + at(high) * weight
