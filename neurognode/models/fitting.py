"""What `LatentDynamics.fit` does, from trials to weights."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from neurognode import registry
from neurognode.dynamics import GNODE
from neurognode.errors import listing
from neurognode.models import data, pruning, sharing, verbs
from neurognode.models.assemble import Shape, make_network
from neurognode.models.checks import check_data, check_settings
from neurognode.models.inference import hold_out_score
from neurognode.models.network import LatentNetwork
from neurognode.models.population import NetworkPopulation
from neurognode.models.presets import setting
from neurognode.models.recorded import Recorded
from neurognode.models.session_alignment import align_sessions
from neurognode.models.stored import StoredTensors, StoredTrials
from neurognode.models.together import train_together
from neurognode.training import CallbackList, Outcome, ProgressBar, Settings, train
from neurognode.training.loop import Batches
from neurognode.training.randomness import as_seed, stream

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


FREE_SELECT_FROM = 0.85
"""Share of a fit that is annealed after which a validation may choose the checkpoint: free runs score unsteadily
before the learning rate is small."""


_NOT_SHAPE = ("progress", "callbacks", "checkpoint", "checkpoint_seconds", "resume")


@dataclass
class Prepared:
    """A fit that has been checked and set up, but not begun."""

    model: LatentDynamics
    network: LatentNetwork
    training: list[data.TrialTensors] | list[StoredTensors]
    validation: list[data.TrialTensors]
    seed: int

    def batches(self) -> Batches:
        """The training trials."""
        first = self.training[0]
        if len(self.training) == 1:
            return first
        return data.SessionTensors([one for one in self.training if isinstance(one, data.TrialTensors)])

    def score(self) -> Callable[[], float] | None:
        """What chooses the checkpoint, if any trials are kept back for that."""
        if not self.validation:
            return None
        parts = [hold_out_score(self.network, tensors, self.seed) for tensors in self.validation]
        return lambda: float(np.mean([part() for part in parts]))

    def listeners(self) -> list[Any]:
        """The estimator's callbacks, and a progress bar if it wants one."""
        found: list[Any] = list(self.model.callbacks or [])
        if self.model.progress:
            counts = self.network.likelihood.signal == "counts"
            label = "held-out bits/spike" if counts else "held-out R²"
            found.append(ProgressBar(getattr(self.model, "_label", "fit"), label))
        return found

    def settings(self) -> Settings:
        """How to train."""
        model, anneal = self.model, self.network.objective.anneal
        return Settings(
            max_steps=int(setting(model, "max_steps", kind=model.activity_kind_)),
            max_seconds=model.max_seconds,
            batch_size=model.batch_size,
            learning_rate=setting(model, "learning_rate"),
            weight_decay=setting(model, "weight_decay"),
            select_from=0.0 if anneal is None else FREE_SELECT_FROM,
            checkpoint=model.checkpoint,
            checkpoint_seconds=model.checkpoint_seconds,
            resume=model.resume,
            device=model.device,
            precision=model.precision,
            seed=stream(self.seed, 0) % 2**32,
        )

    def train(self) -> Outcome:
        """Train the network, alone or with other processes."""
        self.network.noise_factor = 1.0
        settings, batches = self.settings(), self.batches()
        with contextlib.ExitStack() as stack:
            if self.model.devices > 1:
                assert isinstance(batches, data.TrialTensors)
                crew = stack.enter_context(sharing.crew_of(self.model, batches, settings))
                settings = dataclasses.replace(settings, crew=crew)
            outcome = train(
                self.network, batches, settings, validate=self.score(), callbacks=self.listeners()
            )
        self.ended(outcome)
        return outcome

    def ended(self, outcome: Outcome) -> None:
        """Leave a network whose noise was annealed away without noise."""
        anneal = self.network.objective.anneal
        if anneal is not None and (outcome.best_step or outcome.stopped == "finished"):
            self.network.noise_factor = 0.0

    def keep(self, outcome: Outcome) -> None:
        """Write what the training left to the estimator's attributes."""
        model = self.model
        model.history_ = outcome.history
        model.stopped_, model.n_steps_, model.bad_steps_ = outcome.stopped, outcome.steps, outcome.bad_steps
        model.best_step_, model.validation_score_ = outcome.best_step, outcome.best_score
        model.fit_seconds_ = outcome.seconds


