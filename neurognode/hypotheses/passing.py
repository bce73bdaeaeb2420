"""Trials and their surrogates passed through a fitted encoder: a limited number of trials, many surrogates at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from neurognode.models.data import TrialTensors
from neurognode.models.inference import bits_per_spike, posterior

MOST_TRIALS = 200
"""Surrogates are made of so many trials at most."""
LABELS = ("condition", "choice")
"""Trial columns whose values are kept in proportion where trials are left out."""


def some_trials(trials: xr.Dataset, seed: int, most: int = MOST_TRIALS) -> np.ndarray:
    """Indices of at most `most` trials, drawn in proportion over conditions (or choices) where there are such.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses.passing import some_trials
    >>> side = np.repeat([0, 1], [60, 20])
    >>> trials = make_trials(np.zeros((80, 5, 2), int), bin_size=0.02, columns={"choice": side})
    >>> np.bincount(side[some_trials(trials, 0, 40)]).tolist()
    [30, 10]
    """
    n = trials.sizes["trial"]
    if n <= most:
        return np.arange(n)
    label = next((name for name in LABELS if name in trials.coords and trials[name].dims == ("trial",)), None)
    groups = np.zeros(n, int)
    if label is not None:
        groups = np.unique(trials[label].values.astype(str), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    place = np.empty(n)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        place[own] = (rng.permutation(len(own)) + rng.random()) / len(own)
    return np.sort(np.argsort(place, kind="stable")[:most])


def at_once(trials: xr.Dataset) -> int:
    """How many surrogates of these trials pass through the encoder together."""
    return max(1, 1000 // trials.sizes["trial"])


def passed(model: Any, several: Sequence[xr.Dataset]) -> tuple[list[np.ndarray], np.ndarray]:
    """Latents of several sets of trials of the same size, and how much activity they explain.

    Parameters
    ----------
    model : LatentDynamics
        Fitted.
    several : sequence of Trials
        The trials of a recording, or surrogates of them.

    Returns
    -------
    trajectories : list of arrays (trial, time, N)
        Paths of posterior means; NaN outside trials.
    explained : array (len(several),)
        Bits per spike (or R2), not below zero.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses.passing import passed
    >>> from neurognode.models import LatentDynamics
    >>> trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(20, 30, 8)), bin_size=0.01)
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(trials)
    >>> trajectories, explained = passed(model, [trials, trials])
    >>> trajectories[1].shape, explained.shape
    ((20, 30, 2), (2,))
    """
    recorded = model.sessions_[0]
    parts = [
        recorded.tensors(t, model.input_names_, drift=bool(model.session_drift), session=0) for t in several
    ]
    together = _joined(parts)
    found = posterior(model.network_, together, 0, model.seed_, refine_steps=model.refine_steps)
    counts = model.network_.session(0).likelihood.signal == "counts"
    mean = torch.from_numpy(recorded.mean[recorded.active].astype(np.float64))
    unseen = torch.from_numpy(~recorded.seen[recorded.active])
    scored = unseen if bool(unseen.any()) else torch.ones_like(unseen)
    trajectories, explained, start = [], [], 0
    for part in parts:
        own = slice(start, start + len(part))
        start += len(part)
        inside = _inside(part)
        trajectories.append(np.where(inside[:, :, None], found["states"][own], np.nan).astype(float))
        expected = torch.from_numpy(np.nan_to_num(found["expected"][own]))
        weight = torch.from_numpy(inside[:, :, None].astype(np.float32)) * scored
        weight = weight if part.observed is None else weight * part.observed
        explained.append(_explained(expected, part.values, mean, weight, counts))
    return trajectories, np.maximum(0.0, np.nan_to_num(explained))


def _joined(parts: Sequence[TrialTensors]) -> TrialTensors:
    n_bins = parts[0].values.shape[1]
    masks = [torch.ones_like(p.values) if p.observed is None else p.observed for p in parts]
    lengths = [torch.full((len(p),), n_bins) if p.lengths is None else p.lengths for p in parts]
    return TrialTensors(
        torch.cat([p.values for p in parts]),
        None if all(p.observed is None for p in parts) else torch.cat(masks),
        None if all(p.lengths is None for p in parts) else torch.cat(lengths),
        _cat([p.inputs for p in parts]),
        _cat([p.when for p in parts]),
    )


def _cat(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _inside(part: TrialTensors) -> np.ndarray:
    n_bins = part.values.shape[1]
    if part.lengths is None:
        return np.ones((len(part), n_bins), bool)
    return np.arange(n_bins) < part.lengths.numpy()[:, None]


def _explained(
    expected: torch.Tensor, values: torch.Tensor, mean: torch.Tensor, weight: torch.Tensor, counts: bool
) -> float:
    if counts:
        return bits_per_spike(expected, values, mean.to(values.dtype), weight)
    total = (weight * (values - mean) ** 2).sum()
    return float(1 - (weight * (values - expected) ** 2).sum() / total.clamp_min(1e-12))
