"""The training loop: batches in, best weights out, whatever happens on the way."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from neurognode.errors import FitError, IntegrationError
from neurognode.training.callbacks import CallbackList
from neurognode.training.checkpoint import load_training, save_training
from neurognode.training.crew import Crew
from neurognode.training.devices import cpu_threads, keep_memory, make_fabric
from neurognode.training.interrupts import interrupts_between_steps
from neurognode.training.optimisation import gradient_norm, parameter_groups, rate_factor
from neurognode.training.randomness import batch_indices, seeded, stream


class Batches(Protocol):
    """What the loop asks of data: a length, and the batch of given items on a device.

    Where several processes share a fit, `batch` is also given ``rows``, a slice of the items to hand out; the module's
    values for such parts must add up to those of the whole batch.
    """

    def __len__(self) -> int: ...
    def batch(self, indices: torch.Tensor, device: torch.device) -> Any: ...


@dataclass(frozen=True)
class Settings:
    """How to train.

    Parameters
    ----------
    max_steps : int
        Optimiser steps of the whole run; the learning-rate and annealing schedules stretch over them.
    max_seconds : float, optional
        Wall-clock limit. Schedules then follow whichever of steps and time is further, so that a run cut by
        time still ends with a small learning rate; its numbers depend on the machine's speed.
    batch_size, learning_rate, weight_decay, clip : int, float, float, float
        AdamW with decay on matrices only; gradients are clipped to a total norm of `clip`.
    warmup_steps, final_rate : int, float
        Linear rise of the learning rate, and the share of it left at the end of the cosine.
    validate_every : int
        Steps between validations.
    select_from : float
        Share of the run after which a validation may choose the checkpoint (schedules must be over by then).
    patience : int, optional
        Stop after this many validations in a row without a better score.
    max_bad_steps : int
        Give up after this many steps in a row whose loss or gradient was not finite.
    checkpoint : path, optional
        File kept up to date every `checkpoint_seconds`, at best and at the end.
    resume : bool
        Go on from `checkpoint` if it exists. On the same machine the numbers are those of an uninterrupted
        run.
    threads : int, optional
        CPU threads; None leaves torch's own choice.
    device, precision : str
        As lightning-fabric understands them: ``"auto"``, ``"cpu"``, ``"cuda"`` ...; ``"32-true"`` ...
    seed : int
        Fixes batches and noise.
    crew : Crew
        The processes that share the training; only the first one writes the checkpoint.
    """

    max_steps: int = 2000
    max_seconds: float | None = None
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 30
    final_rate: float = 0.01
    validate_every: int = 50
    select_from: float = 0.0
    patience: int | None = None
    max_bad_steps: int = 10
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_seconds: float = 30.0
    resume: bool = False
    threads: int | None = 1
    device: str = "auto"
    precision: str = "32-true"
    seed: int = 0
    crew: Crew = field(default_factory=Crew)


@dataclass
class Outcome:
    """What a training run left behind.

    Attributes
    ----------
    history : list of dict
        One entry per validation: ``step``, ``seconds``, ``loss`` ..., ``score``.
    best_step, best_score : int, float
        When the returned weights were reached, and their validation score (NaN without validation).
    stopped : {"finished", "time", "patience", "interrupted"}
        Why the run ended.
    bad_steps : int
        Steps skipped because the loss or a gradient was not finite.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    best_score: float = math.nan
    stopped: str = "finished"
    bad_steps: int = 0
    steps: int = 0
    seconds: float = 0.0


