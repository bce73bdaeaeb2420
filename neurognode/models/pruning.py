"""Pruning the flow field of a fitted model: the smallest weights go, round by round, and the rest is fitted on."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from neurognode.dynamics.base import VectorField
from neurognode.dynamics.network import Network
from neurognode.models.presets import setting

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics

ROUNDS, SHARE_OF_STEPS = 4, 0.2
"""Rounds from nothing to the wanted share, and the steps of each as a share of the fit's `max_steps`."""
RATE = 0.3
"""Learning rate of the rounds, as a share of the fit's."""


def prune(
    model: Any, trials: Any, share: float, *, rounds: int = ROUNDS, max_steps: int | None = None
) -> Any:
    """Remove weights from a fitted model's flow and fit on; iterative magnitude pruning [1]_.

    The weights of the flow F and of the gate G (their matrices, not their biases) are ranked together by size;
    the smallest are set to zero and stay there, in `rounds` steps that each remove the same share of what is
    left, with training in between. How much can go at an equal score says how complex the flow has to be.

    Parameters
    ----------
    model : LatentDynamics or Ensemble
        Fitted; it is not changed.
    trials : Trials, array, or list of Trials
        What to train on, as a rule what it was fitted to.
    share : float
        Share of the weights that are zero in the end, at least 0 and below 1.
    rounds : int
        How often weights are removed.
    max_steps : int, optional
        Optimiser steps after each removal; by default a fifth of the fit's.

    Returns
    -------
    LatentDynamics or Ensemble
        A copy, with ``sparsity_`` (share of zero weights) and ``pruning_`` (one dict a round: share, live hidden
        units, validation score) on every fitted model.

    References
    ----------
    .. [1] Liebenwein, Hasani, Amini and Rus, "Sparse Flows: Pruning Continuous-depth Models", NeurIPS 2021,
       arXiv:2106.12718.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models import LatentDynamics, prune
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> sparse = prune(model, counts, 0.8, max_steps=2)
    >>> round(sparse.sparsity_, 2), model.sparsity_
    (0.8, 0.0)
    """
    from neurognode.models.fitting import parts_of

    check_share(share)
    pruned = copy.deepcopy(model)
    for one in getattr(pruned, "members_", [pruned]):
        training, validation = parts_of(one, trials)
        prune_rounds(one, training, validation, share, rounds, max_steps)
    return pruned


def check_share(share: float) -> None:
    """Raise unless `share` is a share of weights that may go.

    Raises
    ------
    ValueError
    """
    if isinstance(share, bool) or not 0 <= share < 1:
        raise ValueError(f"prune={share!r} must be a share of the weights, at least 0 and below 1.")


def prunable(field: VectorField) -> list[nn.Parameter]:
    """The matrices of a field's networks; empty for a field that has none."""
    return [p for net in _networks(field) for name, p in net.named_parameters() if "bias" not in name]


def _networks(field: VectorField) -> list[Network]:
    found = (getattr(field, name, None) for name in ("drift_net", "gate_net"))
    return [net for net in found if isinstance(net, Network)]


def sparsity(field: VectorField) -> float:
    """Share of a field's prunable weights that are zero.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.models.pruning import prunable, sparsity
    >>> field = GNODE(2, hidden=(8,))
    >>> with torch.no_grad():
    ...     _ = prunable(field)[0].zero_()
    >>> round(sparsity(field), 3)
    0.444
    """
    weights = prunable(field)
    total = sum(w.numel() for w in weights)
    return sum(int((w == 0).sum()) for w in weights) / total if total else 0.0


def live_units(field: VectorField) -> int:
    """Hidden units of flow and gate that something enters and that have an effect."""
    count = 0
    for net in _networks(field):
        for layer in range(len(net.hidden)):
            entering = net.weights[layer].abs().sum(-1)
            if layer == 0 and net.input_weight is not None:
                entering = entering + net.input_weight.abs().sum(-1)
            leaving = net.weights[layer + 1].abs().sum(-2)
            count += int(((entering > 0) & (leaving > 0)).sum())
    return count


def prune_rounds(
    model: LatentDynamics,
    training: list[Any],
    validation: list[Any],
    share: float,
    rounds: int = ROUNDS,
    max_steps: int | None = None,
) -> None:
    """Prune the network of a fitted model in place; see `prune`."""
    from neurognode.models.fitting import train_model

    field, network = model.field_, model.network_
    weights = prunable(field)
    if not weights:
        raise ValueError(
            f"A {type(field).__name__} has no networks whose weights could be pruned; use prune=0."
        )
    tuned = copy.copy(model)
    tuned.max_steps = max_steps or max(1, round(SHARE_OF_STEPS * int(setting(model, "max_steps"))))
    tuned.learning_rate = RATE * setting(model, "learning_rate")
    tuned.checkpoint, tuned.resume, tuned._label = None, False, "prune"  # type: ignore[attr-defined]
    tuned.devices = 1
    objective, noise = network.objective, network.noise_factor
    anneal = None if objective.anneal is None else (0.0, 0.0, objective.anneal[2])
    network.objective = replace(objective, kl_start=1.0, anneal=anneal)
    before = sparsity(field)
    model.pruning_ = []
    try:
        for step in range(1, rounds + 1):
            left = (1 - before) ** (1 - step / rounds) * (1 - max(share, before)) ** (step / rounds)
            with _Masked(weights, 1 - left):
                network.train()
                outcome = train_model(tuned, network, training, validation, model.seed_)
            model.pruning_.append(
                {"share": sparsity(field), "live_units": live_units(field), "score": outcome.best_score}
            )
    finally:
        network.objective, network.noise_factor = objective, noise
        network.eval()


class _Masked:
    """Sets the smallest weights to zero and keeps them there while training goes on."""

    def __init__(self, weights: list[nn.Parameter], share: float) -> None:
        sizes = torch.cat([w.detach().abs().flatten() for w in weights])
        rank = torch.empty_like(sizes, dtype=torch.long)
        rank[torch.argsort(sizes, stable=True)] = torch.arange(len(sizes))
        kept = rank >= round(share * len(sizes))
        self.masks = [m.reshape(w.shape) for w, m in zip(weights, kept.split([w.numel() for w in weights]))]
        self.weights = weights

    def __enter__(self) -> None:
        with torch.no_grad():
            for weight, mask in zip(self.weights, self.masks):
                weight.mul_(mask)
        self.handles = [w.register_hook(_only(m)) for w, m in zip(self.weights, self.masks)]

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


def _only(mask: Tensor) -> Any:
    return lambda gradient: gradient * mask.to(gradient.device, gradient.dtype)
