"""Training a population of networks: one loop, one optimiser, and every member's own schedule and best weights."""

from __future__ import annotations

import dataclasses
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from neurognode.errors import RunError
from neurognode.models.member_adam import MemberAdam
from neurognode.models.member_checkpoint import load_members, save_member
from neurognode.models.population import NetworkPopulation
from neurognode.training import CallbackList, Outcome, Settings
from neurognode.training.checkpoint import read_tensors, write_tensors
from neurognode.training.devices import cpu_threads, keep_memory, make_fabric
from neurognode.training.interrupts import interrupts_between_steps
from neurognode.training.loop import Batches, scored
from neurognode.training.optimisation import PACE, quick_names, rate_factor
from neurognode.training.randomness import batch_indices

_FORMAT, _VERSION = "neurognode.population", 1


def train_together(
    population: NetworkPopulation,
    data: Sequence[Batches],
    settings: Sequence[Settings],
    validate: Sequence[Callable[[], float] | None],
    listeners: Sequence[CallbackList],
    until: int | None = None,
) -> list[Outcome]:
    """Train all members at once, each as `neurognode.training.train` would train it alone.

    Parameters
    ----------
    population : NetworkPopulation
        What to train; each member's own network ends with its best weights.
    data : sequence of Batches
        Training trials of each member.
    settings : sequence of Settings
        Of each member; they may differ in seed, learning rate and weight decay. One checkpoint holds all members,
        unless each has a file of its own, which a fit of its own could go on from.
    validate : sequence of callable or None
        Scores of each member's own network.
    listeners : sequence of CallbackList
        Told of each member's steps.
    until : int, optional
        Step to pause at: ``stopped`` is then ``"paused"``.

    Returns
    -------
    list of Outcome
        ``stopped`` is ``"failed"`` for a member whose loss was not finite again and again; it has its last good
        weights, and the others go on without it.
    """
    keep_memory()
    run = _Run(population, data, settings, validate, listeners)
    try:
        with cpu_threads(settings[0].threads), interrupts_between_steps() as check:
            run.loop(until, check)
            check()
    except KeyboardInterrupt:
        for outcome in run.outcomes:
            outcome.stopped = "failed" if outcome.stopped == "failed" else "interrupted"
        warnings.warn(
            f"Interrupted at step {run.step} of {settings[0].max_steps}; the best weights are kept.",
            RuntimeWarning,
            stacklevel=2,
        )
    finally:
        run.close()
    return run.outcomes


