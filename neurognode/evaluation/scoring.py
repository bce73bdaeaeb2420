"""Scores of a fitted model on trials that were not fitted, beside baselines on the same units and trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.evaluation.decode import decode_behavior, decode_condition
from neurognode.evaluation.forward import forecast_bits
from neurognode.evaluation.smoothing import baselines
from neurognode.evaluation.splits import held_out_units
from neurognode.metrics import bits_per_spike, mean_counts, paired_gain, psth_r2, r2

OURS = "this model"


def evaluate(
    model: Any,
    train: xr.Dataset,
    test: xr.Dataset,
    *,
    condition: str | None = None,
    truth: xr.Dataset | None = None,
    forecast: float | None = None,
    decode: bool = True,
    random_state: int | np.random.Generator | None = 0,
) -> dict[str, Any]:
    """Score a fitted model on test trials, beside what knows nothing of dynamics.

    Counts are scored in bits per spike against each unit's mean count over the *train* trials; if the
    model's encoder was kept from some units (`encode_units`), only those are scored (co-smoothing), otherwise
    the encoder has seen what it is scored on, and a note says so. Other signals are scored by R2.

    Parameters
    ----------
    model : estimator
        Fitted on `train`: `LatentDynamics`, `Ensemble`, or anything with `predict` and `transform`.
    train, test : Trials
        Of the same units.
    condition : str, optional
        Trial column: condition averages are scored, and it is decoded from the latents over time.
    truth : xarray.Dataset, optional
        True ``rates`` (spikes/s) and ``latents`` of the test trials, for simulated recordings.
    forecast : float, optional
        Seconds at the end of each trial to predict from the part before them.
    decode : bool
        Decode the condition and the trials' behaviour from the latents.
    random_state : int, Generator or None
        For the bootstrap over trials and the folds of the decoders.

    Returns
    -------
    dict
        JSON-able. ``names``: column -> heading. ``table``: one dict a method, ours marked ``ours``.
        ``gain``: paired gain over the smoothing baseline with a 95 % interval. ``measures``: further
        numbers with notes. ``decoding``: accuracy over time. ``note``, ``notes``: what to know.

    Examples
    --------
    >>> from neurognode.evaluation import evaluate
    >>> from neurognode.models import LatentGNODE
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> trials = simulate_recording(circuits.make("ring"), n_units=20, n_trials=30).trials()
    >>> train, test = trials.isel(trial=slice(20)), trials.isel(trial=slice(20, 30))
    >>> model = LatentGNODE(2, encode_units=range(15), max_steps=2, progress=False).fit(train)
    >>> scores = evaluate(model, train, test)
    >>> [row["method"] for row in scores["table"]]
    ['this model', 'smoothing + GLM', 'PSTH', 'mean rate']
    """
    schema.validate(train)
    schema.validate(test)
    predicted = model.predict(test)
    if "counts" in test:
        scores = _score_counts(model, train, test, predicted, condition, random_state)
        if forecast:
            scores["measures"] += _forecast(model, train, test, forecast)
    else:
        scores = _score_signal(train, test, predicted)
    latents = model.transform(test)
    if truth is not None:
        scores["measures"] += _against_truth(predicted, latents, truth)
    if decode:
        _decode(scores, latents, test, condition, random_state)
    return scores


def _score_counts(
    model: Any,
    train: xr.Dataset,
    test: xr.Dataset,
    predicted: xr.DataArray,
    condition: str | None,
    random_state: int | np.random.Generator | None,
) -> dict[str, Any]:
    encode_units = getattr(getattr(model, "model", model), "encode_units", None)
    hidden = held_out_units(test, encode_units)
    scored = hidden if hidden.any() else ~hidden
    counts, mask = schema.filled(test)
    counts = counts[..., scored]
    rates = predicted.sel(unit=test["unit"].values[scored]).values * float(test.attrs["bin_size"])
    mask = mask[..., scored] & np.isfinite(rates)
    null = mean_counts(*schema.filled(train))[scored]
    others = baselines(train, test, encode_units=encode_units, condition=condition)
    methods = {OURS: rates, **dict(reversed(others.items()))}
    key, heading = (
        ("co_bps", "co-smoothing (bits/spike)") if hidden.any() else ("bits_per_spike", "bits/spike")
    )
    names = {key: heading}
    table = []
    for method, values in methods.items():
        values = np.where(mask, values, 0)
        row: dict[str, Any] = {"method": method, "ours": method == OURS}
        row[key] = bits_per_spike(values, counts, null, mask)
        row[f"{key}_error"] = _standard_error(values, counts, null, mask, random_state)
        if condition is not None:
            row["psth_r2"] = psth_r2(values, counts, test[condition].values, observed=mask, smooth=2.0)
        table.append(row)
    if condition is not None:
        names["psth_r2"] = f"R² of averages by {condition}"
    gain, low, high = paired_gain(
        np.where(mask, rates, 0), others["smoothing + GLM"], counts, mask, random_state=random_state
    )
    return {
        "names": names,
        "table": table,
        "gain": {"over": "smoothing + GLM", "value": gain, "low": low, "high": high, "n_trials": len(counts)},
        "held_out_units": np.flatnonzero(hidden).tolist(),
        "measures": [
            {
                "name": "gain over smoothing + GLM (bits/spike)",
                "value": gain,
                "note": f"95 % interval {low:.3f} to {high:.3f}, paired over {len(counts)} test trials",
            },
            {
                "name": f"{heading}, null from the test trials themselves",
                "value": bits_per_spike(np.where(mask, rates, 0), counts, None, mask),
                "note": "as the Neural Latents Benchmark defines it",
            },
        ],
        "note": "± is the standard error over test trials (bootstrap). Null: mean rates of the train trials.",
        "notes": [] if hidden.any() else [SEEN],
    }


SEEN = (
    "No units were held out: the encoder has seen the very counts it is scored on, so bits/spike rewards "
    "following noise. Hold units out (encode_units) for an honest score."
)


def _score_signal(train: xr.Dataset, test: xr.Dataset, predicted: xr.DataArray) -> dict[str, Any]:
    values, mask = schema.filled(test)
    own, own_mask = schema.filled(train)
    mean = mean_counts(own, own_mask)
    keep = mask & np.isfinite(predicted.values)
    truth = np.where(keep, values, np.nan)

    def one(guess: np.ndarray) -> float:
        residual = np.nansum((truth - guess) ** 2)
        return float(1 - residual / max(np.nansum((truth - mean) ** 2), 1e-12))

    average = np.where(own_mask.any(axis=0), (own * own_mask).sum(0) / np.maximum(own_mask.sum(0), 1), mean)
    same = average.shape[0] == truth.shape[1]
    table = [
        {"method": OURS, "ours": True, "r2": one(predicted.values)},
        *([{"method": "average over trials", "ours": False, "r2": one(average)}] if same else []),
        {"method": "mean", "ours": False, "r2": one(np.broadcast_to(mean, truth.shape))},
    ]
    return {
        "names": {"r2": "R² against the train means"},
        "table": table,
        "held_out_units": [],
        "measures": [],
        "note": "",
        "notes": [SEEN.replace("counts", "signal").replace("bits/spike", "R²")],
    }


def _standard_error(
    rates: np.ndarray,
    counts: np.ndarray,
    null: np.ndarray,
    mask: np.ndarray,
    random_state: int | np.random.Generator | None,
) -> float:
    constant = np.broadcast_to(null, counts.shape)
    _, low, high = paired_gain(rates, constant, counts, mask, n_resamples=500, random_state=random_state)
    return (high - low) / 3.92


def _against_truth(predicted: xr.DataArray, latents: xr.DataArray, truth: xr.Dataset) -> list[dict[str, Any]]:
    from neurognode.metrics import latent_r2, state_r2

    found = []
    if "rates" in truth:
        true, ours = truth["rates"].values, predicted.values
        note = "variance weighted over units, no regression"
        found.append({"name": "R² of rates against the truth", "value": r2(true, ours), "note": note})
        logs = [np.log(np.maximum(a, 1e-3)) for a in (true, ours)]
        found.append(
            {"name": "R² of log rates", "value": r2(*logs, average="flat"), "note": "all numbers as one"}
        )
    if "latents" in truth:
        true = truth["latents"].values
        found.append(
            {
                "name": "latent R²",
                "value": latent_r2(latents.values, true),
                "note": "affine, latents to truth",
            }
        )
        found.append(
            {"name": "state R²", "value": state_r2(true, latents.values), "note": "affine, truth to latents"}
        )
    return found


def _forecast(model: Any, train: xr.Dataset, test: xr.Dataset, seconds: float) -> list[dict[str, Any]]:
    value = forecast_bits(model, train, test, seconds)
    note = f"bits/spike of the last {seconds:g} s of each trial, given only what came before"
    return [{"name": "forward prediction", "value": value, "note": note}]


def _decode(
    scores: dict[str, Any],
    latents: xr.DataArray,
    test: xr.Dataset,
    condition: str | None,
    random_state: int | np.random.Generator | None,
) -> None:
    if condition is not None:
        found = decode_condition(latents, test[condition].values, random_state=random_state, column=condition)
        if found is not None:
            scores["decoding"] = found
    if "behavior" in test:
        found = decode_behavior(latents, test["behavior"], random_state=random_state)
        scores["measures"] += [
            {
                "name": f"{name} decoded from latents, R²",
                "value": value,
                "note": "ridge, cross-validated by trial",
            }
            for name, value in found.items()
        ]
