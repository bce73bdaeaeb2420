"""`TaskNetwork`: a dynamical system trained to turn inputs into targets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from neurognode import registry
from neurognode.dynamics.base import GatedField, Map, VectorField
from neurognode.dynamics.gnode import GNODE
from neurognode.errors import one_of
from neurognode.models.member_adam import DECAYS, MemberAdam
from neurognode.models.task_data import LOSSES, TaskData, prepare
from neurognode.models.task_population import STARTS, TaskPopulation
from neurognode.models.task_training import Schedule, train_population, validation_loss
from neurognode.training.progress import ProgressBar
from neurognode.training.randomness import as_seed


class TaskNetwork(BaseEstimator):
    """Train a field and a linear readout on a task; seeds and settings are trained together as a population.

    The input of a bin is applied before the output of that bin is read. Every combination of the learning
    rates, the weight decays and `n_members` seeds is one member; the best on the validation trials is what
    `predict` uses. Validation trials choose weights and member, so report scores on trials of a third set.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.
    dynamics : str
        Name of a field or map in the registry: ``"gnode"``, ``"node"``, ``"rnn"``, ``"mgru"``, ``"gru"``,
        ``"lstm"`` or a plug-in.
    dynamics_options : dict, optional
        Options of the field; its time constant is `dt` and its initialisation the closed critical form unless given.
    initial_state : {"first_input", "first_target", "fixed", "learned", "per_trial"}
        See `TaskPopulation`.
    loss : {"mse", "cross_entropy"}
        Mean squared error over all bins, or classification from the last bin.
    method, substeps
        How a bin is stepped; see `neurognode.dynamics.integrate`. ``"euler"`` with a time constant of one bin
        makes a field a discrete cell, as in the gnODE paper.
    dt : float
        Width of a bin in seconds.
    n_members : int
        Seeds.
    learning_rate, weight_decay : float or sequence of float
    decay : {"decoupled", "flux"}
        Meaning of `weight_decay`; see `MemberAdam`.
    schedule : {"cosine", "constant"}
        Of the learning rate.
    clip : float, optional
        Largest gradient norm.
    batch_size, max_steps : int
        Trials a step, and steps.
    validate_every : int
        Steps between validations.
    validation_fraction : float
        Share of the trials kept for that if `fit` is given no validation trials.
    random_state : int, Generator or None
    progress : bool
    callbacks : sequence, optional
        Told of every validation as ``on_step(step, total, metrics)``.

    Attributes
    ----------
    field_ : VectorField
        Of the best member; `member_field` gives the others.
    readout_, bias_ : array (D, N), (D,)
        ``output = readout h + bias`` of the best member.
    members_ : list of dict
        Settings and best validation loss of every member.
    best_ : int
    history_ : list of dict
        Step, seconds, and per member training loss, validation loss and gradient norm.

    References
    ----------
    Kim, Can and Krishnamurthy, "Trainability, Expressivity and Interpretability in Gated Neural ODEs", ICML
    2023, arXiv:2307.06398.

    Examples
    --------
    >>> from neurognode.models import TaskNetwork
    >>> from neurognode.synthetic import tasks
    >>> trials = tasks.make("fixed_1bit", 64)
    >>> net = TaskNetwork(2, dynamics_options={"hidden": (16,)}, n_members=2, max_steps=3, progress=False)
    >>> net.fit(trials).predict(trials).shape
    (64, 100, 1)
    """

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        dynamics: str = "gnode",
        dynamics_options: Mapping[str, Any] | None = None,
        initial_state: str = "first_input",
        loss: str = "mse",
        method: str = "euler",
        substeps: int = 1,
        dt: float = 0.01,
        n_members: int = 1,
        learning_rate: float | Sequence[float] = 3e-3,
        weight_decay: float | Sequence[float] = 0.0,
        decay: str = "decoupled",
        schedule: str = "cosine",
        clip: float | None = 1.0,
        batch_size: int = 64,
        max_steps: int = 2000,
        validate_every: int = 50,
        validation_fraction: float = 0.15,
        random_state: int | np.random.Generator | None = None,
        progress: bool = True,
        callbacks: Sequence[Callable[..., None]] | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.dynamics = dynamics
        self.dynamics_options = dynamics_options
        self.initial_state = initial_state
        self.loss = loss
        self.method = method
        self.substeps = substeps
        self.dt = dt
        self.n_members = n_members
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.decay = decay
        self.schedule = schedule
        self.clip = clip
        self.batch_size = batch_size
        self.max_steps = max_steps
        self.validate_every = validate_every
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.progress = progress
        self.callbacks = callbacks

    def fit(
        self,
        inputs: Any,
        targets: np.ndarray | None = None,
        *,
        mask: np.ndarray | None = None,
        times: np.ndarray | None = None,
        validation: Any = None,
    ) -> TaskNetwork:
        """Train.

        Parameters
        ----------
        inputs : TaskTrials, or array (trial, time, input), or None
            None for autonomous networks.
        targets : array (trial, time, output), or int array (trial,) of classes
        mask : bool array (trial, time), optional
            False where the target does not count; for classification, after the end of a trial.
        times : array (trial, time), optional
            Seconds, where the bins are not evenly spaced.
        validation : TaskTrials or tuple (inputs, targets[, mask[, times]]), optional
            Trials that choose weights and member; by default a share of the trials given.
        """
        self._check()
        data = prepare(inputs, targets, mask, times, self.loss)
        rng = np.random.default_rng(as_seed(self.random_state))
        if validation is not None:
            given = validation if isinstance(validation, tuple) else (validation,)
            x, y, seen, when = (*given, None, None, None)[:4]
            held = prepare(x, y, seen, when, self.loss)
        elif self.initial_state == "per_trial":
            held = data
        else:
            order = torch.as_tensor(rng.permutation(len(data)))
            n_held = max(1, round(self.validation_fraction * len(data)))
            data, held = data.rows(order[n_held:]), data.rows(order[:n_held])
        self._make(data, rng)
        rates, decays = (
            torch.tensor([m[n] for m in self.members_]) for n in ("learning_rate", "weight_decay")
        )
        net = self.population_
        optimiser = MemberAdam(net.parameters(), rates, decays, decay=self.decay, clip=self.clip)
        schedule = Schedule(self.max_steps, self.batch_size, self.validate_every, self.schedule)
        bar = [ProgressBar("task", "validation loss")] if self.progress else []
        told: list[Any] = [*bar, *(self.callbacks or [])]
        best, self.history_ = train_population(net, optimiser, data, held, schedule, rng, told)
        for entry, value in zip(self.members_, best.tolist()):
            entry["validation_loss"] = value
        self.best_ = int(torch.argmin(best))
        return self

    def transform(
        self, inputs: Any, *, times: np.ndarray | None = None, member: int | None = None
    ) -> np.ndarray:
        """States (trial, time, N) of the best member, or of another."""
        return self._run(inputs, times, member)[0].numpy()

    def predict(
        self,
        inputs: Any,
        *,
        mask: np.ndarray | None = None,
        times: np.ndarray | None = None,
        member: int | None = None,
    ) -> np.ndarray:
        """Outputs (trial, time, D), or class numbers (trial,) for classification, read where `mask` ends."""
        given = inputs if mask is None else prepare(inputs, None, mask, times, self.loss)
        _, outputs, data = self._run(given, times, member)
        if self.loss == "mse":
            return outputs.numpy()
        return outputs[torch.arange(len(outputs)), data.last()].argmax(-1).numpy()

    def losses(self, inputs: Any, targets: Any = None, *, mask: Any = None, times: Any = None) -> np.ndarray:
        """Loss of every member on given trials, shape (K,)."""
        check_is_fitted(self, "population_")
        data = prepare(inputs, targets, mask, times, self.loss)
        return validation_loss(self.population_, data).numpy()

    def score(self, inputs: Any, targets: Any = None, *, mask: Any = None, times: Any = None) -> float:
        """``1 - MSE / variance`` of the best member, or its accuracy; higher is better."""
        data = prepare(inputs, targets, mask, times, self.loss)
        outputs = self._run(data, None, None)[1]
        assert data.targets is not None
        if self.loss == "cross_entropy":
            chosen = outputs[torch.arange(len(outputs)), data.last()].argmax(-1)
            return float(torch.eq(chosen, data.targets).float().mean())
        weight = data.weight()[..., None]
        residual = (weight * (outputs - data.targets) ** 2).sum()
        mean = (weight * data.targets).sum((0, 1)) / weight.sum()
        return float(1 - residual / (weight * (data.targets - mean) ** 2).sum())

    def member_field(self, member: int) -> VectorField:
        """The field of one member."""
        check_is_fitted(self, "population_")
        return self.population_.field.member(member)

    @property
    def field_(self) -> VectorField:
        """The field of the best member."""
        return self.member_field(self.best_)

    @property
    def readout_(self) -> np.ndarray:
        """Weights of the best member's readout, (D, N)."""
        return self.population_.readout[self.best_].detach().numpy().T

    @property
    def bias_(self) -> np.ndarray:
        """Bias of the best member's readout, (D,)."""
        return self.population_.bias[self.best_].detach().numpy()

    def _check(self) -> None:
        one_of(self.initial_state, STARTS, "initial_state")
        one_of(self.loss, LOSSES, "loss")
        one_of(self.decay, DECAYS, "decay")
        one_of(self.schedule, ("cosine", "constant"), "schedule")

    def _make(self, data: TaskData, rng: np.random.Generator) -> None:
        rates, decays = (np.atleast_1d(v).tolist() for v in (self.learning_rate, self.weight_decay))
        settings = list(itertools.product(rates, decays, range(self.n_members)))
        self.members_ = [{"learning_rate": a, "weight_decay": b, "seed": c} for a, b, c in settings]
        made = registry.resolve("dynamics", self.dynamics)
        options = {**(self.dynamics_options or {})}
        if issubclass(made, Map):
            options.setdefault("dt", self.dt)
        elif issubclass(made, GatedField):
            options.setdefault("tau", self.dt)
        if issubclass(made, GNODE):  # the numeric form can start a map of few latents in chaos
            options.setdefault("init", "critical_closed")
        field = made(
            self.latent_dim,
            data.inputs.shape[2],
            members=len(settings),
            random_state=int(rng.integers(2**31)),
            **options,
        )
        self.population_ = TaskPopulation(
            field,
            data.output_dim,
            start=self.initial_state,
            dt=self.dt,
            method=self.method,
            substeps=self.substeps,
            generator=torch.Generator().manual_seed(int(rng.integers(2**31))),
            n_trials=len(data),
        )

    def _run(self, inputs: Any, times: Any, member: int | None) -> tuple[Tensor, Tensor, TaskData]:
        """States and outputs of one member."""
        check_is_fitted(self, "population_")
        data = inputs if isinstance(inputs, TaskData) else prepare(inputs, None, None, times, self.loss)
        net = self.population_.only(self.best_ if member is None else member)
        rows = torch.arange(len(data))[None]
        given = data.rows(rows)
        with torch.no_grad():
            start = net.initial(given.inputs, None if given.classes else given.targets, rows)
            states = net.states(given.inputs, start, given.intervals, given.lengths)
            return states[0], net.outputs(states)[0], data
