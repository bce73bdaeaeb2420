"""Nulls for all hypotheses: statistics on surrogates that were re-scored or refitted.

An encoder with fitted dynamics pulls the latents of any recording towards the structure it has learned: surrogates of
a ring, passed through a ring's model, still lie on a ring. What they do not do is predict the activity. So every
statistic is weighed by the bits per spike (or R2) that the latents explain of the recording they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from neurognode.hypotheses.base import Hypothesis, View
from neurognode.hypotheses.evidence import trial_columns, view_of
from neurognode.hypotheses.judging import Null
from neurognode.hypotheses.passing import at_once, passed, some_trials
from neurognode.hypotheses.refitting import refit
from neurognode.interpret.fitted import evidence_of, with_noise
from neurognode.surrogates import SURROGATES

Told = Callable[[str, int, int], None]
TOGETHER = 8
"""Surrogates that are fitted in one pass."""


def _explained(model: Any, trials: xr.Dataset) -> float:
    """Bits per spike (or R2) of the trials that the model explains, not below zero."""
    return max(0.0, float(np.nan_to_num(model.score(trials))))


def by_null(hypotheses: Mapping[str, Hypothesis]) -> dict[str, list[str]]:
    """Names of the hypotheses that share each surrogate; those that draw their own null are left out."""
    groups: dict[str, list[str]] = {}
    for name, hypothesis in hypotheses.items():
        if hypothesis.null in SURROGATES and not hypothesis.draws_null:
            groups.setdefault(hypothesis.null, []).append(name)
    return groups


def _seen(view: View, trajectories: np.ndarray, trials: xr.Dataset, inputs: np.ndarray | None) -> View:
    """The same flow with the latents of other trials."""
    return replace(view, trajectories=trajectories, inputs=inputs, columns=trial_columns(trials))


def rescored(
    model: Any,
    view: View,
    trials: xr.Dataset,
    hypotheses: Mapping[str, Hypothesis],
    n: int,
    seed: int,
    told: Told,
) -> dict[str, Null]:
    """Signatures of the data's latents, and of `n` surrogates passed through the same fitted model, weighed.

    Of more than 200 trials, 200 are used, for the data as for the surrogates. Hypotheses that draw their own null (on
    the latents) do so.
    """
    kept = some_trials(trials, seed)
    words = "" if len(kept) == trials.sizes["trial"] else f" on {len(kept)} of {trials.sizes['trial']} trials"
    trials = trials.isel(trial=kept)
    inputs = None if view.inputs is None else view.inputs[kept]
    (own,), (explained,) = passed(model, [trials])
    base = _seen(view, own, trials, inputs)
    nulls = {}
    groups = by_null(hypotheses)
    total, done = n * len(groups), 0
    for surrogate, names in groups.items():
        observed = {name: hypotheses[name].signature(base) * explained for name in names}
        names = [name for name in names if np.isfinite(observed[name])]
        samples: dict[str, list[float]] = {name: [] for name in names}
        for first in range(0, n if names else 0, at_once(trials)):
            numbers = range(first, min(first + at_once(trials), n))
            others = [SURROGATES[surrogate](trials, np.random.default_rng([seed, i])) for i in numbers]
            for other, path, weight in zip(others, *passed(model, others)):
                moved = _seen(view, path, other, inputs)
                for name in names:
                    samples[name].append(hypotheses[name].signature(moved) * weight)
            done += len(others)
            told("re-scored surrogates", done, total)
        for name in names:
            nulls[name] = Null(f"{surrogate}, re-scored{words}", observed[name], np.array(samples[name]))
    for name, hypothesis in hypotheses.items():
        if hypothesis.draws_null:
            sample = hypothesis.null_sample(base, n, np.random.default_rng([seed, 1]))
            nulls[name] = Null(f"{hypothesis.null} of latents{words}", hypothesis.signature(base), sample)
    return nulls


def refitted(
    model: Any,
    view: View,
    trials: xr.Dataset,
    hypotheses: Mapping[str, Hypothesis],
    n: int,
    n_steps: int,
    seed: int,
    told: Told,
) -> dict[str, Null]:
    """The statistic of the fitted flow, and of flows fitted to `n` surrogates from a warm start, weighed.

    Surrogates are of 200 trials at most, and are fitted together, eight at a time.
    """
    kept = some_trials(trials, seed)
    words = f"{n_steps} steps" + (
        "" if len(kept) == trials.sizes["trial"] else f" on {len(kept)} of {trials.sizes['trial']} trials"
    )
    explained = _explained(model, trials)
    trials = trials.isel(trial=kept)
    nulls = {}
    groups = by_null(hypotheses)
    total, done = n * len(groups), 0
    for surrogate, names in groups.items():
        samples: dict[str, list[float]] = {name: [] for name in names}
        for first in range(0, n, TOGETHER):
            numbers = range(first, min(first + TOGETHER, n))
            others = [SURROGATES[surrogate](trials, np.random.default_rng([seed, 2, i])) for i in numbers]
            for other, fit in zip(others, refit(model, others, n_steps, [seed + i for i in numbers])):
                found = with_noise(evidence_of(fit, other, fast=True), view.portrait.noise_scale)
                moved = view_of(found, other, depth="quick")
                weight = _explained(fit, other)
                for name in names:
                    with np.errstate(all="ignore"):
                        samples[name].append(float(hypotheses[name].statistic(moved)) * weight)
                done += 1
                told("refitted surrogates", done, total)
        for name in names:
            observed = float(hypotheses[name].statistic(view)) * explained
            nulls[name] = Null(f"{surrogate}, refitted for {words}", observed, np.array(samples[name]))
    return nulls
