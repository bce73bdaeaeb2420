"""Evaluate: scores of a run on its test trials, beside baselines."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError
from neurognode.evaluation import baselines
from neurognode.metrics import bits_per_spike, r2
from neurognode.runs.decoding import against_truth, decode_behavior, decode_condition
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.partition import Partition
from neurognode.runs.prepare import cut
from neurognode.trials import observed, signal

COUNT_NAMES = {"co_bps": "held-out units (bits/spike)", "bps": "all units (bits/spike)"}
SIGNAL_NAMES = {"co_r2": "held-out units (R²)", "r2": "all units (R²)"}
BASELINE_NAMES = {
    "mean rate": "mean rate of each unit",
    "PSTH": "average over trials (PSTH)",
    "smoothing + GLM": "smoothing and Poisson regression",
}
TRUTH_NAMES = {
    "latent_r2": "true latents from inferred ones (R²)",
    "state_r2": "inferred latents from true ones (R²)",
    "rate_r2": "true rates (R²)",
    "log_rate_r2": "logarithm of true rates (R²)",
}


def evaluate_run(run: Run, *, recording: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Score a run on its test trials (on all trials if none were kept) and write ``metrics.json``.

    Parameters
    ----------
    run : Run
        A fitted run.
    recording : path, optional
        Where the recording is now.

    Returns
    -------
    dict
        ``names`` of the scores, ``table`` of methods, ``measures``, ``decoding`` over time, ``notes``.
    """
    opened = run.recording(recording)
    trials = cut(opened, run.config.alignment)
    parts = Partition.from_json(run.read_json("split.json"), trials)
    scored = parts.is_test if parts.is_test.any() else np.ones_like(parts.is_test)
    with logging_to(run.path / "log.txt") as log:
        metrics = _metrics(run, opened, trials, parts, scored)
        run.write_json("metrics.json", metrics)
        log.info("scores: %s", {k: v for k, v in metrics["table"][0].items() if k != "method"})
    return run.metrics


def _metrics(
    run: Run, opened: Any, trials: xr.Dataset, parts: Partition, scored: np.ndarray
) -> dict[str, Any]:
    fits = run.fits
    is_counts = trials.attrs["activity_kind"] == "counts"
    rates = fits.predict(trials)
    chosen = trials.isel(trial=np.flatnonzero(scored))
    table = [_row("this fit", rates.values[scored], chosen, parts.is_held_out) | {"ours": True}]
    if hasattr(fits, "members_") and len(fits.members_) > 1:
        table[0]["method"] = f"this fit ({len(fits.members_)} members averaged)"
        table.append(_members(fits, chosen, parts.is_held_out))
    condition = run.config.condition or ("condition" if "condition" in trials.coords else None)
    table += _baselines(trials, parts, condition)
    metrics: dict[str, Any] = {
        "names": COUNT_NAMES if is_counts else SIGNAL_NAMES,
        "table": table,
        "held_out_units": trials["unit"].values[parts.is_held_out],
        "lead": _lead(is_counts, parts),
        "note": _note(is_counts),
        "notes": []
        if parts.is_test.any()
        else ["No trials were kept for testing: these scores are of fitted trials."],
        "measures": [],
    }
    latents = run.latents["latents"]
    metrics["measures"] += _behavior(latents, trials, parts)
    metrics["measures"] += _truth(opened, latents, rates, parts.is_test)
    decoded = decode_condition(latents, trials[condition].values) if condition in trials.coords else None
    if decoded is not None:
        metrics["decoding"] = decoded | {"column": condition, "caption": _decoding_caption(str(condition))}
    return metrics