def fit_model(model: LatentDynamics, recording: Any) -> None:
    """Fit `model` in place; bad settings or data are found before anything of an earlier fit is lost."""
    fit = prepare(model, recording)
    fit.keep(fit.train())
    if model.prune:
        pruning.prune_rounds(model, fit.training, fit.validation, model.prune)


def can_fit_together(models: Sequence[LatentDynamics], recording: Any) -> bool:
    """Whether models can be trained in one pass: one shape, one session, an encoder and a field that allow it.

    They may differ in seed, learning rate, weight decay and the weight of the divergence.
    """
    first, free = models[0], ("random_state", "learning_rate", "weight_decay", "kl_weight", *_NOT_SHAPE)
    shapes = [{k: repr(v) for k, v in model.get_params(False).items() if k not in free} for model in models]
    if any(shape != shapes[0] for shape in shapes) or isinstance(recording, list | tuple | StoredTrials):
        return False
    if first.encoder not in ("gru", "causal_gru") or (first.encoder_options or {}).get("layers", 1) > 1:
        return False
    if first.likelihood != "auto" and first.likelihood not in registry.BUILTINS["likelihoods"]:
        return False
    kind = registry.resolve("dynamics", first.dynamics)
    plain = issubclass(kind, GNODE) and not first.prune and first.max_seconds is None
    return plain and first.precision == "32-true"


def fit_together(models: Sequence[LatentDynamics], recording: Any, until: int | None = None) -> list[str]:
    """Fit models of one shape to one session in place, in one training; what went wrong with each, or "".

    With `until`, the training pauses at that step; models with checkpoints of their own can go on from there.
    """
    parts: list[Prepared] = []
    for model in models:
        with data.said_once(bool(parts)):
            parts.append(prepare(model, recording))
    for part in parts:
        part.network.noise_factor = 1.0
    outcomes = train_together(
        NetworkPopulation([part.network for part in parts]),
        [part.batches() for part in parts],
        [part.settings() for part in parts],
        [part.score() for part in parts],
        [CallbackList(part.listeners()) for part in parts],
        until,
    )
    for part, outcome in zip(parts, outcomes):
        part.ended(outcome)
        part.keep(outcome)
    message = "The loss or its gradient was not finite again and again; the last good weights are kept."
    return [message if outcome.stopped == "failed" else "" for outcome in outcomes]


def prepare(model: LatentDynamics, recording: Any) -> Prepared:
    """Check settings and data, build the network, and split the trials."""
    if model.devices > 1:
        check_settings(model)
        sharing.check(model, not isinstance(recording, list | tuple | StoredTrials))
    if isinstance(recording, StoredTrials):
        from neurognode.models.stored_fit import prepare_stored

        return prepare_stored(model, recording)
    check_settings(model)
    seed = as_seed(model.random_state)
    recordings = recording if isinstance(recording, list | tuple) else [recording]
    sessions = [data.as_trials(one, model.bin_size) for one in recordings]
    shown = _shown_units(model, len(sessions))
    recorded = [Recorded.of(trials, units) for trials, units in zip(sessions, shown)]
    for trials, own in zip(sessions, recorded):
        check_data(model, trials, own)
    names, bin_size, kind = _shared(model, sessions)
    shapes = [
        Shape(int(own.active.sum()), len(names), own.seen[own.active], bin_size, kind) for own in recorded
    ]
    drift = bool(model.session_drift)
    whole = [
        own.tensors(trials, names, drift=drift, session=index)
        for index, (trials, own) in enumerate(zip(sessions, recorded))
    ]
    network = make_network(model, shapes, seed)
    for index, (tensors, own) in enumerate(zip(whole, recorded)):
        network.session(index).likelihood.check(*arrays(tensors), own.units[own.active])
    splits = [split(len(tensors), model.validation_fraction, seed) for tensors in whole]
    training, validation = divided(whole, splits)
    for index, tensors in enumerate(training):
        network.session(index).initialise(*arrays(tensors))
    if len(sessions) > 1:
        conditions = [conditions_of(model, trials)[split[0]] for trials, split in zip(sessions, splits)]
        align_sessions(network, training, conditions)
    model.network_, model.seed_, model.sessions_ = network, seed, recorded
    model.n_features_in_, model.n_added_sessions_ = len(recorded[0].units), 0
    model.input_names_, model.bin_size_, model.activity_kind_ = names, bin_size, kind
    found = Prepared(model, network, training, validation, seed)
    found.keep(Outcome(stopped="failed"))
    return found


