"""A member of a population in a checkpoint of its own, which a fit of its own can go on from, and the way back."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurognode.errors import RunError
from neurognode.models.member_adam import MemberAdam
from neurognode.models.network import LatentNetwork
from neurognode.models.population import NetworkPopulation
from neurognode.training import Outcome
from neurognode.training.checkpoint import load_training, save_training
from neurognode.training.optimisation import parameter_groups


def save_member(
    path: str | os.PathLike[str],
    population: NetworkPopulation,
    optimiser: MemberAdam,
    member: int,
    outcome: Outcome,
    best: dict[str, Tensor] | None,
    meta: Mapping[str, Any],
) -> None:
    """Write what a fit of its own would have written; the member's network must hold its weights.

    Parameters
    ----------
    path : path
        The file.
    population, optimiser, member : NetworkPopulation, MemberAdam, int
        Whom it is about.
    outcome : Outcome
        History and best score so far.
    best : dict of Tensor, optional
        The best weights so far.
    meta : mapping
        ``step``, ``seconds``, ``scale`` and ``bad_in_a_row``.
    """
    network = population.networks[member]
    adam = _adam(network)
    moments = {
        name: (first, second)
        for name, first, second in zip(population.parameters, optimiser.first, optimiser.second)
    }
    for name, parameter in network.named_parameters():
        if name in moments:
            first, second = moments[name]
            adam.state[parameter] = {
                "step": torch.tensor(float(optimiser.n_steps)),
                "exp_avg": first[member].clone(),
                "exp_avg_sq": second[member].clone(),
            }
    found = {
        "history": outcome.history,
        "best_step": outcome.best_step,
        "best_score": None if math.isnan(outcome.best_score) else outcome.best_score,
        "bad_steps": outcome.bad_steps,
    }
    save_training(path, network, adam, best, {**meta, **found})


def load_member(
    path: str | os.PathLike[str],
    population: NetworkPopulation,
    optimiser: MemberAdam,
    member: int,
    outcome: Outcome,
) -> tuple[dict[str, Tensor] | None, dict[str, Any]]:
    """Put what `save_member` or a fit of its own wrote into a member; returns its best weights and `meta`.

    ``meta["moved"]`` is the number of steps that its optimiser has counted.

    Raises
    ------
    RunError
        If the file is not one of these.
    """
    network = population.networks[member]
    adam = _adam(network)
    best, meta = load_training(path, network, adam)
    moved = 0
    inside = dict(network.named_parameters())
    for name, first, second in zip(population.parameters, optimiser.first, optimiser.second):
        state = adam.state.get(inside[name])
        if state:
            first[member].copy_(state["exp_avg"])
            second[member].copy_(state["exp_avg_sq"])
            moved = max(moved, int(state["step"]))
    population.put(member, network.state_dict())
    outcome.history, outcome.best_step = meta["history"], meta["best_step"]
    outcome.bad_steps = meta["bad_steps"]
    outcome.best_score = math.nan if meta["best_score"] is None else meta["best_score"]
    return best, {**meta, "moved": moved}


def load_members(
    paths: list[str | os.PathLike[str]],
    population: NetworkPopulation,
    optimiser: MemberAdam,
    outcomes: list[Outcome],
) -> tuple[list[dict[str, Tensor] | None], list[dict[str, Any]]]:
    """All members from files of their own.

    Raises
    ------
    RunError
        If they are not equally far.
    """
    found = [
        load_member(path, population, optimiser, member, outcome)
        for member, (path, outcome) in enumerate(zip(paths, outcomes))
    ]
    metas = [meta for _, meta in found]
    if any((meta["step"], meta["moved"]) != (metas[0]["step"], metas[0]["moved"]) for meta in metas):
        raise RunError("These fits are not equally far, so that they cannot go on together.")
    optimiser.n_steps = metas[0]["moved"]
    return [best for best, _ in found], metas


def _adam(network: LatentNetwork) -> torch.optim.AdamW:
    """The optimiser that a fit of its own would have."""
    return torch.optim.AdamW(parameter_groups(network, 0.0), fused=True)
