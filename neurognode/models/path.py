"""The path of the state through a trial: prior, posterior, and samples of both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from neurognode.dynamics import Diffusion, Map, VectorField, integrate
from neurognode.dynamics.constrained.residual import WithResidual
from neurognode.dynamics.corrected import integrate_corrected
from neurognode.dynamics.methods import METHODS
from neurognode.models.encoders.pooling import interpolated
from neurognode.models.initial_state import InitialState
from neurognode.models.pseudo_observations import Conditional, PseudoObservations, apply, conditional

RESIDUAL_WEIGHT = 0.1
"""Weight of the divergence by which a mechanism's residual changes its paths."""


class Path(NamedTuple):
    """States (B, T, N) and what they cost, the divergence from the prior summed over a trial (B,)."""

    states: Tensor
    divergence: Tensor


class LatentPath(nn.Module):
    """Initial state, field and process noise, with the posterior over their path.

    With process noise this is a stochastic differential equation whose posterior corrects every step by what
    the encoder says about the next state (see `pseudo_observations`); the divergence compares posterior and
    prior at the same state and time. Without it, or where `noise_factor` is 0, the field is integrated freely
    from the first state.

    Parameters
    ----------
    features : int
        Width of the encoder's features.
    field : VectorField
        The dynamics.
    diffusion : Diffusion or None
        Process noise of one standard deviation per latent.
    bin_size : float
        Seconds per bin.
    method, substeps : str, int
        How the field is stepped within a bin.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import GNODE, Diffusion
    >>> from neurognode.models.path import LatentPath
    >>> path = LatentPath(8, GNODE(2, hidden=(4,)), Diffusion(2, kind="per_latent"), bin_size=0.01)
    >>> path(torch.zeros(3, 5, 8), torch.ones(3, 5)).states.shape
    torch.Size([3, 5, 2])
    """

    def __init__(
        self,
        features: int,
        field: VectorField,
        diffusion: Diffusion | None,
        *,
        bin_size: float,
        method: str = "exponential_euler",
        substeps: int = 1,
    ) -> None:
        super().__init__()
        self.field, self.diffusion, self.bin_size = field, diffusion, bin_size
        self.method, self.substeps = method, substeps
        self.start = InitialState(field.latent_dim)
        self.first = PseudoObservations(features, field.latent_dim)
        self.later = None
        if diffusion is not None:
            noise = float(diffusion(torch.zeros(field.latent_dim)).detach().mean()) * bin_size**0.5
            self.later = PseudoObservations(features, field.latent_dim, sharpness=1 / noise)

    def forward(
        self,
        features: Tensor,
        valid: Tensor,
        inputs: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        stride: int = 1,
        noise: float = 1.0,
        noise_factor: float = 1.0,
        start_shift: Tensor | None = None,
    ) -> Path:
        """Sample the posterior.

        Parameters
        ----------
        features : Tensor, (B, ceil(T / stride), features)
            What the encoder says.
        valid : Tensor, (B, T)
            1 within a trial, 0 after its end.
        inputs : Tensor, (B, T, I), optional
            Inputs, held over the step that leaves their bin.
        lengths : Tensor, (B,), optional
            Bins of each trial.
        stride : int
            Bins per time step of the features.
        noise : float
            1 to sample; 0 for the path on which every state is the mean given the one before.
        noise_factor : float
            Factor on the process noise, for annealing it away.
        start_shift : Tensor, (B, N), optional
            Added to the first states.
        """
        target, root = self.first(features[:, 0])
        message = conditional(target, root, self.start.std)
        divergence = message.divergence(self.start.mean) * valid[:, 0]
        h0 = _draw(message, self.start.mean.expand_as(message.target), noise)
        if start_shift is not None:
            h0 = h0 + start_shift
        if self.later is None or noise_factor == 0:
            return Path(self.rollout(h0, valid.shape[1], inputs), divergence)
        linear = interpolated(self.later.linear(features), valid.shape[1], stride, lengths)
        target, root = self.later.split(linear[:, 1:])
        after = valid[:, 1:]
        std = noise_factor * self.step_std(h0)
        messages = conditional(target, root * after.reshape(*after.shape, *[1] * (root.dim() - 2)), std)
        states, predictions = self._corrected(h0, messages, inputs, noise)
        divergence = divergence + (messages.divergence(predictions) * after).sum(1)
        if isinstance(self.field, WithResidual):
            divergence = divergence + RESIDUAL_WEIGHT * self._departure(states, inputs, std, after)
        return Path(states, divergence)

    def _departure(self, states: Tensor, inputs: Tensor | None, std: Tensor, after: Tensor) -> Tensor:
        """Divergence (B,) of the paths of mechanism and residual from those of the mechanism alone."""
        assert isinstance(self.field, WithResidual)
        driven = None if inputs is None else inputs[:, :-1]
        shift = self.field.residual(states[:, :-1], driven) * self.bin_size / std
        return 0.5 * ((shift**2).sum(2) * after).sum(1)

    def step_std(self, like: Tensor) -> Tensor:
        """Standard deviation of the process noise over one bin, (N,)."""
        assert self.diffusion is not None
        return (self.diffusion(like[:1])[0] * self.bin_size**0.5).clamp_min(1e-4)

    def rollout(self, h0: Tensor, n_bins: int, inputs: Tensor | None = None, noise: float = 0.0) -> Tensor:
        """Let the states `h0` (B, N) go, with process noise if asked for; (B, n_bins, N)."""
        if noise == 0 or self.diffusion is None:
            times = torch.arange(n_bins, dtype=torch.float64) * self.bin_size
            substeps = 1 if isinstance(self.field, Map) else self.substeps
            return integrate(self.field, h0, times, inputs, method=self.method, substeps=substeps)
        states, std = [h0], noise * self.step_std(h0)
        for t in range(n_bins - 1):
            h = self._step(states[-1], None if inputs is None else inputs[:, t])
            states.append(h + std * torch.randn_like(h))
        return torch.stack(states, 1)

    def draw_start(self, n_trials: int) -> Tensor:
        """First states from the prior, (n_trials, N)."""
        mean = self.start.mean
        return mean + self.start.std * torch.randn(n_trials, len(mean), dtype=mean.dtype, device=mean.device)

    def _corrected(
        self, h0: Tensor, messages: Conditional, inputs: Tensor | None, noise: float
    ) -> tuple[Tensor, Tensor]:
        target, keep = messages.target, messages.keep
        anchor = target - apply(keep, target)
        if noise:
            anchor = anchor + noise * apply(messages.noise_root, torch.randn_like(target))
        times = torch.arange(target.shape[1] + 1, dtype=torch.float64) * self.bin_size
        substeps = 1 if isinstance(self.field, Map) else self.substeps
        return integrate_corrected(self.field, h0, times, keep, anchor, inputs, self.method, substeps)

    def _step(self, h: Tensor, x: Tensor | None) -> Tensor:
        if isinstance(self.field, Map):
            for _ in range(max(round(self.bin_size / self.field.dt), 1)):
                h = self.field.step(h, x)
            return h
        step = METHODS[self.method].step
        for _ in range(self.substeps):
            h = step(self.field, h, lambda _: x, self.bin_size / self.substeps)
        return h


def _draw(message: Conditional, prediction: Tensor, noise: float) -> Tensor:
    state = message.target - apply(message.keep, message.target - prediction)
    return state + noise * apply(message.noise_root, torch.randn_like(state)) if noise else state
