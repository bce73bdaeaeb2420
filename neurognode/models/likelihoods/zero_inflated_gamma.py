"""Deconvolved calcium: exactly zero, or a positive amount."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from neurognode.models.likelihoods.base import Likelihood, unit_parameter


class ZeroInflatedGamma(Likelihood):
    """A point mass at zero beside a gamma, for deconvolved calcium.

    The location is the mean of the positive part. A bin is positive with probability
    ``sigmoid(offset + slope * log(location))``, so that one latent-driven quantity moves both; shape, offset
    and slope are learned per unit.

    References
    ----------
    Wei et al., "A zero-inflated gamma model for deconvolved calcium imaging traces", arXiv:2006.03737 (2020);
    there the probability and the mean are read out separately.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.zero_inflated_gamma import ZeroInflatedGamma
    >>> round(ZeroInflatedGamma(1).log_prob(torch.zeros(1, 1), torch.ones(1, 1)).exp().item(), 3)
    0.5
    """

    signal, support = "continuous", "nonnegative"

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.raw_shape = unit_parameter(n_units, 0.54)
        self.offset = unit_parameter(n_units, 0.0)
        self.slope = unit_parameter(n_units, 1.0)

    @property
    def shape(self) -> Tensor:
        """Shape of the gamma, (unit,)."""
        return softplus(self.raw_shape) + 1e-3

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        mean, shape = location.clamp_min(1e-9), self.shape
        positive = values > 0
        value = torch.where(positive, values, torch.ones_like(values))
        logit = self._logit(mean)
        rate = shape / mean
        gamma = shape * rate.log() - torch.lgamma(shape) + (shape - 1) * value.log() - rate * value
        return torch.where(positive, logsigmoid(logit) + gamma, logsigmoid(-logit))

    def expected(self, location: Tensor) -> Tensor:
        return torch.sigmoid(self._logit(location.clamp_min(1e-9))) * location

    def sample(self, location: Tensor) -> Tensor:
        shape = self.shape.expand_as(location)
        positive = torch.bernoulli(torch.sigmoid(self._logit(location.clamp_min(1e-9))))
        return positive * torch._standard_gamma(shape) * location / shape

    def _logit(self, mean: Tensor) -> Tensor:
        return self.offset + self.slope * mean.log()
