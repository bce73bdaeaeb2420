"""Improving the encoder's first state at inference, by climbing the likelihood of the trial at hand."""

from __future__ import annotations

import torch
from torch import Tensor

from neurognode.models.data import Batch
from neurognode.models.network import LatentNetwork
from neurognode.models.pseudo_observations import apply, conditional

RATE = 0.4
"""Share of a natural-gradient step; more than a few steps of this size can diverge."""


def start_shift(network: LatentNetwork, batch: Batch, n_steps: int, rate: float = RATE) -> Tensor:
    """How far to move the first state of each trial from where the encoder puts it, (B, N).

    Each step follows the gradient of the log posterior of the first state under the free run, given the units the
    encoder sees, times the encoder's own covariance; a step is at most 1.5 standard deviations in each latent.

    Parameters
    ----------
    network : LatentNetwork
        One without process noise.
    batch : Batch
        The trials.
    n_steps : int
        Steps; 3 are usually enough.
    rate : float
        Share of a full natural-gradient step.
    """
    session, path = network.session(batch.session), network.path
    with torch.no_grad():
        features = network.encoder(session.shown(batch), batch.lengths)
        target, root = path.first(features[:, 0])
        message = conditional(target, root, path.start.std)
        start = target - apply(message.keep, target - path.start.mean)
        inputs = network.mean_inputs(batch, features)
        widest = _deviation(message.noise_root)
    weight = session.seen.to(batch.values.dtype)
    if batch.observed is not None:
        weight = weight * batch.observed
    h = start
    for _ in range(n_steps):
        with torch.enable_grad():
            moved = h.detach().requires_grad_()
            states = path.rollout(moved, batch.values.shape[1], inputs)
            location = session.location(states, batch.when)
            log_prob = (weight * session.likelihood.log_prob(batch.values, location, batch.observed)).sum()
            prior = 0.5 * ((moved - path.start.mean) / path.start.std).square().sum()
            (gradient,) = torch.autograd.grad(log_prob - prior, moved)
        step = rate * _covariance_times(message.noise_root, gradient)
        h = moved.detach() + torch.minimum(torch.maximum(step, -1.5 * widest), 1.5 * widest)
    return h - start


def _deviation(root: Tensor) -> Tensor:
    return root if root.dim() == 2 else root.square().sum(-1).sqrt()


def _covariance_times(root: Tensor, vector: Tensor) -> Tensor:
    return root.square() * vector if root.dim() == 2 else apply(root, apply(root.mT, vector))
