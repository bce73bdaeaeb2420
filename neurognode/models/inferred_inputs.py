"""Inputs that nobody recorded: inferred bin by bin, held back by an autoregressive prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurognode.models.draws import normal_like
from neurognode.models.encoders.pooling import interpolated


class InferredInputs(nn.Module):
    """Gaussian inputs with a first-order autoregressive prior of learned time constant and variance.

    Parameters
    ----------
    features : int
        Width of the encoder's features.
    n_inputs : int
        Number of inferred inputs.
    bin_size : float
        Seconds per bin.
    time_constant : float
        Initial autocorrelation time of the prior, in seconds.

    References
    ----------
    Pandarinath et al., "Inferring single-trial neural population dynamics using sequential auto-encoders",
    Nature Methods 15:805 (2018), for the prior.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.inferred_inputs import InferredInputs
    >>> part = InferredInputs(8, 2, bin_size=0.01)
    >>> sample, divergence = part(torch.zeros(4, 10, 8), torch.ones(4, 10), noise=0.0)
    >>> sample.shape, divergence.shape
    (torch.Size([4, 10, 2]), torch.Size([4]))
    """

    def __init__(self, features: int, n_inputs: int, *, bin_size: float, time_constant: float = 0.1) -> None:
        super().__init__()
        self.n_inputs, self.bin_size = n_inputs, bin_size
        self.linear = nn.Linear(features, 2 * n_inputs)
        self.log_time = nn.Parameter(torch.full((n_inputs,), math.log(time_constant)))
        self.log_std = nn.Parameter(torch.full((n_inputs,), math.log(0.3)))
        with torch.no_grad():
            self.linear.weight *= 0.5
            self.linear.bias[n_inputs:] = -3.0

    @property
    def persistence(self) -> Tensor:
        """Share of an input left a bin later under the prior, (n_inputs,)."""
        return torch.exp(-self.bin_size / self.log_time.exp())

    def forward(
        self,
        features: Tensor,
        valid: Tensor,
        *,
        lengths: Tensor | None = None,
        stride: int = 1,
        noise: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """A sample (B, T, n_inputs), with `noise` 0 the mean, and the divergence from the prior (B,)."""
        linear = interpolated(self.linear(features), valid.shape[1], stride, lengths)
        mean, log_variance = linear.split(self.n_inputs, -1)
        variance = log_variance.clamp(-9.0, 2.0).exp()
        sample = mean
        if noise:
            sample = mean + noise * variance.sqrt() * normal_like(mean)
        return sample, self._divergence(mean, variance, valid)

    def draw_prior(self, n_trials: int, n_bins: int) -> Tensor:
        """Inputs from the prior, (n_trials, n_bins, n_inputs)."""
        a, std = self.persistence, self.log_std.exp()
        value = std * torch.randn(n_trials, self.n_inputs, device=a.device)
        values = [value]
        for _ in range(n_bins - 1):
            value = a * value + std * torch.sqrt(1 - a**2) * torch.randn_like(value)
            values.append(value)
        return torch.stack(values, 1)

    def _divergence(self, mean: Tensor, variance: Tensor, valid: Tensor) -> Tensor:
        a, stationary = self.persistence, (2 * self.log_std).exp()
        innovation = stationary * (1 - a**2)
        before_mean = nn.functional.pad(mean[:, :-1], (0, 0, 1, 0))
        before_variance = nn.functional.pad(variance[:, :-1], (0, 0, 1, 0))
        prior = torch.cat([stationary.expand_as(mean[:, :1]), innovation.expand_as(mean[:, 1:])], 1)
        expected = (mean - a * before_mean).square() + variance + a**2 * before_variance
        per_bin = 0.5 * (expected / prior - 1 + prior.log() - variance.log())
        return (per_bin.sum(-1) * valid).sum(-1)
