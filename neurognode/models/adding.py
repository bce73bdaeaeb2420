"""Adding a recording to a fitted model whose dynamics stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from neurognode.models import data
from neurognode.models.assemble import Shape, make_session
from neurognode.models.checks import check_data
from neurognode.models.fitting import Prepared, arrays, conditions_of, divided, split
from neurognode.models.recorded import Recorded
from neurognode.models.session_alignment import ridge

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


def add_session(
    model: LatentDynamics,
    recording: Any,
    encode_units: Sequence[Any] | None = None,
    like: tuple[Any, int] | None = None,
) -> None:
    """Fit what is one recording's own, with everything that sessions share frozen; see `LatentDynamics.add_session`."""
    trials = data.as_trials(recording, model.bin_size_, model.activity_kind_)
    width = float(trials.attrs["bin_size"])
    if not np.isclose(width, model.bin_size_, rtol=1e-3):
        raise ValueError(f"These trials have bins of {width:g} s; the model has {model.bin_size_:g} s.")
    own = Recorded.of(trials, encode_units)
    check_data(model, trials, own)
    network, index = model.network_, len(model.sessions_)
    tensors = own.tensors(trials, model.input_names_, drift=bool(model.session_drift), session=index)
    shape = Shape(
        int(own.active.sum()),
        len(model.input_names_),
        own.seen[own.active],
        model.bin_size_,
        model.activity_kind_,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed_ + index)
        session = make_session(model, shape, network.path.field.latent_dim, network.shown_width)
    session.likelihood.check(*arrays(tensors), own.units[own.active])
    parts = split(len(tensors), model.validation_fraction, model.seed_)
    training, validation = divided([tensors], [parts])
    session.initialise(*arrays(training[0]))
    network.sessions.append(session)
    if like is not None:
        _align(model, index, training[0], conditions_of(model, trials)[parts[0]], like)
    shared = [p for p in network.parameters() if p.requires_grad]
    try:
        for parameter in shared:
            parameter.requires_grad_(False)
        for parameter in session.parameters():
            parameter.requires_grad_(True)
        network.train()
        alone = copy.copy(model)
        alone.devices = 1
        outcome = Prepared(alone, network, training, validation, model.seed_).train()
    except BaseException:
        del network.sessions[index]
        raise
    finally:
        for parameter in shared:
            parameter.requires_grad_(True)
        network.eval()
    model.sessions_.append(own)
    model.n_added_sessions_ = model.n_added_sessions_ + 1
    model.history_ = [*model.history_, *({"session": index, **entry} for entry in outcome.history)]


def _align(
    model: LatentDynamics,
    index: int,
    tensors: data.TrialTensors,
    labels: np.ndarray,
    like: tuple[Any, int],
) -> None:
    """Start read-in and readout from the regression of condition means on those of a session that was fitted."""
    network, (recording, fitted) = model.network_, like
    trials = data.as_trials(recording, model.bin_size_, model.activity_kind_)
    latents = model.transform(trials, session=fitted)
    assert isinstance(latents, xr.DataArray)
    known = conditions_of(model, trials)
    common = sorted(set(known.tolist()) & set(labels.tolist()), key=str)
    if not common:
        raise ValueError("The added session and the one it is aligned to have no condition in common.")
    drift = bool(model.session_drift)
    old = model.sessions_[fitted].tensors(trials, model.input_names_, drift=drift, session=fitted)
    session, other = network.session(index), network.session(fitted)
    n_bins = min(tensors.values.shape[1], old.values.shape[1])
    with torch.no_grad():
        shown = other.shown(old.batch(torch.arange(len(old))))[:, :n_bins, : network.shown_width].numpy()
    fresh = ((tensors.values - session.centre) / session.spread)[:, :n_bins].numpy()

    def means(values: np.ndarray, of: np.ndarray) -> np.ndarray:
        each = [np.nanmean(values[of == value, :n_bins], 0) for value in common]
        return np.nan_to_num(np.concatenate(each))

    target, states, own = means(shown, known), means(latents.values, known), means(fresh, labels)
    seen = own[:, session.seen.numpy()]
    read_in = ridge(seen - seen.mean(0), target - target.mean(0))
    centred = states - states.mean(0)
    readout = 0.5 * ridge(centred, own - own.mean(0))
    assert session.read_in is not None
    with torch.no_grad():
        session.read_in.weight.copy_(torch.as_tensor(read_in.T))
        session.read_in.bias.copy_(torch.as_tensor(target.mean(0) - seen.mean(0) @ read_in))
        session.readout.weight.copy_(torch.as_tensor(readout.T))
        shift = torch.as_tensor(readout.T @ states.mean(0), dtype=torch.float32)
        session.readout.bias.sub_(shift)
