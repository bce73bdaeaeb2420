"""How strong the process noise must be for the recording to be likeliest: a particle filter's answer.

The bound that a fit maximises is loosest where paths are rough, so that noise comes out too weak, the more the shorter
the fit. What decides whether a well holds its states is the level of the noise. Here it is set again, the field and the
readout as they are, by the likelihood itself, which a bootstrap particle filter estimates (Gordon, Salmond and Smith
1993, IEE Proc. F 140:107).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics import Diffusion
from neurognode.models import verbs
from neurognode.models.data import Batch, valid_bins
from neurognode.models.network import LatentNetwork
from neurognode.training.devices import cpu_threads

PARTICLES = 128
MOST_BINS = 3000
"""Bins, over all trials, that the filter sees."""
STEP = 0.35
"""Between the logarithms of the factors that are tried."""
WIDEST = 4
"""Steps up or down at most: a factor of four."""
FEWEST = 4.0
"""Particles that must be left with weight in a bin, on average, for the estimate to be trusted."""


def noise_scale(model: Any, trials: Any, *, session: int = 0, random_state: int = 0) -> float:
    """Factor on the fitted process noise under which the recorded activity is likeliest.

    Parameters
    ----------
    model : LatentDynamics
        Fitted, with process noise.
    trials : Trials or array (trial, time, unit)
        What it was fitted to.
    session : int
        Which of its recordings they are of.
    random_state : int
        Seed of the particles, the same for every factor.

    Returns
    -------
    float
        Between 1/4 and 4; 1 where the model has no process noise, or where the signal says so much in a bin that too
        few particles survive.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models import LatentDynamics
    >>> from neurognode.models.noise_level import noise_scale
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> 0.25 <= noise_scale(model, counts) <= 4
    True
    """
    network = model.network_
    if network.path.diffusion is None or not network.noise_factor:
        return 1.0
    tensors = verbs.prepare(model, trials, session)[1]
    n_bins = tensors.values.shape[1]
    kept = (
        np.linspace(0, len(tensors) - 1, min(len(tensors), max(8, MOST_BINS // n_bins))).round().astype(int)
    )
    batch = tensors.batch(torch.as_tensor(np.unique(kept)))
    return float(math.exp(_likeliest(network, batch, random_state)))


def scaled(diffusion: Diffusion, factor: float) -> Diffusion:
    """The same process noise times a factor."""
    changed = copy.deepcopy(diffusion)
    with torch.no_grad():
        changed.log_std.add_(math.log(factor))
    return changed


def _likeliest(network: LatentNetwork, batch: Batch, seed: int) -> float:
    """Logarithm of the likeliest factor: steps uphill, then the top of a parabola through the best three."""
    found: dict[int, float] = {}

    def value(k: int) -> float:
        if k not in found:
            found[k] = log_likelihood(network, batch, math.exp(STEP * k), seed)
        return found[k]

    if not math.isfinite(value(0)):
        return 0.0
    way = 1 if value(1) >= value(-1) else -1
    best = 0
    while abs(best) < WIDEST and value(best + way) > value(best):
        best += way
    left, top, right = (value(best + k) if abs(best + k) <= WIDEST else -math.inf for k in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if math.isfinite(bend) and bend < 0 else 0.0
    return STEP * (best + max(-0.5, min(0.5, shift)))


def log_likelihood(network: LatentNetwork, batch: Batch, factor: float, seed: int) -> float:
    """Log likelihood of a batch under the process noise times `factor`, summed over bins; -inf if it fails.

    Parameters
    ----------
    network : LatentNetwork
    batch : Batch
        B trials.
    factor : float
        On the standard deviation of the process noise.
    seed : int
        Of the particles.
    """
    path, valid = network.path, valid_bins(batch).bool()
    generator = torch.Generator().manual_seed(seed)
    total, survivors = torch.zeros(()), torch.zeros(())
    network.eval()
    with torch.no_grad(), cpu_threads(1):
        inputs = _inputs(network, batch)
        n_trials, dim = len(batch.values), path.field.latent_dim
        shape = (PARTICLES, n_trials, dim)
        states = path.start.mean + path.start.std * torch.randn(shape, generator=generator)
        std = factor * path.step_std(states[0])
        for t in range(valid.shape[1]):
            weights, gained = _weigh(network, batch, states, t)  # (P, B), (B,)
            total = total + torch.where(valid[:, t], gained, 0.0).sum()
            survivors = survivors + torch.where(valid[:, t], 1 / weights.square().sum(0), 0.0).sum()
            states = _resampled(states, weights, generator)
            held = None if inputs is None else inputs[:, t].repeat(PARTICLES, 1)
            moved = path.step(states.flatten(0, 1), held).unflatten(0, shape[:2])
            states = moved + std * torch.randn(shape, generator=generator)
    enough = float(survivors / valid.sum()) >= FEWEST
    return float(total) if enough and bool(torch.isfinite(total)) else -math.inf


def _inputs(network: LatentNetwork, batch: Batch) -> Tensor | None:
    if network.inferred is None:
        return batch.inputs
    features = network.encoder(network.session(batch.session).shown(batch), batch.lengths)
    return network.mean_inputs(batch, features)


def _weigh(network: LatentNetwork, batch: Batch, states: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """Normalised weights (P, B) of states (P, B, N) by bin `t`, and the log of their mean before (B,).

    The bin before is shown too, for likelihoods that remember it.
    """
    session, bins = network.session(batch.session), slice(max(t - 1, 0), t + 1)
    values = batch.values[:, bins]
    observed = None if batch.observed is None else batch.observed[:, bins]
    location = session.location(states[:, :, None], batch.when).expand(-1, *values.shape)
    log_prob = session.likelihood.log_prob(values, location, observed)
    if observed is not None:
        log_prob = log_prob * observed
    log_weights = log_prob[:, :, -1].sum(-1).nan_to_num(-math.inf)
    gained = log_weights.logsumexp(0) - math.log(len(states))
    return torch.softmax(log_weights, 0), gained


def _resampled(states: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Systematic resampling of each trial's particles."""
    n, n_trials = weights.shape
    offset = torch.rand(n_trials, 1, generator=generator)
    places = (offset + torch.arange(n)) / n  # (B, P)
    chosen = torch.searchsorted(weights.cumsum(0).T.contiguous(), places).clamp_max(n - 1)
    return states.gather(0, chosen.T[..., None].expand(-1, -1, states.shape[-1]))
