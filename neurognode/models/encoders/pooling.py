"""Fewer, wider bins for an encoder, and the way back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def blocks(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Lengths in blocks of `stride` bins, the last of which may be incomplete."""
    return None if lengths is None else torch.div(lengths + stride - 1, stride, rounding_mode="floor")


def pooled(x: Tensor, stride: int) -> Tensor:
    """Sums over `stride` bins (B, T, F) over its square root, so that independent noise keeps its size."""
    missing = -x.shape[1] % stride
    x = nn.functional.pad(x, (0, 0, 0, missing))
    return x.reshape(x.shape[0], -1, stride, x.shape[2]).sum(2) / stride**0.5


def interpolated(out: Tensor, n_bins: int, stride: int, lengths: Tensor | None = None) -> Tensor:
    """Values at bins (B, T, F) from values at block centres, linearly; constant beyond the outer ones.

    Parameters
    ----------
    out : Tensor, (B, blocks, F)
        Values at the centres of blocks of `stride` bins.
    n_bins, stride : int
        Bins T wanted, and bins per block.
    lengths : Tensor, (B,), optional
        Bins of each trial: what lies in blocks after its end is not used.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.pooling import interpolated
    >>> interpolated(torch.tensor([[[0.0], [2.0]]]), 4, 2)[0, :, 0].tolist()
    [0.0, 0.5, 1.5, 2.0]
    """
    if stride == 1:
        return out
    ends = blocks(lengths, stride)
    place = (torch.arange(n_bins, device=out.device, dtype=out.dtype) + 0.5) / stride - 0.5
    last = torch.full((1, 1), out.shape[1] - 1, device=out.device)
    if ends is not None:
        last = (ends.to(out.device).clamp_min(1) - 1)[:, None]
    place = torch.minimum(place.clamp_min(0)[None], last.to(out.dtype))
    centre = torch.arange(out.shape[1], device=out.device, dtype=out.dtype)
    weight = (1 - (place[:, :, None] - centre).abs()).clamp_min(0)
    return weight.expand(len(out), -1, -1) @ out
