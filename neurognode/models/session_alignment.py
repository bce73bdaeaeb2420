"""Starting several recordings in one latent space: read-ins and readouts from shared principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from neurognode.models.data import TrialTensors
from neurognode.models.network import LatentNetwork


def align_sessions(
    network: LatentNetwork, sessions: Sequence[TrialTensors], conditions: Sequence[np.ndarray]
) -> None:
    """Set read-ins and readouts so that condition means of all sessions start out alike.

    The condition means of all units of all sessions, side by side, have common principal components over time and
    condition. Each read-in is the ridge regression of these on the session's own seen units; each readout starts from
    the regression of its units on them, followed by one random map that all sessions share.

    Parameters
    ----------
    network : LatentNetwork
        With initialised scales.
    sessions : sequence of TrialTensors
        Training trials of each session.
    conditions : sequence of array, (trial,)
        Condition of each trial; only conditions that all sessions have are used, or the mean of all trials.

    References
    ----------
    Pandarinath et al., Nature Methods 15:805 (2018), multi-session LFADS: principal component regression.
    """
    common = sorted(set.intersection(*(set(c.tolist()) for c in conditions)), key=str)
    n_bins = min(tensors.values.shape[1] for tensors in sessions)
    means = []
    for index, (tensors, labels) in enumerate(zip(sessions, conditions)):
        part = network.session(index)
        shown = ((tensors.values - part.centre) / part.spread)[:, :n_bins].numpy()
        recorded = np.ones_like(shown) if tensors.observed is None else tensors.observed[:, :n_bins].numpy()
        groups = [labels == value for value in common] or [np.ones(len(labels), bool)]
        of = [(shown[g] * recorded[g]).sum(0) / np.maximum(recorded[g].sum(0), 1) for g in groups]
        means.append(np.concatenate(of))
    everything = np.concatenate(means, 1)
    everything = everything - everything.mean(0)
    left, sizes, _ = np.linalg.svd(everything, full_matrices=False)
    read_in = network.session(0).read_in
    assert read_in is not None
    n_parts = min(read_in.out_features, int((sizes > 1e-9 * sizes[0]).sum()))
    shared = left[:, :n_parts] * np.sqrt(len(left))
    generator = torch.Generator().manual_seed(0)
    latent_dim = network.readout.weight.shape[1]
    mixing = torch.randn(n_parts, latent_dim, generator=generator) / n_parts**0.5
    for index, mean in enumerate(means):
        part = network.session(index)
        seen = mean[:, part.seen.numpy()]
        weight = ridge(seen - seen.mean(0), shared)
        assert part.read_in is not None
        with torch.no_grad():
            part.read_in.weight[:n_parts].copy_(torch.as_tensor(weight.T))
            part.read_in.weight[n_parts:].zero_()
            part.read_in.bias.zero_()
            part.readout.weight.copy_(
                0.5 * torch.as_tensor(ridge(shared, mean).T, dtype=torch.float32) @ mixing
            )


def ridge(x: np.ndarray, y: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Coefficients (columns of x, columns of y) of a ridge regression with a penalty in units of x's variance."""
    gram = x.T @ x
    penalty = share * np.trace(gram) / len(gram) + 1e-9
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y)
