"""Passing trials through a fitted network: posterior latents, rates, and validation scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from neurognode.models.data import Batch, TrialTensors
from neurognode.models.importance import weighted_starts
from neurognode.models.network import LatentNetwork
from neurognode.models.refinement import start_shift
from neurognode.training.devices import cpu_threads
from neurognode.training.randomness import seeded, stream

_ROWS = 512
"""Trials times samples that pass through the network at once."""


def posterior(
    network: LatentNetwork,
    data: TrialTensors,
    n_samples: int,
    seed: int,
    reduce: bool = True,
    refine_steps: int = 0,
    refine_draws: int = 0,
) -> dict[str, np.ndarray]:
    """States, location and expected signal of every trial.

    Parameters
    ----------
    network : LatentNetwork
        In evaluation mode.
    data : TrialTensors
        The trials.
    n_samples : int
        Posterior samples; 0 follows the path on which each state is the mean given the one before.
    seed : int
        Fixes the samples.
    reduce : bool
        Average over samples (standard deviations of states and expectation are then given too); otherwise the
        first axis of every array is the sample.
    refine_steps : int
        Steps by which the first state of a free run is improved; see `neurognode.models.refinement`.
    refine_draws : int
        Draws by which its posterior is found instead; see `neurognode.models.importance`.

    Returns
    -------
    dict
        ``states`` (trial, time, N), ``expected`` (trial, time, U), and if averaged over samples
        ``states_std`` and ``expected_std``.
    """
    found: dict[str, list[np.ndarray]] = {}
    n_bins = data.values.shape[1]
    if network.path.diffusion is not None and network.noise_factor:
        refine_steps = refine_draws = 0
    network.eval()
    with torch.no_grad(), cpu_threads(1), seeded(stream(seed, 3)):
        for batch in _pieces(data, max(_ROWS // max(n_samples, refine_draws, 1), 1)):
            for name, value in _draw(network, batch, n_samples, reduce, refine_steps, refine_draws).items():
                full = np.full((*value.shape[:-2], n_bins, value.shape[-1]), np.nan, np.float32)
                full[..., : value.shape[-2], :] = value.numpy()
                found.setdefault(name, []).append(full)
    axis = 0 if reduce or not n_samples else 1
    return {name: np.concatenate(parts, axis) for name, parts in found.items()}


def _pieces(data: TrialTensors, size: int) -> Iterator[Batch]:
    for start in range(0, len(data), size):
        yield data.batch(torch.arange(start, min(start + size, len(data))))


def _draw(
    network: LatentNetwork, batch: Batch, n_samples: int, reduce: bool, refine_steps: int, refine_draws: int
) -> dict[str, Tensor]:
    draws, weights = max(n_samples, 1), None
    shift = start_shift(network, batch, refine_steps) if refine_steps else None
    noise = 1.0 if n_samples else 0.0
    if refine_draws:
        shift, weights = weighted_starts(network, batch, refine_draws, shift)
        if not reduce:
            shift, weights = _resampled(shift, weights, draws), None
        draws, noise, shift = len(shift), 0.0, shift.flatten(0, 1)
    found = network.infer(batch, noise=noise, repeats=draws, start_shift=shift)
    expected = network.session(batch.session).likelihood.expected(found.location)
    parts = {"states": found.states, "expected": expected}
    if found.inputs is not None:
        parts["inputs"] = found.inputs
    parts = {name: value.reshape(draws, -1, *value.shape[1:]) for name, value in parts.items()}
    if not reduce and n_samples:
        return parts
    return _moments(parts, weights, spread=n_samples > 1)


def _moments(parts: dict[str, Tensor], weights: Tensor | None, spread: bool) -> dict[str, Tensor]:
    """Mean over draws, the first axis, and standard deviation; `weights` (draw, trial) if they are not alike."""
    if weights is None:
        means = {name: value.mean(0) for name, value in parts.items()}
        return means | ({f"{name}_std": value.std(0) for name, value in parts.items()} if spread else {})
    share = weights[..., None, None]
    means = {name: (share * value).sum(0) for name, value in parts.items()}
    if spread:
        means |= {
            f"{name}_std": (share * (value - means[name]).square()).sum(0).sqrt()
            for name, value in parts.items()
        }
    return means


def _resampled(shift: Tensor, weights: Tensor, n_draws: int) -> Tensor:
    """Draws (n_draws, B, N) of equal weight from weighted ones."""
    chosen = torch.multinomial(weights.T, n_draws, replacement=True).T
    return shift.gather(0, chosen[..., None].expand(-1, -1, shift.shape[-1]))


def hold_out_score(network: LatentNetwork, data: TrialTensors, seed: int) -> Callable[[], float]:
    """A function that scores the network on what its encoder does not see, for choosing checkpoints.

    Units the encoder never sees are scored if there are any. Otherwise a fixed random part of the entries,
    the share that coordinated dropout hides, is hidden from the encoder and scored. The score is bits per
    spike above the training mean for counts, R² for other signals.

    Parameters
    ----------
    network : LatentNetwork
        The network in training.
    data : TrialTensors
        Validation trials.
    seed : int
        Fixes which entries are hidden.
    """
    share = network.objective.coordinated_dropout or 0.25
    generator = torch.Generator().manual_seed(stream(seed, 4))
    session = network.session(data.session)
    hidden: Tensor | None = None
    if bool(session.seen.all()):
        chosen = torch.rand(data.values.shape, generator=generator) < share
        hidden, scored = chosen, chosen.to(torch.float32)
    else:
        scored = (~session.seen).to("cpu", torch.float32).expand(data.values.shape)
    if data.observed is not None:
        scored = scored * data.observed
    base = session.centre.cpu().clone()

    def score() -> float:
        device = session.seen.device
        indices = torch.arange(len(data))
        batch = data.batch(indices, device)
        n_bins = batch.values.shape[1]
        mask = None if hidden is None else hidden[:, :n_bins].to(device)
        factor = network.objective.noise_factor(1.0)
        found = network.infer(batch, hidden=mask, hide=share, noise=0.0, noise_factor=factor)
        expected = session.likelihood.expected(found.location).cpu()
        values, weight = data.values[:, :n_bins], scored[:, :n_bins]
        if session.likelihood.signal == "counts":
            return bits_per_spike(expected, values, base, weight)
        return 1 - float(
            (weight * (values - expected).square()).sum() / (weight * (values - base).square()).sum()
        )

    return score


def bits_per_spike(expected: Tensor, counts: Tensor, mean: Tensor, weight: Tensor) -> float:
    """Poisson log likelihood above that of `mean` (unit,), in bits per spike, over entries of `weight` 1."""
    expected, mean = expected.clamp_min(1e-9), mean.clamp_min(1e-9)
    gain = counts * (expected.log() - mean.log()) - (expected - mean)
    spikes = float((weight * counts).sum())
    return float((weight * gain).sum()) / max(spikes * float(np.log(2)), 1e-9)
