"""What `LatentDynamics.fit` does, from trials to weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from neurognode import trials as schema
from neurognode.errors import one_of
from neurognode.models import data
from neurognode.models.assemble import Shape, initialise, make_network
from neurognode.models.inference import hold_out_score
from neurognode.models.presets import PRESETS, setting
from neurognode.training import Outcome, ProgressBar, Settings, train
from neurognode.training.randomness import as_seed, stream

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


def fit_model(model: LatentDynamics, recording: Any) -> None:
    """Fit `model` in place; bad settings or data are found before anything of an earlier fit is lost."""
    _check_settings(model)
    seed = as_seed(model.random_state)
    trials = data.as_trials(recording, model.bin_size)
    values, mask = schema.filled(trials)
    units = trials["unit"].values
    active = ~data.silent_units(values, mask)
    seen = _seen_units(model, units)
    _check_data(model, trials, units, active, seen)
    names = _input_names(model, trials)
    inputs = data.external_inputs(trials, names, mask)
    span = _span(trials)
    when = data.session_place(trials, span) if model.session_drift else None
    active_values, active_mask = values[:, :, active], mask[:, :, active]
    kind = trials.attrs["activity_kind"]
    shape = Shape(int(active.sum()), len(names), seen[active], float(trials.attrs["bin_size"]), kind)
    network = make_network(model, shape, seed)
    network.likelihood.check(active_values, active_mask, units[active])
    training, validation = _split(len(values), model.validation_fraction, seed)
    initialise(network, active_values[training], active_mask[training])
    whole = data.tensors(active_values, active_mask, inputs, when)
    model.network_ = network
    model.seed_ = seed
    model.units_, model.active_, model.seen_ = units, active, seen
    model.n_features_in_ = len(units)
    model.mean_ = _means(values, mask)
    model.input_names_, model.bin_size_, model.activity_kind_ = names, shape.bin_size, kind
    model.session_span_ = span
    _keep_outcome(model, Outcome(stopped="failed"))
    _keep_outcome(model, _train(model, network, whole, training, validation, seed))


def _train(
    model: LatentDynamics,
    network: Any,
    whole: data.TrialTensors,
    training: np.ndarray,
    validation: np.ndarray,
    seed: int,
) -> Outcome:
    train_data = subset(whole, training)
    score = None
    if len(validation):
        mean = network.centre.numpy()
        score = hold_out_score(network, subset(whole, validation), mean, seed)
    counts = network.likelihood.signal == "counts"
    listeners: list[Any] = list(model.callbacks or [])
    if model.progress:
        listeners.append(
            ProgressBar(getattr(model, "_label", "fit"), "held-out bits/spike" if counts else "held-out R²")
        )
    anneal = network.objective.anneal
    settings = Settings(
        max_steps=int(setting(model.preset, "max_steps", model.max_steps)),
        max_seconds=model.max_seconds,
        batch_size=model.batch_size,
        learning_rate=setting(model.preset, "learning_rate", model.learning_rate),
        weight_decay=setting(model.preset, "weight_decay", model.weight_decay),
        select_from=0.0 if anneal is None else min(anneal[1] + 1e-6, 1.0),
        checkpoint=model.checkpoint,
        resume=model.resume,
        device=model.device,
        precision=model.precision,
        seed=stream(seed, 0) % 2**32,
    )
    network.noise_factor = 1.0
    outcome = train(network, train_data, settings, validate=score, callbacks=listeners)
    if anneal is not None and (outcome.best_step or outcome.stopped == "finished"):
        network.noise_factor = 0.0
    return outcome


def _keep_outcome(model: LatentDynamics, outcome: Outcome) -> None:
    model.history_ = outcome.history
    model.stopped_, model.n_steps_, model.bad_steps_ = outcome.stopped, outcome.steps, outcome.bad_steps
    model.best_step_, model.validation_score_ = outcome.best_step, outcome.best_score
    model.fit_seconds_ = outcome.seconds


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


def _split(n_trials: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices for training and for choosing the checkpoint; none of these if too few would be left."""
    n_validation = round(fraction * n_trials)
    if n_validation < 2 or n_trials - n_validation < 4:
        return np.arange(n_trials), np.arange(0)
    order = np.random.default_rng([seed, 5]).permutation(n_trials)
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])