def train(
    module: nn.Module,
    batches: Batches,
    settings: Settings,
    *,
    validate: Callable[[], float] | None = None,
    callbacks: Sequence[Any] = (),
) -> Outcome:
    """Train `module` in place and leave it with its best weights.

    Parameters
    ----------
    module : nn.Module
        ``module(batch, progress)`` returns a dict with the scalar ``"loss"`` and other scalars to log;
        `progress` runs from 0 to 1 over the run. It is called in training mode with torch's random state set
        by (seed, step).
    batches : Batches
        Hands out batches by index.
    settings : Settings
        How to train.
    validate : callable, optional
        Returns a score, higher is better; called with the module in evaluation mode and gradients off.
    callbacks : sequence of Callback or callable
        Told of every step.

    Returns
    -------
    Outcome

    Raises
    ------
    FitError
        If `settings.max_bad_steps` steps in a row were not finite; the module then holds the last good
        weights.

    Notes
    -----
    Ctrl-C ends the run with a warning and the best weights so far.

    Examples
    --------
    >>> import torch
    >>> from neurognode.training import Settings, train
    >>> class Mean(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.value = torch.nn.Parameter(torch.zeros(()))
    ...     def forward(self, batch, progress):
    ...         return {"loss": ((batch - self.value) ** 2).mean()}
    >>> class Numbers:
    ...     def __len__(self):
    ...         return 8
    ...     def batch(self, indices, device):
    ...         return torch.full((len(indices),), 2.0, device=device)
    >>> module = Mean()
    >>> outcome = train(module, Numbers(), Settings(max_steps=300, learning_rate=0.05, device="cpu"))
    >>> outcome.stopped, abs(module.value.item() - 2) < 0.05
    ('finished', True)
    """
    keep_memory()
    run = _Run(module, batches, settings, validate, CallbackList(callbacks))
    try:
        with cpu_threads(settings.threads), interrupts_between_steps() as check:
            run.loop(check)
            check()
    except KeyboardInterrupt:
        run.outcome.stopped = "interrupted"
        warnings.warn(
            f"Interrupted at step {run.step} of {settings.max_steps}; the best weights are kept.",
            RuntimeWarning,
            stacklevel=2,
        )
    finally:
        run.close()
    return run.outcome


