"""Poisson counts."""

from __future__ import annotations

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
        safe = location.clamp_min(1e-9)
        return values * safe.log() - safe - torch.lgamma(values + 1)

    def expected(self, location: Tensor) -> Tensor:
        return location

    def sample(self, location: Tensor) -> Tensor:
        return torch.poisson(location)
