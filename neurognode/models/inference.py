"""Passing trials through a fitted network: posterior latents, rates, and validation scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from neurognode.models.data import Batch, TrialTensors
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

    Returns
    -------
    dict
        ``states`` (trial, time, N), ``expected`` (trial, time, U), and if averaged over samples
        ``states_std`` and ``expected_std``.
    """
    found: dict[str, list[np.ndarray]] = {}
    n_bins = data.values.shape[1]
    network.eval()
    with torch.no_grad(), cpu_threads(1), seeded(stream(seed, 3)):
        for batch in _pieces(data, max(_ROWS // max(n_samples, 1), 1)):
            for name, value in _draw(network, batch, n_samples, reduce, refine_steps).items():
                full = np.full((*value.shape[:-2], n_bins, value.shape[-1]), np.nan, np.float32)
                full[..., : value.shape[-2], :] = value.numpy()
                found.setdefault(name, []).append(full)
    axis = 0 if reduce or not n_samples else 1
    return {name: np.concatenate(parts, axis) for name, parts in found.items()}


def _pieces(data: TrialTensors, size: int) -> Iterator[Batch]:
    for start in range(0, len(data), size):
        yield data.batch(torch.arange(start, min(start + size, len(data))))


def _draw(
    network: LatentNetwork, batch: Batch, n_samples: int, reduce: bool, refine_steps: int
) -> dict[str, Tensor]:
    draws = max(n_samples, 1)
    free = network.path.diffusion is None or network.noise_factor == 0
    shift = start_shift(network, batch, refine_steps) if free and refine_steps else None
    found = network.infer(batch, noise=1.0 if n_samples else 0.0, repeats=draws, start_shift=shift)
    expected = network.session(batch.session).likelihood.expected(found.location)
    parts = {"states": found.states, "expected": expected}
    if found.inputs is not None:
        parts["inputs"] = found.inputs
    parts = {name: value.reshape(draws, -1, *value.shape[1:]) for name, value in parts.items()}
    if not reduce and n_samples:
        return parts
    means = {name: value.mean(0) for name, value in parts.items()}
    if n_samples > 1:
        means |= {f"{name}_std": value.std(0) for name, value in parts.items()}
    return means


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
