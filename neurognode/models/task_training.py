"""The training loop of a population of task networks: every member keeps its own best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurognode.models.member_adam import MemberAdam
from neurognode.models.task_data import TaskData
from neurognode.models.task_population import TaskPopulation
from neurognode.training.callbacks import CallbackList


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    max_steps: int
    batch_size: int
    validate_every: int
    shape: str

    def factor(self, step: int) -> float:
        """Of the learning rate: a rise over 30 steps, then a cosine to 1 % or constant."""
        if self.shape == "constant":
            return 1.0
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / self.max_steps))
        return cosine * min(1.0, (step + 1) / 30)

    def validates(self, step: int) -> bool:
        """Whether this step is followed by a validation."""
        return (step + 1) % self.validate_every == 0 or step + 1 == self.max_steps


def train_population(
    net: TaskPopulation,
    optimiser: MemberAdam,
    data: TaskData,
    held: TaskData,
    schedule: Schedule,
    rng: np.random.Generator,
    callbacks: Sequence[Callable[..., None]] = (),
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Train; the weights with the lowest validation loss of each member are in `net` afterwards.

    Returns
    -------
    best : Tensor (K,)
        Lowest validation loss.
    history : list of dict
        One entry a validation; losses and gradient norms per member.
    """
    k = len(net.readout)
    best = torch.full((k,), math.inf)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    history: list[dict[str, Any]] = []
    listeners = CallbackList(callbacks)
    listeners.on_start(schedule.max_steps)
    draws = _batches(len(data), k, min(schedule.batch_size, len(data)), rng)
    began = time.monotonic()
    for step in range(schedule.max_steps):
        rows = next(draws)
        optimiser.zero_grad()
        loss = population_loss(net, data.rows(rows), rows)
        loss.nan_to_num(0.0, 0.0, 0.0).sum().backward()
        norm = optimiser.step(schedule.factor(step))
        _return_lost(net, kept, ~torch.isfinite(norm))
        if not schedule.validates(step):
            continue
        score = validation_loss(net, held)
        better = score < best
        best = torch.where(better, score, best)
        for name, value in net.state_dict().items():
            kept[name][better] = value[better]
        entry = {"step": step + 1, "seconds": time.monotonic() - began, "loss": loss.detach().tolist()}
        history.append({**entry, "validation": score.tolist(), "gradient_norm": norm.tolist()})
        metrics = {"loss": float(loss.detach().min()), "score": float(best.min())}
        listeners.on_step(step + 1, schedule.max_steps, metrics)
    listeners.on_end("finished")
    net.load_state_dict(kept)
    return best, history


def _return_lost(net: TaskPopulation, kept: dict[str, Tensor], lost: Tensor) -> None:
    """Put members whose gradient was not finite back to their best weights."""
    if lost.any():
        for name, value in net.state_dict().items():
            value[lost] = kept[name][lost]


def population_loss(net: TaskPopulation, data: TaskData, rows: Tensor | None) -> Tensor:
    """Loss (K,) of every member on its own trials; `rows` are their numbers, for learned initial states."""
    start = net.initial(data.inputs, None if data.classes else data.targets, rows)
    states = net.states(data.inputs, start, data.intervals, data.lengths)
    return data.loss(net.outputs(states))


def validation_loss(net: TaskPopulation, data: TaskData, size: int = 256) -> Tensor:
    """Loss (K,) on given trials; infinite where it is not a number."""
    k = len(net.readout)
    total, weight = torch.zeros(k), 0
    with torch.no_grad():
        for first in range(0, len(data), size):
            rows = torch.arange(first, min(first + size, len(data))).expand(k, -1)
            total += rows.shape[1] * population_loss(net, data.rows(rows), rows)
            weight += rows.shape[1]
    return (total / weight).nan_to_num(math.inf, math.inf, math.inf)


def _batches(n_trials: int, n_members: int, size: int, rng: np.random.Generator) -> Any:
    """Trial numbers (K, size) without end, every member through its own shuffles."""
    while True:
        order = np.stack([rng.permutation(n_trials) for _ in range(n_members)])
        for first in range(0, n_trials - size + 1, size):
            yield torch.as_tensor(order[:, first : first + size])