class _Run:
    """State of one training run."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        settings: Settings,
        validate: Callable[[], float] | None,
        listeners: CallbackList,
    ) -> None:
        self.module, self.batches, self.settings = module, batches, settings
        self.validate, self.listeners = validate, listeners
        self.outcome = Outcome()
        self.step = 0
        self.bad_in_a_row = 0
        self.scale = 1.0
        self.best: dict[str, torch.Tensor] | None = None
        self.good = _copy(module)
        self.crew = settings.crew
        fabric = make_fabric(settings.device, settings.precision, self.crew)
        groups = parameter_groups(module, settings.weight_decay)
        optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)
        self.fabric = fabric
        self.wrapped, self.optimiser = fabric.setup(module, optimiser)
        self.before = self.clock = 0.0
        if settings.resume and settings.checkpoint is not None and Path(settings.checkpoint).exists():
            self._resume(settings.checkpoint)
        self.started = self.saved = time.monotonic()

    def loop(self, check: Callable[[], None]) -> None:
        settings, metrics = self.settings, dict(self.outcome.history[-1]) if self.outcome.history else {}
        self.listeners.on_start(settings.max_steps)
        while self.step < settings.max_steps:
            check()
            if settings.max_seconds is not None:
                self.clock = self.crew.agreed(self.fabric, self._seconds())
            metrics.update(self._optimise())
            self.step += 1
            last = self.step == settings.max_steps or self._out_of_time()
            if last or self.step % settings.validate_every == 0:
                metrics.update(self._validated(metrics))
            self.listeners.on_step(self.step, settings.max_steps, metrics)
            if last or self._out_of_patience():
                break
            if time.monotonic() - self.saved > settings.checkpoint_seconds:
                self._save()
        if self.step < settings.max_steps:
            self.outcome.stopped = "time" if self._out_of_time() else "patience"

    def close(self) -> None:
        """Leave the module with its best weights, in evaluation mode, on the CPU."""
        self.outcome.steps, self.outcome.seconds = self.step, self._seconds()
        self._save()
        if self.best is not None:
            self.module.load_state_dict(self.best)
        self.module.to("cpu").eval()
        self.crew.leave()
        self.listeners.on_end(self.outcome.stopped)

    def _progress(self) -> float:
        progress = self.step / self.settings.max_steps
        if self.settings.max_seconds is not None:
            progress = max(progress, self.clock / self.settings.max_seconds)
        return min(progress, 1.0)

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def _out_of_time(self) -> bool:
        limit = self.settings.max_seconds
        return limit is not None and not self.crew.rank and self._seconds() >= limit

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        if patience is None or not self.outcome.best_step:
            return False
        return self.step - self.outcome.best_step >= patience * self.settings.validate_every

    def _optimise(self) -> dict[str, float]:
        settings, progress = self.settings, self._progress()
        rate = settings.learning_rate * self.scale
        rate *= rate_factor(progress, self.step, settings.warmup_steps, settings.final_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["pace"]
        indices = batch_indices(len(self.batches), settings.batch_size, settings.seed, self.step)
        self.wrapped.train()
        own = {} if self.crew.alone else {"rows": self.crew.rows(len(indices))}
        with seeded(stream(settings.seed, 2, self.step), self.fabric.device):
            values = self.wrapped(self.batches.batch(indices, self.fabric.device, **own), progress)
            self.optimiser.zero_grad(set_to_none=True)
            self.fabric.backward(values["loss"])
        values = self.crew.total(self.fabric, values, self.module.parameters())
        norm = gradient_norm(self.module.parameters(), settings.clip)
        if math.isfinite(norm) and math.isfinite(float(values["loss"].detach())):
            self.optimiser.step()
            self.bad_in_a_row = 0
        else:
            self._skip()
        logged = {name: float(value.detach()) for name, value in values.items()}
        return logged | {"gradient_norm": norm, "learning_rate": rate}

    def _skip(self) -> None:
        """A step that is not finite: leave it out, halve the rate, go back to good weights if it repeats."""
        self.outcome.bad_steps += 1
        self.bad_in_a_row += 1
        self.scale *= 0.5
        if self.bad_in_a_row >= 3:
            self.module.load_state_dict(self.good)
            self.optimiser.state.clear()
        if self.bad_in_a_row >= self.settings.max_bad_steps:
            self.best = self.best or self.good
            raise FitError(
                f"The loss or its gradient was not finite in {self.bad_in_a_row} steps in a row "
                f"(step {self.step}). The last good weights are kept. Try a smaller learning_rate, "
                "or look for extreme values in the data."
            )

    def _validated(self, metrics: dict[str, float]) -> dict[str, float]:
        entry = {
            **metrics,
            "step": self.step,
            "seconds": self._seconds(),
            "bad_steps": self.outcome.bad_steps,
        }
        if self.bad_in_a_row == 0:
            self.good = _copy(self.module)
        if self.validate is not None:
            entry["score"] = scored(self.wrapped, self.validate)
            eligible = self._progress() >= self.settings.select_from and math.isfinite(entry["score"])
            if eligible and not entry["score"] <= self.outcome.best_score:
                self.best, self.outcome.best_step = _copy(self.module), self.step
                self.outcome.best_score = entry["score"]
        self.outcome.history.append({key: float(value) for key, value in entry.items()})
        return entry

    def _save(self) -> None:
        if self.settings.checkpoint is None or self.crew.rank:
            return
        self.saved = time.monotonic()
        outcome = self.outcome
        meta = {
            "step": self.step,
            "scale": self.scale,
            "bad_in_a_row": self.bad_in_a_row,
            "seconds": self._seconds(),
            "history": outcome.history,
            "best_step": outcome.best_step,
            "best_score": None if math.isnan(outcome.best_score) else outcome.best_score,
            "bad_steps": outcome.bad_steps,
        }
        save_training(self.settings.checkpoint, self.module, self.optimiser, self.best, meta)

    def _resume(self, path: str | os.PathLike[str]) -> None:
        best, meta = load_training(path, self.module, self.optimiser)
        self.best, self.good = best, _copy(self.module)
        self.step, self.scale, self.before = meta["step"], meta["scale"], meta["seconds"]
        self.bad_in_a_row = meta["bad_in_a_row"]
        self.outcome.history, self.outcome.best_step = meta["history"], meta["best_step"]
        self.outcome.bad_steps = meta["bad_steps"]
        self.outcome.best_score = math.nan if meta["best_score"] is None else meta["best_score"]


def scored(module: nn.Module, validate: Callable[[], float]) -> float:
    """The validation score of a module, put into evaluation mode; NaN if its trajectories diverge."""
    module.eval()
    try:
        with torch.no_grad():
            return float(validate())
    except IntegrationError:
        return math.nan


def _copy(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