class _Run:
    """State of one training run of a population."""

    def __init__(
        self,
        population: NetworkPopulation,
        data: Sequence[Batches],
        settings: Sequence[Settings],
        validate: Sequence[Callable[[], float] | None],
        listeners: Sequence[CallbackList],
    ) -> None:
        self.data, self.settings, self.validate, self.listeners = data, settings, validate, listeners
        self.common = settings[0]
        self.device = make_fabric(self.common.device, self.common.precision).device
        self.population = population.to(self.device)
        count = len(population)
        self.outcomes = [Outcome() for _ in range(count)]
        self.step, self.before = 0, 0.0
        self.bad_in_a_row, self.scale = [0] * count, [1.0] * count
        self.best: list[dict[str, Tensor] | None] = [None] * count
        self.good = [_copy(network) for network in population.networks]
        self.rates = torch.tensor([s.learning_rate for s in settings], device=self.device)
        quick = quick_names(population.template)
        self.optimiser = MemberAdam(
            population.parameters.values(),
            self.rates,
            torch.tensor([s.weight_decay for s in settings], device=self.device),
            clip=self.common.clip,
            betas=self.common.betas,
            paces=[PACE if name in quick else 1.0 for name in population.parameters],
        )
        self.files = [s.checkpoint for s in settings if s.checkpoint is not None]
        self.apart = len(set(self.files)) > 1
        if self.common.resume and self.apart and any(Path(path).exists() for path in self.files):
            self._resume_apart()
        elif self.common.resume and self.files and not self.apart and Path(self.files[0]).exists():
            self._resume(self.files[0])
        self.started = self.saved = time.monotonic()

    def loop(self, until: int | None, check: Callable[[], None]) -> None:
        total = self.common.max_steps
        last = total if until is None else min(until, total)
        metrics = [dict(o.history[-1]) if o.history else {} for o in self.outcomes]
        for listener in self.listeners:
            listener.on_start(total)
        while self.step < last and any(o.stopped == "finished" for o in self.outcomes):
            check()
            for own, new in zip(metrics, self._optimise()):
                own.update(new)
            self.step += 1
            if self.step == total or self.step % self.common.validate_every == 0:
                self._validated(metrics)
            for listener, own in zip(self.listeners, metrics):
                listener.on_step(self.step, total, own)
            if self.step < last and time.monotonic() - self.saved > self.common.checkpoint_seconds:
                self.population.restore()
                self._save()
        for outcome in self.outcomes:
            if self.step < total and outcome.stopped == "finished":
                outcome.stopped = "paused"

    def close(self) -> None:
        """Leave every network with its best weights, in evaluation mode, on the CPU."""
        self.population.restore()
        self._save()
        for k, (network, outcome) in enumerate(zip(self.population.networks, self.outcomes)):
            outcome.steps, outcome.seconds = self.step, self._seconds()
            state = self.best[k]
            if state is None and outcome.stopped == "failed":
                state = self.good[k]
            if state is not None:
                network.load_state_dict(state)
            network.to("cpu").eval()
            self.listeners[k].on_end(outcome.stopped)

    def _seconds(self) -> float:
        """Wall time, shared evenly among the members."""
        return self.before + (time.monotonic() - self.started) / len(self.outcomes)

    def _progress(self) -> float:
        return min(self.step / self.common.max_steps, 1.0)

    def _optimise(self) -> list[dict[str, float]]:
        progress, common = self._progress(), self.common
        factor = rate_factor(progress, self.step, common.warmup_steps, common.final_rate)
        batches = []
        for data, own in zip(self.data, self.settings):
            indices = batch_indices(len(data), own.batch_size, own.seed, self.step)
            batches.append(data.batch(indices, self.device))
        for network in self.population.networks:
            network.train()
        found = self.population.losses(batches, progress, [s.seed for s in self.settings], self.step)
        self.optimiser.zero_grad()
        losses = torch.stack([values["loss"] for values in found])
        losses.sum().backward()
        alive = torch.tensor([o.stopped == "finished" for o in self.outcomes], device=self.device)
        scale = torch.tensor(self.scale, device=self.device) * (alive & torch.isfinite(losses.detach()))
        self.optimiser.learning_rate = self.rates * scale
        norms = self.optimiser.step(factor)
        for k, (loss, norm) in enumerate(zip(losses.tolist(), norms.tolist())):
            if math.isfinite(loss) and math.isfinite(norm):
                self.bad_in_a_row[k] = 0
            elif self.outcomes[k].stopped == "finished":
                self._skip(k)
        logged = [{name: float(value.detach()) for name, value in values.items()} for values in found]
        rates = (self.optimiser.learning_rate * factor).tolist()
        return [
            own | {"gradient_norm": norm, "learning_rate": rate}
            for own, norm, rate in zip(logged, norms.tolist(), rates)
        ]

    def _skip(self, k: int) -> None:
        """A step of one member that is not finite: as in a single fit, but the others go on."""
        self.outcomes[k].bad_steps += 1
        self.bad_in_a_row[k] += 1
        self.scale[k] *= 0.5
        if self.bad_in_a_row[k] >= 3:
            self.population.put(k, self.good[k])
            for moments in (*self.optimiser.first, *self.optimiser.second):
                moments[k].zero_()
        if self.bad_in_a_row[k] >= self.common.max_bad_steps:
            self.outcomes[k].stopped = "failed"

    def _validated(self, metrics: list[dict[str, float]]) -> None:
        self.population.restore()
        for k, (own, outcome) in enumerate(zip(metrics, self.outcomes)):
            if outcome.stopped == "failed":
                continue
            network, validate = self.population.networks[k], self.validate[k]
            own |= {"step": self.step, "seconds": self._seconds(), "bad_steps": outcome.bad_steps}
            if self.bad_in_a_row[k] == 0:
                self.good[k] = _copy(network)
            if validate is not None:
                own["score"] = scored(network, validate)
                eligible = self._progress() >= self.settings[k].select_from and math.isfinite(own["score"])
                if eligible and not own["score"] <= outcome.best_score:
                    self.best[k], outcome.best_step = _copy(network), self.step
                    outcome.best_score = own["score"]
            outcome.history.append({key: float(value) for key, value in own.items()})

    def _save(self) -> None:
        if self.common.checkpoint is None:
            return
        self.saved = time.monotonic()
        if self.apart:
            self._save_apart()
            return
        tensors = dict(self.population.parameters)
        tensors |= {f"first.{i}": value for i, value in enumerate(self.optimiser.first)}
        tensors |= {f"second.{i}": value for i, value in enumerate(self.optimiser.second)}
        for k, (best, good) in enumerate(zip(self.best, self.good)):
            tensors |= {f"best.{k}.{name}": value for name, value in (best or {}).items()}
            tensors |= {f"good.{k}.{name}": value for name, value in good.items()}
        outcomes = [
            dataclasses.asdict(o) | {"best_score": None if math.isnan(o.best_score) else o.best_score}
            for o in self.outcomes
        ]
        meta = {"format": _FORMAT, "version": _VERSION, "step": self.step, "seconds": self._seconds()}
        meta |= {"outcomes": outcomes, "bad_in_a_row": self.bad_in_a_row, "scale": self.scale}
        meta["moved"] = self.optimiser.n_steps
        write_tensors(self.common.checkpoint, tensors, meta)

    def _save_apart(self) -> None:
        for k, (path, outcome, best) in enumerate(zip(self.files, self.outcomes, self.best)):
            meta = {"step": self.step, "seconds": self._seconds(), "scale": self.scale[k]}
            meta["bad_in_a_row"] = self.bad_in_a_row[k]
            save_member(path, self.population, self.optimiser, k, outcome, best, meta)

    def _resume_apart(self) -> None:
        self.best, metas = load_members(self.files, self.population, self.optimiser, self.outcomes)
        self.good = [_copy(network) for network in self.population.networks]
        self.step, self.before = metas[0]["step"], metas[0]["seconds"]
        self.scale = [meta["scale"] for meta in metas]
        self.bad_in_a_row = [meta["bad_in_a_row"] for meta in metas]

    def _resume(self, path: str | os.PathLike[str]) -> None:
        tensors, meta = read_tensors(path)
        if meta.get("format") != _FORMAT or meta.get("version") != _VERSION:
            raise RunError(f"{os.fspath(path)!r} is not a checkpoint of members that were trained together.")
        try:
            for name, parameter in self.population.parameters.items():
                parameter.data.copy_(tensors[name])
            for i, (one, two) in enumerate(zip(self.optimiser.first, self.optimiser.second)):
                one.copy_(tensors[f"first.{i}"])
                two.copy_(tensors[f"second.{i}"])
            for k in range(len(self.best)):
                self.best[k] = _part(tensors, f"best.{k}.") or None
                self.good[k] = _part(tensors, f"good.{k}.")
            for outcome, stored in zip(self.outcomes, meta["outcomes"], strict=True):
                for name, value in stored.items():
                    setattr(outcome, name, math.nan if value is None else value)
                outcome.stopped = "failed" if outcome.stopped == "failed" else "finished"
        except (KeyError, RuntimeError, ValueError) as error:
            raise RunError(f"{os.fspath(path)!r} was written by other members: {error}") from error
        self.optimiser.n_steps, self.step, self.before = meta["moved"], meta["step"], meta["seconds"]
        self.bad_in_a_row, self.scale = meta["bad_in_a_row"], meta["scale"]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _copy(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
