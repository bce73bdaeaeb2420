"""What a fitted `LatentDynamics` does with trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from neurognode.models import data
from neurognode.models.inference import bits_per_spike, posterior
from neurognode.training.randomness import seeded, stream

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


def prepare(
    model: LatentDynamics, recording: Any, session: int = 0
) -> tuple[xr.Dataset, data.TrialTensors, np.ndarray]:
    """Trials, their tensors for the active units, and which bins lie within a trial (trial, time)."""
    trials = data.as_trials(recording, model.bin_size_, model.activity_kind_)
    width = float(trials.attrs["bin_size"])
    if not np.isclose(width, model.bin_size_, rtol=1e-3):
        raise ValueError(
            f"These trials have bins of {width:g} s; the model was fitted with {model.bin_size_:g} s. "
            f"Align them again with bin_size={model.bin_size_:g}."
        )
    if not 0 <= session < len(model.sessions_):
        raise ValueError(f"session={session} does not exist; the model was fitted to {len(model.sessions_)}.")
    recorded = model.sessions_[session]
    tensors = recorded.tensors(trials, model.input_names_, drift=bool(model.session_drift), session=session)
    n_bins = trials.sizes["time"]
    inside = np.ones((len(tensors), n_bins), bool)
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


def _posterior(
    model: LatentDynamics, tensors: data.TrialTensors, n_samples: int | None = None, *, reduce: bool = True
) -> dict[str, np.ndarray]:
    return posterior(
        model.network_,
        tensors,
        model.n_samples if n_samples is None else n_samples,
        model.seed_,
        reduce=reduce,
        refine_steps=model.refine_steps,
        refine_draws=model.refine_draws,
    )


def transform(model: LatentDynamics, recording: Any, session: int = 0) -> xr.DataArray:
    """Posterior mean latents; see `LatentDynamics.transform`."""
    trials, tensors, inside = prepare(model, recording, session)
    found = _posterior(model, tensors)
    states = np.where(inside[:, :, None], found["states"], np.nan)
    latents = labelled(trials, states, "latent", np.arange(states.shape[2]), "latents")
    if "states_std" in found:
        std = np.where(inside[:, :, None], found["states_std"], np.nan)
        latents = latents.assign_coords(std=(("trial", "time", "latent"), std))
    return latents


def predict(model: LatentDynamics, recording: Any, session: int = 0) -> xr.DataArray:
    """Expected rates or signal; see `LatentDynamics.predict`."""
    trials, tensors, inside = prepare(model, recording, session)
    found = _posterior(model, tensors)
    return _rates(model, trials, np.where(inside[:, :, None], found["expected"], np.nan), session)


def _rates(model: LatentDynamics, trials: xr.Dataset, expected: np.ndarray, session: int) -> xr.DataArray:
    """Put constants in for the units kept out of the fit, turn counts per bin into spikes/s, and label."""
    recorded = model.sessions_[session]
    mean = recorded.mean.astype(np.float32)
    everything = np.broadcast_to(mean, (*expected.shape[:-1], len(mean))).copy()
    everything[..., recorded.active] = expected
    everything[np.isnan(expected[..., 0])] = np.nan
    counts = model.network_.session(session).likelihood.signal == "counts"
    rates = everything / model.bin_size_ if counts else everything
    labels = labelled(trials, rates, "unit", recorded.units, "rates" if counts else "signal")
    labels.attrs["units"] = "spikes/s" if counts else "as recorded"
    return labels


def score(model: LatentDynamics, recording: Any, session: int = 0) -> float:
    """Bits per spike or R²; see `LatentDynamics.score`."""
    trials = data.as_trials(recording, model.bin_size_, model.activity_kind_)
    return score_rates(model, trials, predict(model, trials, session).values, session)


def score_rates(model: LatentDynamics, trials: xr.Dataset, rates: np.ndarray, session: int = 0) -> float:
    """Score rates (trial, time, unit) of the fitted units against what was recorded."""
    recorded = model.sessions_[session]
    values, mask = data.select_units(trials, recorded.units, np.zeros(len(recorded.units), bool))
    unseen = ~recorded.seen & recorded.active
    scored = unseen if unseen.any() else recorded.active
    weight = (mask & np.isfinite(rates))[:, :, scored].astype(np.float32)
    expected = np.nan_to_num(rates)[:, :, scored]
    values, mean = values[:, :, scored], recorded.mean[scored]
    if model.network_.session(session).likelihood.signal == "counts":
        arrays = (expected * model.bin_size_, values, mean, weight)
        return bits_per_spike(*(torch.as_tensor(a, dtype=torch.float64) for a in arrays))
    residual, total = weight * (values - expected) ** 2, weight * (values - mean) ** 2
    return float(1 - residual.sum() / max(total.sum(), 1e-12))


def sample(
    model: LatentDynamics, recording: Any, n_samples: int, what: str, prior: bool, session: int = 0
) -> xr.DataArray:
    """Draws from posterior or prior; see `LatentDynamics.sample`."""
    trials, tensors, inside = prepare(model, recording, session)
    network, recorded = model.network_, model.sessions_[session]
    likelihood = network.session(session).likelihood
    if prior:
        states = _prior_states(model, tensors, n_samples)
    else:
        states = _posterior(model, tensors, n_samples, reduce=False)["states"]
    outside = ~inside[None, :, :, None]
    if what == "latents":
        names = np.arange(states.shape[-1])
        return labelled(trials, np.where(outside, np.nan, states), "latent", names, "latents")
    with torch.no_grad(), seeded(stream(model.seed_, 6)):
        location = network.location(torch.nan_to_num(torch.from_numpy(states)), tensors.when, session)
        if what == "rates":
            expected = np.where(outside, np.nan, likelihood.expected(location).numpy())
            return _rates(model, trials, expected, session)
        drawn = np.where(outside, np.nan, likelihood.sample(location).numpy())
    everything = np.zeros((*drawn.shape[:-1], len(recorded.units)), np.float32)
    everything[..., recorded.active] = drawn
    everything[np.isnan(drawn[..., 0])] = np.nan
    return labelled(trials, everything, "unit", recorded.units, "signal")


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
