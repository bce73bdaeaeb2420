"""Poisson counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurognode.models.likelihoods.base import Likelihood


class Poisson(Likelihood):
    """Counts with variance equal to their mean; the location is the expected count in a bin.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.poisson import Poisson
    >>> Poisson(1).log_prob(torch.tensor([[0.0]]), torch.tensor([[2.0]])).item()
    -2.0
    """

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        return _LogProb.apply(values, location)

    def expected(self, location: Tensor) -> Tensor:
        return location

    def sample(self, location: Tensor) -> Tensor:
        return torch.poisson(location)


class _LogProb(torch.autograd.Function):
    """``k log m - m - log k!`` with a reverse in one pass; means are kept from zero."""

    @staticmethod
    def forward(values: Tensor, location: Tensor) -> Tensor:
        safe = location.clamp_min(_LEAST)
        constant = torch.zeros_like(values)
        many = (values != 0) & (values != 1)
        constant[many] = -torch.lgamma(values[many] + 1)  # slow, and zero for most bins
        return torch.addcmul(constant, values, safe.log()).sub_(safe)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, along: Tensor) -> tuple[None, Tensor]:
        values, location = ctx.saved_tensors
        slope = (values / location).sub_(1).mul_(along)
        return None, torch.where(location >= _LEAST, slope, torch.zeros_like(slope))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Tensor) -> tuple[Tensor, int]:
        """Element by element, whatever the axis is."""
        spread = [
            tensor.movedim(dim, 0) if dim is not None else tensor[None] for tensor, dim in zip(given, in_dims)
        ]
        rank = max(tensor.dim() for tensor in spread)
        ready = [
            tensor.reshape(len(tensor), *[1] * (rank - tensor.dim()), *tensor.shape[1:]) for tensor in spread
        ]
        return _LogProb.apply(*ready), 0


_LEAST = 1e-9
