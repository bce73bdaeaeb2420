"""Setting up a fit to trials that stay in their file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurognode import trials as schema
from neurognode.models import data
from neurognode.models.assemble import Shape, make_network
from neurognode.models.checks import check_data, check_settings
from neurognode.models.fitting import Prepared, arrays, split
from neurognode.models.recorded import Recorded, seen_units
from neurognode.models.stored import StoredTensors, StoredTrials
from neurognode.training import Outcome
from neurognode.training.randomness import as_seed

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics

IN_MEMORY = 256
"""Trials that are in memory together: to look at all of them, to set scales, and to choose the checkpoint."""


def prepare_stored(model: LatentDynamics, stored: StoredTrials) -> Prepared:
    """As `prepare`, for one session in a file: it is looked at piece by piece, scales come from some of the trials."""
    check_settings(model)
    seed = as_seed(model.random_state)
    own = _recorded(model, stored)
    check_data(model, stored.take([0]), own, missing=False)
    names = stored.input_names if model.use_inputs else []
    shape = Shape(int(own.active.sum()), len(names), own.seen[own.active], stored.bin_size, stored.kind)
    network = make_network(model, [shape], seed)
    drift = bool(model.session_drift)
    likelihood = network.session().likelihood
    for piece in stored.pieces(IN_MEMORY):
        likelihood.check(*arrays(own.tensors(piece, names, drift=drift, session=0)), own.units[own.active])
    train, kept = split(len(stored), model.validation_fraction, seed)
    some = np.sort(np.random.default_rng([seed, 9]).permutation(train)[:IN_MEMORY])
    network.session().initialise(*arrays(_tensors(own, stored, names, drift, some)))
    validation = [_tensors(own, stored, names, drift, kept[:IN_MEMORY])] if len(kept) else []
    model.network_, model.seed_, model.sessions_ = network, seed, [own]
    model.n_features_in_, model.n_added_sessions_ = len(own.units), 0
    model.input_names_, model.bin_size_, model.activity_kind_ = names, stored.bin_size, stored.kind
    found = Prepared(model, network, [StoredTensors(stored, own, names, drift, train)], validation, seed)
    found.keep(Outcome(stopped="failed"))
    return found


def _tensors(
    own: Recorded, stored: StoredTrials, names: list[str], drift: bool, indices: np.ndarray
) -> data.TrialTensors:
    return own.tensors(stored.take(indices), names, drift=drift, session=0)


def _recorded(model: LatentDynamics, stored: StoredTrials) -> Recorded:
    """What `Recorded.of` would find in all trials, from one pass over the file."""
    low, high, total, seen, spans, bad = [], [], [], [], [], []
    for piece in stored.pieces(IN_MEMORY):
        values, mask = schema.filled(piece)
        low.append(np.where(mask, values, np.inf).min(axis=(0, 1)))
        high.append(np.where(mask, values, -np.inf).max(axis=(0, 1)))
        total.append(np.where(mask, values, 0).sum(axis=(0, 1), dtype=float))
        seen.append(mask.sum(axis=(0, 1)))
        bad.append(schema.not_finite(piece))
        spans.append(Recorded.of(piece.isel(unit=[0]), None).span)
    data.warn_missing(stored.units, np.sum(bad, 0))
    events, bins = np.sum(total, 0), np.sum(seen, 0)
    return Recorded(
        stored.units,
        np.max(high, 0) > np.min(low, 0),
        seen_units(model.encode_units, stored.units),
        np.where(events == 0, 0.5, events) / np.maximum(bins, 1),
        (min(first for first, _ in spans), max(last for _, last in spans)),
    )
