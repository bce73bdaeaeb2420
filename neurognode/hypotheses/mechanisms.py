"""Hypotheses tried as models: constrained fields fitted in the same latent model, ranked by held-out activity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from sklearn.base import clone

from neurognode import trials as schema
from neurognode.dynamics.constrained.residual import WithResidual
from neurognode.errors import one_of
from neurognode.evaluation.forward import forecast
from neurognode.hypotheses.ranking import FREE, MECHANISMS, RESIDUAL, Ranking
from neurognode.interpret.fitted import evidence_of
from neurognode.models.presets import setting

SCORES = ("forecast", "co_smoothing")
PLANAR = ("plane", "ring", "limit_cycle", "rotation")
"""Mechanisms that need two latents."""


def rank_mechanisms(
    trials: xr.Dataset,
    model: Any,
    *,
    mechanisms: Sequence[str] | None = None,
    residual: bool | str = "best",
    by: str = "forecast",
    ahead: float = 0.5,
    test_fraction: float = 0.25,
    held_out_fraction: float = 0.25,
    n_bootstrap: int = 2000,
    random_state: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ranking:
    """Fit each mechanism, and the free field, with the same encoder, readout and likelihood.

    Parameters
    ----------
    trials : Trials
        Spike counts.
    model : LatentDynamics
        Settings of all fits; it is cloned, with its ``dynamics`` replaced.
    mechanisms : sequence of str, optional
        Names of fields; all of `MECHANISMS` that fit the model's number of latents by default.
    residual : {"best"} or bool
        Which mechanisms are also fitted with a gated residual: the best one, all, or none.
    by : {"forecast", "co_smoothing"}
        What is scored on the held-out trials: the end of each, predicted by the field alone from its beginning
        and the known inputs; or held-out units, from all bins of the others. Smoothing can do without right
        dynamics, a forecast cannot.
    ahead : float
        Share of a trial that is forecast.
    test_fraction : float
        Share of trials that are held out.
    held_out_fraction : float
        Share of units held out for co-smoothing.
    n_bootstrap : int
        Resamplings of trials behind the intervals.

    Returns
    -------
    Ranking

    Raises
    ------
    ValueError
        If the trials are not spike counts.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses import rank_mechanisms
    >>> from neurognode.models import LatentDynamics
    >>> trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(24, 20, 8)), bin_size=0.02)
    >>> model = LatentDynamics(latent_dim=2, max_steps=3, progress=False, random_state=0)
    >>> len(rank_mechanisms(trials, model, mechanisms=["ring"]).names)
    3
    """
    schema.validate(trials)
    if "counts" not in trials:
        raise ValueError("Mechanisms are ranked by bits per spike, which needs spike counts.")
    one_of(by, SCORES, "by")
    if not 0 < ahead < 1:
        raise ValueError(f"ahead={ahead!r} must lie between 0 and 1: the share of a trial that is forecast.")
    rng = np.random.default_rng(random_state)
    train, test, held_out = _parts(
        trials, test_fraction, held_out_fraction if by == "co_smoothing" else 0.0, rng
    )
    seen = trials["unit"].values[~held_out] if held_out.any() else None
    seconds = ahead * trials.sizes["time"] * float(trials.attrs["bin_size"])
    score = _co_smoothed if by == "co_smoothing" else _forecast
    latent_dim = int(setting(model, "latent_dim"))
    able = [name for name in MECHANISMS if latent_dim > 1 or name not in PLANAR]
    names = list(able if mechanisms is None else mechanisms)
    for name in names:
        one_of(name, able, f"mechanisms (with {latent_dim} latents)")
    fields = [FREE, *names] + ([n + RESIDUAL for n in names] if residual is True else [])
    total = len(fields) + (residual == "best" and bool(names))
    fitted: list[Any] = []
    gains: list[tuple[np.ndarray, np.ndarray]] = []
    while len(fitted) < total:
        if len(fitted) == len(fields):
            fields.append(names[int(np.argmax([g[0].sum() for g in gains[1:]]))] + RESIDUAL)
        name = fields[len(fitted)]
        options = model.dynamics_options if name == FREE else None
        one = clone(model).set_params(dynamics=name, dynamics_options=options, encode_units=seen)
        fitted.append(one.fit(train))
        gains.append(score(one, test, held_out, seconds))
        if progress is not None:
            progress("mechanisms", len(fitted), total)
    shares = np.array([residual_share(one, train) for one in fitted])
    per_trial = np.array([g[0] for g in gains])
    spikes = gains[0][1]
    bits = per_trial.sum(1) / max(spikes.sum(), 1.0)
    order = np.argsort(-bits)
    return Ranking(
        tuple(fields[k] for k in order), bits[order], per_trial[order], spikes, shares[order],
        tuple(fitted[k] for k in order), n_bootstrap, random_state,
    )  # fmt: skip


@torch.no_grad()
def residual_share(model: Any, trials: Any) -> float:
    """Share of the squared flow at a fitted model's states that is its residual's; NaN without a residual.

    Distances are those of the readout's linear part, so that latents that no unit follows do not count.
    """
    field = model.field_
    if not isinstance(field, WithResidual):
        return float("nan")
    found = evidence_of(model, trials)
    finite = np.isfinite(found.trajectories).all(2)
    like = next(field.parameters())
    states = torch.as_tensor(found.trajectories[finite]).to(like)
    inputs = None if found.inputs is None else torch.as_tensor(found.inputs[finite]).to(like)
    metric = torch.eye(int(field.latent_dim)) if found.metric is None else torch.as_tensor(found.metric)
    known, rest = (part(states, inputs) @ metric.to(like).mT for part in (field.known, field.residual))
    return float((rest**2).sum() / ((rest**2).sum() + (known**2).sum()).clamp_min(1e-30))


def _parts(
    trials: xr.Dataset, test_fraction: float, held_out_fraction: float, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset, np.ndarray]:
    order = rng.permutation(trials.sizes["trial"])
    n_test = max(2, round(test_fraction * len(order)))
    held_out = np.zeros(trials.sizes["unit"], bool)
    n_held_out = max(1, round(held_out_fraction * len(held_out))) if held_out_fraction else 0
    held_out[rng.permutation(len(held_out))[:n_held_out]] = True
    return trials.isel(trial=np.sort(order[n_test:])), trials.isel(trial=np.sort(order[:n_test])), held_out


def _co_smoothed(
    model: Any, trials: xr.Dataset, held_out: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gain and spikes of every trial on the held-out units; `seconds` has no part in it."""
    counts, mask = schema.filled(trials)
    expected = np.asarray(model.predict(trials).values, float) * float(trials.attrs["bin_size"])
    return _gain(model, expected[..., held_out], counts[..., held_out], mask[..., held_out], held_out)


def _forecast(
    model: Any, trials: xr.Dataset, held_out: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gain and spikes of every trial in its last `seconds`; the field is run forward from what came before."""
    counts, mask = schema.filled(trials)
    expected = forecast(model, trials, seconds)
    last = slice(counts.shape[1] - expected.shape[1], None)
    return _gain(model, expected, counts[:, last], mask[:, last], np.ones(len(held_out), bool))


def _gain(
    model: Any, expected: np.ndarray, counts: np.ndarray, mask: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood gain of each trial over the training means, in bits, and its spikes."""
    mean = np.maximum(np.asarray(model.mean_, float), 1e-9)[units]
    seen = mask & np.isfinite(expected)
    expected = np.maximum(np.nan_to_num(expected), 1e-9)
    gain = counts * np.log(expected / mean) - (expected - mean)
    bits = np.where(seen, gain, 0.0).sum((1, 2)) / np.log(2)
    return bits, np.where(seen, counts, 0).sum((1, 2)).astype(float)
