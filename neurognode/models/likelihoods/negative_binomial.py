"""Negative binomial counts: more variable than Poisson."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from neurognode.models.likelihoods.base import Likelihood, unit_parameter


class NegativeBinomial(Likelihood):
    """Counts with variance ``m + m**2 / r``: a Poisson whose rate varies as a gamma of shape r.

    The location is the expected count m in a bin; r is learned per unit. Not for units that are more regular
    than Poisson.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.negative_binomial import NegativeBinomial
    >>> counts = torch.arange(200.0)[:, None]
    >>> total = NegativeBinomial(1).log_prob(counts, torch.full_like(counts, 3.0)).exp().sum().item()
    >>> abs(total - 1) < 1e-5
    True
    """

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.raw_shape = unit_parameter(n_units, 5.0)

    @property
    def shape(self) -> Tensor:
        """Shape r of the gamma, (unit,)."""
        return softplus(self.raw_shape) + 1e-3

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        mean, shape = location.clamp_min(1e-9), self.shape
        choose = torch.lgamma(values + shape) - torch.lgamma(shape) - torch.lgamma(values + 1)
        total = torch.log(shape + mean)
        return choose + shape * (shape.log() - total) + values * (mean.log() - total)

    def expected(self, location: Tensor) -> Tensor:
        return location

    def sample(self, location: Tensor) -> Tensor:
        shape = self.shape.expand_as(location)
        return torch.poisson(location * torch._standard_gamma(shape) / shape)
