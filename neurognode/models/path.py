"""The path of the state through a trial: prior, posterior, and samples of both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from neurognode.dynamics import Diffusion, Map, VectorField, integrate
from neurognode.dynamics.constrained.residual import WithResidual
from neurognode.dynamics.corrected import integrate_corrected
from neurognode.dynamics.methods import METHODS
from neurognode.models.draws import normal_like
from neurognode.models.encoders.pooling import interpolated
from neurognode.models.initial_state import InitialState
from neurognode.models.pseudo_observations import Conditional, PseudoObservations, apply, conditional

RESIDUAL_WEIGHT = 0.1
"""Weight of the divergence by which a mechanism's residual changes its paths."""


class Path(NamedTuple):
    """States (B, T, N) and what they cost, the divergence from the prior summed over a trial (B,)."""

    states: Tensor
    divergence: Tensor


class Plan(NamedTuple):
    """First states (B, N), their divergence (B,), and what corrects later ones, if anything does."""

    h0: Tensor
    divergence: Tensor
    messages: Conditional | None = None
    anchor: Tensor | None = None


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
        plan = self.plan(
            features, valid, lengths=lengths, stride=stride, noise=noise, noise_factor=noise_factor
        )
        if start_shift is not None:
            plan = plan._replace(h0=plan.h0 + start_shift)
        states, predictions = self.run(plan, valid.shape[1], inputs, self.field)
        return Path(states, self.divergence(plan, states, predictions, valid, inputs))

    def plan(
        self,
        features: Tensor,
        valid: Tensor,
        *,
        lengths: Tensor | None = None,
        stride: int = 1,
        noise: float = 1.0,
        noise_factor: float = 1.0,
    ) -> Plan:
        """Everything about a sample that does not need the field; arguments as in `forward`."""
        target, root = self.first(features[:, 0])
        message = conditional(target, root, self.start.std)
        divergence = message.divergence(self.start.mean) * valid[:, 0]
        h0 = _draw(message, self.start.mean.expand_as(message.target), noise)
        if self.later is None or noise_factor == 0:
            return Plan(h0, divergence)
        linear = interpolated(self.later.linear(features), valid.shape[1], stride, lengths)
        target, root = self.later.split(linear[:, 1:])
        after = valid[:, 1:]
        std = noise_factor * self.step_std(h0)
        messages = conditional(target, root * after.reshape(*after.shape, *[1] * (root.dim() - 2)), std)
        anchor = target - apply(messages.keep, target)
        if noise:
            anchor = anchor + noise * apply(messages.noise_root, normal_like(target))
        return Plan(h0, divergence, messages, anchor)

    def run(
        self, plan: Plan, n_bins: int, inputs: Tensor | None, field: VectorField
    ) -> tuple[Tensor, Tensor | None]:
        """States, and predictions if they are corrected; with a population as `field` everything has its axis.

        In training, states that are not finite are returned as such, for the loop to leave out the step.
        """
        times = torch.arange(n_bins, dtype=torch.float64) * self.bin_size
        how: tuple[str, int] = (self.method, 1 if isinstance(field, Map) else self.substeps)
        training = torch.is_grad_enabled()
        h0, lost = plan.h0, None
        if training and not bool(torch.isfinite(h0).all()):
            lost = ~torch.isfinite(h0).all(-1, keepdim=True)
            h0 = h0.masked_fill(lost, 0)
        if plan.messages is None or plan.anchor is None:
            states, predictions = integrate(field, h0, times, inputs, *how, check=not training), None
        else:
            states, predictions = integrate_corrected(
                field, h0, times, plan.messages.keep, plan.anchor, inputs, *how
            )
        return states if lost is None else states.masked_fill(lost[..., None], torch.nan), predictions

    def divergence(
        self,
        plan: Plan,
        states: Tensor,
        predictions: Tensor | None,
        valid: Tensor,
        inputs: Tensor | None = None,
    ) -> Tensor:
        """Divergence of posterior from prior, summed over a trial (B,), and what a residual costs."""
        if plan.messages is None or predictions is None:
            return plan.divergence
        after = valid[:, 1:]
        divergence = plan.divergence + (plan.messages.divergence(predictions) * after).sum(1)
        if isinstance(self.field, WithResidual):
            cost = self._departure(states, inputs, plan.messages.std, after)
            divergence = divergence + RESIDUAL_WEIGHT * cost
        return divergence

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
            return self.run(Plan(h0, h0.new_zeros(len(h0))), n_bins, inputs, self.field)[0]
        states, std = [h0], noise * self.step_std(h0)
        for t in range(n_bins - 1):
            h = self.step(states[-1], None if inputs is None else inputs[:, t])
            states.append(h + std * torch.randn_like(h))
        return torch.stack(states, 1)

    def draw_start(self, n_trials: int) -> Tensor:
        """First states from the prior, (n_trials, N)."""
        mean = self.start.mean
        return mean + self.start.std * torch.randn(n_trials, len(mean), dtype=mean.dtype, device=mean.device)

    def step(self, h: Tensor, x: Tensor | None) -> Tensor:
        """States (B, N) one bin later, without noise, under inputs (B, I)."""
        if isinstance(self.field, Map):
            for _ in range(max(round(self.bin_size / self.field.dt), 1)):
                h = self.field.step(h, x)
            return h
        one = METHODS[self.method].step
        for _ in range(self.substeps):
            h = one(self.field, h, lambda _: x, self.bin_size / self.substeps)
        return h


def _draw(message: Conditional, prediction: Tensor, noise: float) -> Tensor:
    state = message.target - apply(message.keep, message.target - prediction)
    return state + noise * apply(message.noise_root, normal_like(state)) if noise else state
