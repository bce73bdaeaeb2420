"""Spike or no spike in a bin."""

from __future__ import annotations

import torch
from torch import Tensor

from neurognode.models.likelihoods.base import Likelihood


class Bernoulli(Likelihood):
    """At most one spike in a bin, for bins of a millisecond or so.

    The location is the count a Poisson process would have on average; a bin holds a spike with probability
    ``1 - exp(-location)``.

    Examples
    --------
    >>> import math, torch
    >>> from neurognode.models.likelihoods.bernoulli import Bernoulli
    >>> round(Bernoulli(1).expected(torch.tensor([[math.log(2)]])).item(), 6)
    0.5
    """

    support = "binary"

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        safe = location.clamp_min(1e-9)
        return torch.where(values > 0.5, torch.log(-torch.expm1(-safe)), -safe)

    def expected(self, location: Tensor) -> Tensor:
        return -torch.expm1(-location)

    def sample(self, location: Tensor) -> Tensor:
        return torch.bernoulli(self.expected(location))
