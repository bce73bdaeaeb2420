"""Noise with heavy tails about the location."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from neurognode.models.likelihoods.base import unit_parameter
from neurognode.models.likelihoods.gaussian import Gaussian


class StudentT(Gaussian):
    """Continuous signals with outliers: Student's t, scale and degrees of freedom (above 2) per unit.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.gaussian import Gaussian
    >>> from neurognode.models.likelihoods.student_t import StudentT
    >>> far = torch.full((1, 1), 8.0), torch.zeros(1, 1)
    >>> bool(StudentT(1).log_prob(*far) > Gaussian(1).log_prob(*far))
    True
    """

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.raw_freedom = unit_parameter(n_units, 5.0)

    @property
    def freedom(self) -> Tensor:
        """Degrees of freedom, (unit,)."""
        return 2.0 + softplus(self.raw_freedom)

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        nu = self.freedom
        deviation = (values - location) * torch.exp(-self.log_std)
        norm = (
            torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2) - 0.5 * torch.log(nu * math.pi) - self.log_std
        )
        return norm - (nu + 1) / 2 * torch.log1p(deviation.square() / nu)

    def sample(self, location: Tensor) -> Tensor:
        half = (self.freedom / 2).expand_as(location)
        spread = torch.sqrt(half / torch._standard_gamma(half))
        return location + self.log_std.exp() * spread * torch.randn_like(location)