def _means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean signal of each unit in a bin, with half an event for units that were silent, (unit,)."""
    seen = mask.sum(axis=(0, 1))
    total = np.where(mask, values, 0).sum(axis=(0, 1), dtype=float)
    return np.where(total == 0, 0.5, total) / np.maximum(seen, 1)


def _span(trials: xr.Dataset) -> tuple[float, float]:
    if "absolute_time" not in trials.coords:
        return 0.0, 1.0
    start = trials["absolute_time"].values[:, 0]
    return float(np.nanmin(start)), float(np.nanmax(start))


def _seen_units(model: LatentDynamics, units: np.ndarray) -> np.ndarray:
    if model.encode_units is None:
        return np.ones(len(units), bool)
    wanted = np.asarray(model.encode_units)
    if wanted.dtype == bool:
        if len(wanted) != len(units):
            raise ValueError(
                f"encode_units as a mask has {len(wanted)} entries; there are {len(units)} units."
            )
        return wanted
    unknown = [w for w in wanted.tolist() if w not in set(units.tolist())]
    if unknown:
        raise ValueError(
            f"encode_units names {unknown[0]!r}, which is not among the units {units.tolist()[:10]} ..."
        )
    return np.isin(units, wanted)


def _input_names(model: LatentDynamics, trials: xr.Dataset) -> list[str]:
    if not model.use_inputs or "inputs" not in trials:
        return []
    return [str(name) for name in trials["inputs"]["input"].values]


def _check_settings(model: LatentDynamics) -> None:
    one_of(model.preset, PRESETS, "preset")
    if model.process_noise not in (None, True, False, "anneal"):
        raise ValueError(f"process_noise={model.process_noise!r} must be True, False, 'anneal' or None.")
    for name, least in (
        ("latent_dim", 1),
        ("max_steps", 1),
        ("batch_size", 1),
        ("n_samples", 0),
        ("substeps", 1),
    ):
        value = getattr(model, name)
        if value is not None and (isinstance(value, bool) or int(value) != value or value < least):
            raise ValueError(f"{name}={value!r} must be an integer of at least {least}.")
    if not 0 <= model.validation_fraction < 1:
        raise ValueError(f"validation_fraction={model.validation_fraction!r} must be at least 0 and below 1.")
    hide = setting(model.preset, "coordinated_dropout", model.coordinated_dropout)
    if not 0 <= hide < 1:
        raise ValueError(f"coordinated_dropout={hide!r} must be at least 0 and below 1.")


def _check_data(
    model: LatentDynamics, trials: xr.Dataset, units: np.ndarray, active: np.ndarray, seen: np.ndarray
) -> None:
    if not active.any():
        raise ValueError(
            f"None of the {len(units)} units ever changes in these trials; there is nothing to fit."
        )
    if not (active & seen).any():
        raise ValueError(
            "None of the units that the encoder may see (encode_units) ever changes in these trials."
        )
    data.warn_silent(units[~active])
    latent_dim = setting(model.preset, "latent_dim", model.latent_dim)
    if latent_dim > active.sum() and model.preset == "dynamics":
        raise ValueError(
            f"latent_dim={latent_dim} is more than the {int(active.sum())} units that change; "
            "so many latents cannot be told apart. Choose fewer."
        )
    if trials.sizes["time"] < 2:
        raise ValueError(
            f"The window holds one bin of {trials.attrs['bin_size']:g} s; dynamics need at least two. "
            "Use a longer window or a smaller bin_size."
        )
