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

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, location: Tensor) -> Tensor:
        safe = location.clamp_min(_LEAST)
        return torch.addcmul(torch.lgamma(values + 1).neg_(), values, safe.log()).sub_(safe)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, along: Tensor) -> tuple[None, Tensor]:
        values, location = ctx.saved_tensors
        slope = (values / location).sub_(1).mul_(along)
        return None, torch.where(location >= _LEAST, slope, torch.zeros_like(slope))


_LEAST = 1e-9