def train_on(model: LatentDynamics, recording: Any) -> None:
    """Train a fitted model on, on other trials of the same units."""
    training, validation = parts_of(model, recording)
    model.network_.train()
    fit = Prepared(model, model.network_, training, validation, model.seed_)
    fit.keep(fit.train())


def parts_of(
    model: LatentDynamics, recording: Any
) -> tuple[list[data.TrialTensors], list[data.TrialTensors]]:
    """Trials of the same units as a fitted model's: for training, and for choosing the checkpoint."""
    recordings = recording if isinstance(recording, list | tuple) else [recording]
    if len(recordings) != len(model.sessions_):
        raise ValueError(
            f"There are {len(recordings)} sessions; the model was fitted to {len(model.sessions_)}."
        )
    whole = [verbs.prepare(model, one, index)[1] for index, one in enumerate(recordings)]
    splits = [split(len(tensors), model.validation_fraction, model.seed_) for tensors in whole]
    return divided(whole, splits)


def train_model(
    model: LatentDynamics,
    network: LatentNetwork,
    training: list[data.TrialTensors],
    validation: list[data.TrialTensors],
    seed: int,
) -> Outcome:
    """Train a network with the settings of `model`, choosing the checkpoint on `validation` if there is any."""
    return Prepared(model, network, training, validation, seed).train()


def divided(
    whole: list[data.TrialTensors], splits: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[data.TrialTensors], list[data.TrialTensors]]:
    """Trials to train on, and to choose the checkpoint on."""
    training = [subset(tensors, split[0]) for tensors, split in zip(whole, splits)]
    return training, [subset(tensors, split[1]) for tensors, split in zip(whole, splits) if len(split[1])]


def subset(whole: data.TrialTensors, indices: np.ndarray) -> data.TrialTensors:
    """Some of the trials, in the order of `indices`."""
    chosen = torch.from_numpy(np.asarray(indices, np.int64))

    def take(tensor: torch.Tensor | None) -> torch.Tensor | None:
        return None if tensor is None else tensor[chosen]

    return data.TrialTensors(
        whole.values[chosen],
        take(whole.observed),
        take(whole.lengths),
        take(whole.inputs),
        take(whole.when),
        whole.session,
    )


def split(n_trials: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices for training and for choosing the checkpoint; none of these if too few would be left."""
    n_validation = round(fraction * n_trials)
    if n_validation < 2 or n_trials - n_validation < 4:
        return np.arange(n_trials), np.arange(0)
    order = np.random.default_rng([seed, 5]).permutation(n_trials)
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])


def arrays(tensors: data.TrialTensors) -> tuple[np.ndarray, np.ndarray]:
    """Signal and mask, (trial, time, unit)."""
    values = tensors.values.numpy()
    return values, np.ones(values.shape, bool) if tensors.observed is None else tensors.observed.numpy() > 0


def _shown_units(model: LatentDynamics, n_sessions: int) -> list[Any]:
    """`encode_units` of each session."""
    if model.encode_units is None or n_sessions == 1:
        return [model.encode_units] * n_sessions
    if len(model.encode_units) != n_sessions:
        raise ValueError(f"encode_units must name the units of each of the {n_sessions} sessions.")
    return list(model.encode_units)


def _shared(model: LatentDynamics, sessions: list[xr.Dataset]) -> tuple[list[str], float, str]:
    """Input names, bin size and activity kind, which all sessions must have in common."""
    found = []
    for trials in sessions:
        names = []
        if model.use_inputs and "inputs" in trials:
            names = [str(name) for name in trials["inputs"]["input"].values]
        found.append((names, float(trials.attrs["bin_size"]), str(trials.attrs["activity_kind"])))
    for what, values in zip(("inputs", "bin sizes", "activity kinds"), zip(*found)):
        if any(value != values[0] for value in values):
            raise ValueError(f"The sessions have different {what}: {list(values)}; they must be the same.")
    return found[0]


def conditions_of(model: LatentDynamics, trials: xr.Dataset) -> np.ndarray:
    """Condition of every trial, by which several sessions are aligned at the start."""
    if model.condition is None:
        return np.zeros(trials.sizes["trial"], int)
    if model.condition not in trials.coords:
        columns = [str(name) for name, coord in trials.coords.items() if coord.dims == ("trial",)]
        raise ValueError(
            f"condition={model.condition!r} is no column of these trials. {listing(model.condition, columns)}"
        )
    return trials[model.condition].values
