"""Gaussian noise about the location."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from neurognode.models.likelihoods.base import Likelihood, unit_parameter


class Gaussian(Likelihood):
    """Continuous signals with additive noise of one learned standard deviation per unit.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.gaussian import Gaussian
    >>> round(Gaussian(1).log_prob(torch.zeros(1, 1), torch.zeros(1, 1)).item(), 4)
    -0.9189
    """

    signal, support, readout = "continuous", "real", "identity"

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.log_std = unit_parameter(n_units, 0.0)

    def initialise(self, values: np.ndarray, observed: np.ndarray) -> None:
        std = np.nanstd(np.where(observed, values, np.nan), axis=(0, 1))
        with torch.no_grad():
            self.log_std.copy_(torch.as_tensor(np.log(np.maximum(std, 1e-6))))

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        deviation = (values - location) * torch.exp(-self.log_std)
        return -0.5 * deviation.square() - self.log_std - 0.5 * math.log(2 * math.pi)

    def expected(self, location: Tensor) -> Tensor:
        return location

    def sample(self, location: Tensor) -> Tensor:
        return location + self.log_std.exp() * torch.randn_like(location)
