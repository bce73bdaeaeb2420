"""What a fitted `LatentDynamics` does with trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from neurognode import trials as schema
from neurognode.models import data
from neurognode.models.inference import bits_per_spike, posterior
from neurognode.training.randomness import seeded, stream

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


def prepare(model: LatentDynamics, recording: Any) -> tuple[xr.Dataset, data.TrialTensors, np.ndarray]:
    """Trials, their tensors for the active units, and which bins lie within a trial (trial, time)."""
    trials = data.as_trials(recording, model.bin_size_, model.activity_kind_)
    width = float(trials.attrs["bin_size"])
    if not np.isclose(width, model.bin_size_, rtol=1e-3):
        raise ValueError(
            f"These trials have bins of {width:g} s; the model was fitted with {model.bin_size_:g} s. "
            f"Align them again with bin_size={model.bin_size_:g}."
        )
    values, mask = data.select_units(trials, model.units_, model.seen_ & model.active_)
    inputs = data.external_inputs(trials, model.input_names_, schema.observed(trials))
    when = data.session_place(trials, model.session_span_) if model.session_drift else None
    active = model.active_
    tensors = data.tensors(values[:, :, active], mask[:, :, active], inputs, when)
    n_bins = trials.sizes["time"]
    inside = np.ones((len(values), n_bins), bool)
    if tensors.lengths is not None:
        inside = np.arange(n_bins) < tensors.lengths.numpy()[:, None]
    return trials, tensors, inside


def labelled(trials: xr.Dataset, values: np.ndarray, last: str, names: Any, name: str) -> xr.DataArray:
    """A DataArray (..., trial, time, `last`) that keeps the trials' own coordinates."""
    keep = {
        key: coord
        for key, coord in trials.coords.items()
        if set(coord.dims) <= {"trial", "time"} or (last == "unit" and set(coord.dims) <= {"unit"})
    }
    if last == "unit" and len(names) != trials.sizes["unit"]:
        keep = {key: coord for key, coord in keep.items() if "unit" not in coord.dims}
    keep[last] = (last, np.asarray(names))
    dims = (*("sample",)[: values.ndim - 3], "trial", "time", last)
    attrs = {
        key: trials.attrs[key]
        for key in ("bin_size", "event", "source", "source_hash")
        if key in trials.attrs
    }
    return xr.DataArray(values, dims=dims, coords=keep, name=name, attrs=attrs)


def transform(model: LatentDynamics, recording: Any) -> xr.DataArray:
    """Posterior mean latents; see `LatentDynamics.transform`."""
    trials, tensors, inside = prepare(model, recording)
    found = posterior(model.network_, tensors, model.n_samples, model.seed_)
    states = np.where(inside[:, :, None], found["states"], np.nan)
    latents = labelled(trials, states, "latent", np.arange(states.shape[2]), "latents")
    if "states_std" in found:
        std = np.where(inside[:, :, None], found["states_std"], np.nan)
        latents = latents.assign_coords(std=(("trial", "time", "latent"), std))
    return latents


def predict(model: LatentDynamics, recording: Any) -> xr.DataArray:
    """Expected rates or signal; see `LatentDynamics.predict`."""
    trials, tensors, inside = prepare(model, recording)
    found = posterior(model.network_, tensors, model.n_samples, model.seed_)
    return _rates(model, trials, np.where(inside[:, :, None], found["expected"], np.nan))


def _rates(model: LatentDynamics, trials: xr.Dataset, expected: np.ndarray) -> xr.DataArray:
    """Put constants in for the units kept out of the fit, turn counts per bin into spikes/s, and label."""
    everything = np.broadcast_to(
        model.mean_.astype(np.float32), (*expected.shape[:-1], len(model.units_))
    ).copy()
    everything[..., model.active_] = expected
    everything[np.isnan(expected[..., 0])] = np.nan
    counts = model.network_.likelihood.signal == "counts"
    rates = everything / model.bin_size_ if counts else everything
    labels = labelled(trials, rates, "unit", model.units_, "rates" if counts else "signal")
    labels.attrs["units"] = "spikes/s" if counts else "as recorded"
    return labels


def score(model: LatentDynamics, recording: Any) -> float:
    """Bits per spike or R²; see `LatentDynamics.score`."""
    return score_rates(model, data.as_trials(recording, model.bin_size_), predict(model, recording).values)


def score_rates(model: LatentDynamics, trials: xr.Dataset, rates: np.ndarray) -> float:
    """Score rates (trial, time, unit) of the fitted units against what was recorded."""
    values, mask = data.select_units(trials, model.units_, np.zeros(len(model.units_), bool))
    scored = ~model.seen_ & model.active_ if (~model.seen_ & model.active_).any() else model.active_
    weight = (mask & np.isfinite(rates))[:, :, scored].astype(np.float32)
    expected = np.nan_to_num(rates)[:, :, scored]
    values, mean = values[:, :, scored], model.mean_[scored]
    if model.network_.likelihood.signal == "counts":
        tensor = [
            torch.as_tensor(a, dtype=torch.float64)
            for a in (expected * model.bin_size_, values, mean, weight)
        ]
        return bits_per_spike(*tensor)
    residual, total = weight * (values - expected) ** 2, weight * (values - mean) ** 2
    return float(1 - residual.sum() / max(total.sum(), 1e-12))


def sample(model: LatentDynamics, recording: Any, n_samples: int, what: str, prior: bool) -> xr.DataArray:
    """Draws from posterior or prior; see `LatentDynamics.sample`."""
    trials, tensors, inside = prepare(model, recording)
    network = model.network_
    if prior:
        states = _prior_states(model, tensors, n_samples)
    else:
        states = posterior(network, tensors, n_samples, model.seed_, reduce=False)["states"]
    outside = ~inside[None, :, :, None]
    if what == "latents":
        return labelled(
            trials, np.where(outside, np.nan, states), "latent", np.arange(states.shape[-1]), "latents"
        )
    with torch.no_grad(), seeded(stream(model.seed_, 6)):
        location = network.location(torch.nan_to_num(torch.from_numpy(states)), tensors.when)
        if what == "rates":
            return _rates(
                model, trials, np.where(outside, np.nan, network.likelihood.expected(location).numpy())
            )
        drawn = np.where(outside, np.nan, network.likelihood.sample(location).numpy())
    everything = np.zeros((*drawn.shape[:-1], len(model.units_)), np.float32)
    everything[..., model.active_] = drawn
    everything[np.isnan(drawn[..., 0])] = np.nan
    return labelled(trials, everything, "unit", model.units_, "signal")


def _prior_states(model: LatentDynamics, tensors: data.TrialTensors, n_samples: int) -> np.ndarray:
    network = model.network_
    n_trials, n_bins = tensors.values.shape[:2]
    with torch.no_grad(), seeded(stream(model.seed_, 7)):
        start = network.path.draw_start(n_samples * n_trials)
        parts = [] if tensors.inputs is None else [tensors.inputs.repeat(n_samples, 1, 1)]
        if network.inferred is not None:
            parts.append(network.inferred.draw_prior(n_samples * n_trials, n_bins))
        inputs = torch.cat(parts, -1) if parts else None
        states = network.path.rollout(start, n_bins, inputs, noise=network.noise_factor)
    return states.reshape(n_samples, n_trials, n_bins, -1).numpy()