def _row(method: str, rates: np.ndarray, trials: xr.Dataset, held_out: np.ndarray) -> dict[str, Any]:
    """Scores of rates in spikes/s (or of a predicted signal) on trials."""
    values = signal(trials).values.astype(float)
    mask = observed(trials) & np.isfinite(rates)
    row: dict[str, Any] = {"method": method}
    if trials.attrs["activity_kind"] == "counts":
        expected = rates * trials.attrs["bin_size"]
        row["bps"] = bits_per_spike(expected, values, observed=mask)
        if held_out.any():
            row["co_bps"] = bits_per_spike(
                expected[..., held_out], values[..., held_out], observed=mask[..., held_out]
            )
        return row
    true = np.where(mask, values, np.nan)
    row["r2"] = r2(true, rates)
    if held_out.any():
        row["co_r2"] = r2(true[..., held_out], rates[..., held_out])
    return row


def _members(fits: Any, trials: xr.Dataset, held_out: np.ndarray) -> dict[str, Any]:
    rows = [_row("", member.predict(trials).values, trials, held_out) for member in fits.members_]
    found: dict[str, Any] = {"method": "one member (mean ± sd)", "ours": True}
    for key in rows[0]:
        if key != "method":
            values = np.array([row[key] for row in rows])
            found[key], found[f"{key}_error"] = values.mean(), values.std(ddof=1)
    return found


def _baselines(trials: xr.Dataset, parts: Partition, condition: str | None) -> list[dict[str, Any]]:
    """What has to be beaten: mean rates, condition averages, smoothing with a regression."""
    test = parts.test(trials)
    if test is None or trials.attrs["activity_kind"] != "counts":
        return []
    held_out = parts.is_held_out
    seen = trials["unit"].values[~held_out] if held_out.any() else None
    found = baselines(parts.train(trials), test, encode_units=seen, condition=condition)
    key, units = ("co_bps", held_out) if held_out.any() else ("bps", np.ones_like(held_out))
    values, mask = signal(test).values[..., units], observed(test)[..., units]
    return [
        {"method": BASELINE_NAMES.get(name, name), key: bits_per_spike(rates, values, observed=mask)}
        for name, rates in found.items()
    ]


def _lead(is_counts: bool, parts: Partition) -> str:
    where = f"{int(parts.is_test.sum())} trials that were not fitted" if parts.is_test.any() else "all trials"
    text = f"Scores on {where}, higher is better."
    if parts.is_held_out.any():
        text += (
            f" The encoder never saw the {int(parts.is_held_out.sum())} held-out units, here or in training: "
            "their rates are predicted from the others (co-smoothing)."
        )
    return text


def _note(is_counts: bool) -> str:
    if is_counts:
        return (
            "Bits/spike: gain in log-likelihood over each unit's mean rate, per spike, pooled over units, "
            "as the "
            "Neural Latents Benchmark defines it."
        )
    return "R²: share of the variance of the signal that is predicted, weighted by variance over units."


def _decoding_caption(column: str) -> str:
    return (
        f"How well {column} can be read from the latents at each time: logistic regression, five-fold "
        f"cross-validated "
        "over all trials; the band is one standard error. The fit itself never saw it."
    )


def _behavior(latents: xr.DataArray, trials: xr.Dataset, parts: Partition) -> list[dict[str, Any]]:
    found = decode_behavior(latents, trials, parts.is_test)
    if found is None:
        return []
    note = f"ridge regression from latents to behaviour {found['lag'] * 1000:.0f} ms later, test trials"
    rows = [{"name": f"{name} (R²)", "value": value, "note": note} for name, value in found["r2"].items()]
    if len(rows) > 1:
        rows.append({"name": "mean over behaviour (R²)", "value": found["mean"], "note": note})
    return rows


def _truth(
    opened: Any, latents: xr.DataArray, rates: xr.DataArray, is_test: np.ndarray
) -> list[dict[str, Any]]:
    if opened.contents.aligned is None or not is_test.any():
        return []
    try:
        truth = opened.truth()
    except RecordingError:
        return []
    if truth.sizes["trial"] != len(is_test) or truth.sizes["time"] != latents.sizes["time"]:
        return []
    note = "the simulation's truth, never used for fitting; test trials"
    found = against_truth(latents, rates, truth, is_test)
    return [{"name": TRUTH_NAMES[key], "value": value, "note": note} for key, value in found.items()]
