"""Fluorescence that decays exponentially and is driven by activity."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from neurognode.models.likelihoods.base import Likelihood, unit_parameter


class AR1Calcium(Likelihood):
    """Fluorescence with memory: ``c[t] = decay * c[t-1] + location[t] + noise`` about a learned baseline.

    The location is the rise of the fluorescence in a bin; decay, baseline and noise are learned per unit. So
    the latents explain the activity behind the indicator rather than its slow decay.

    References
    ----------
    Vogelstein et al., "Fast nonnegative deconvolution for spike train inference from population calcium
    imaging", J Neurophysiol 104:3691 (2010), for the autoregressive indicator.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.likelihoods.ar1_calcium import AR1Calcium
    >>> AR1Calcium(2).log_prob(torch.zeros(4, 5, 2), torch.ones(4, 5, 2)).shape
    torch.Size([4, 5, 2])
    """

    signal, support, readout = "continuous", "real", "softplus"

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.raw_decay = unit_parameter(n_units, 1.0)
        self.log_std = unit_parameter(n_units, 0.0)
        self.baseline = unit_parameter(n_units, 0.0)

    @property
    def decay(self) -> Tensor:
        """Share of the fluorescence left a bin later, (unit,)."""
        return torch.sigmoid(self.raw_decay)

    def initialise(self, values: np.ndarray, observed: np.ndarray) -> None:
        seen = np.where(observed, values, np.nan)
        low, std = np.nanquantile(seen, 0.1, axis=(0, 1)), np.nanstd(np.diff(seen, axis=1), axis=(0, 1))
        with torch.no_grad():
            self.baseline.copy_(torch.as_tensor(low))
            self.log_std.copy_(torch.as_tensor(np.log(np.maximum(np.nan_to_num(std, nan=1.0), 1e-6))))

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        decay, std = self.decay, self.log_std.exp()
        calcium = values - self.baseline
        previous, known = (
            _shifted(calcium),
            _shifted(torch.ones_like(calcium) if observed is None else observed),
        )
        steady, steady_std = location / (1 - decay), std / torch.sqrt(1 - decay**2)
        mean = torch.where(known > 0, decay * previous + location, steady)
        scale = torch.where(known > 0, std, steady_std)
        return -0.5 * ((calcium - mean) / scale).square() - scale.log() - 0.5 * math.log(2 * math.pi)

    def expected(self, location: Tensor) -> Tensor:
        level = location[..., 0, :] / (1 - self.decay)
        levels = [level]
        for t in range(1, location.shape[-2]):
            level = self.decay * level + location[..., t, :]
            levels.append(level)
        return self.baseline + torch.stack(levels, dim=-2)

    def sample(self, location: Tensor) -> Tensor:
        std = self.log_std.exp()
        level = location[..., 0, :] / (1 - self.decay)
        level = level + std / torch.sqrt(1 - self.decay**2) * torch.randn_like(level)
        levels = [level]
        for t in range(1, location.shape[-2]):
            level = self.decay * level + location[..., t, :] + std * torch.randn_like(level)
            levels.append(level)
        return self.baseline + torch.stack(levels, dim=-2)


def _shifted(series: Tensor) -> Tensor:
    """The series one bin earlier, zero in the first bin."""
    return torch.cat([torch.zeros_like(series[..., :1, :]), series[..., :-1, :]], dim=-2)
