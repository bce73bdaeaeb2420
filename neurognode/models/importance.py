"""The posterior of a free run's first state by adaptive importance sampling, starting from the encoder's guess.

Where the field runs freely, one state decides the whole trial, and its exact posterior is that state's prior times
the likelihood of the run that follows. Draws from a widened version of the encoder's posterior are weighted by it;
their weighted mean and covariance make the next, better proposal. This corrects what the encoder, which must answer
at once for every trial, gets wrong (its amortisation gap).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurognode.models.data import Batch
from neurognode.models.network import LatentNetwork
from neurognode.models.pseudo_observations import apply, conditional

ROUNDS = 3
"""Proposals in turn; only the draws of the last are kept."""
WIDEN = 1.5
"""Factor on the deviation of the proposals, whose tails must not be too light."""
FREEDOM = 5.0
"""Degrees of freedom of their Student-t shape."""
_ROWS = 1024
"""Runs that are scored at once."""


def weighted_starts(
    network: LatentNetwork, batch: Batch, n_draws: int, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """First states drawn for each trial, as shifts from the encoder's (S, B, N), and their weights (S, B).

    Parameters
    ----------
    network : LatentNetwork
        One whose field runs freely.
    batch : Batch
        The trials; only units that the encoder sees count.
    n_draws : int
        Draws for each trial, S.
    shift : Tensor, (B, N), optional
        Where to centre the first proposal, from the encoder's state; see `neurognode.models.refinement`.
    """
    session, path = network.session(batch.session), network.path
    with torch.no_grad():
        features = network.encoder(session.shown(batch), batch.lengths)
        target, precision = path.first(features[:, 0])
        message = conditional(target, precision, path.start.std)
        encoded = message.target - apply(message.keep, message.target - path.start.mean)
        root = message.noise_root
        root = torch.diag_embed(root) if root.dim() == 2 else torch.linalg.cholesky(root @ root.mT)
        inputs = network.mean_inputs(batch, features)
        centre = encoded if shift is None else encoded + shift
        for _ in range(ROUNDS):
            draws, log_proposal = _propose(centre, WIDEN * root, n_draws)
            weights = torch.softmax(_log_posterior(network, batch, draws, inputs) - log_proposal, 0)
            centre, root = _moments(draws, weights, root)
    return draws - encoded, weights


def _propose(centre: Tensor, root: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
    """Student-t draws (S, B, N), and their log density up to a constant (S, B)."""
    n_trials, dim = centre.shape
    normal = torch.randn(n_draws, n_trials, dim, dtype=centre.dtype, device=centre.device)
    squares = torch.randn(n_draws, n_trials, round(FREEDOM), dtype=centre.dtype, device=centre.device)
    white = normal / (squares.square().sum(-1, keepdim=True) / FREEDOM).sqrt()
    log_density = -0.5 * (FREEDOM + dim) * torch.log1p(white.square().sum(-1) / FREEDOM)
    return centre + (root @ white[..., None])[..., 0], log_density - root.diagonal(
        dim1=-2, dim2=-1
    ).log().sum(-1)


def _log_posterior(network: LatentNetwork, batch: Batch, draws: Tensor, inputs: Tensor | None) -> Tensor:
    """Log prior of first states plus log likelihood of what the encoder sees of their runs, (S, B)."""
    session, path = network.session(batch.session), network.path
    weight = session.seen.to(batch.values.dtype)
    if batch.observed is not None:
        weight = weight * batch.observed
    found = -0.5 * ((draws - path.start.mean) / path.start.std).square().sum(-1)
    size = max(1, _ROWS // draws.shape[1])
    for first in range(0, len(draws), size):
        part = draws[first : first + size]
        repeated = None if inputs is None else inputs.repeat(len(part), 1, 1)
        states = path.rollout(part.flatten(0, 1), batch.values.shape[1], repeated).unflatten(
            0, part.shape[:2]
        )
        location = session.location(states, batch.when)
        log_prob = session.likelihood.log_prob(batch.values, location, batch.observed)
        found[first : first + size] += (weight * log_prob).sum((-2, -1))
    return found.nan_to_num(-math.inf, posinf=-math.inf)


def _moments(draws: Tensor, weights: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean, and Cholesky root of the covariance shrunk a tenth towards that of the last proposal."""
    mean = (weights[..., None] * draws).sum(0)
    centred = draws - mean
    covariance = torch.einsum("sb,sbi,sbj->bij", weights, centred, centred)
    return mean, torch.linalg.cholesky(0.9 * covariance + 0.1 * root @ root.mT)
