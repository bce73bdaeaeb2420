"""Evaluate: scores of a run on its test trials, beside baselines."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError
from neurognode.evaluation import decode_condition, evaluate
from neurognode.evaluation.signals import signal_r2, smoothing_ridge
from neurognode.metrics import bits_per_spike, mean_counts
from neurognode.runs.decoding import against_truth, behavior_r2, phase_against_angles
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.partition import Partition
from neurognode.runs.prepare import cut
from neurognode.runs.steps.autonomy import agreed, autonomy, preset_of
from neurognode.runs.steps.autonomy import other_preset as other_preset_score
from neurognode.trials import filled

TRUTH_NAMES = {
    "latent_r2": "true latents from inferred ones (R²)",
    "state_r2": "inferred latents from true ones (R²)",
    "rate_r2": "true rates (R²)",
    "log_rate_r2": "logarithm of true rates (R²)",
}


def evaluate_run(
    run: Run, *, recording: str | os.PathLike[str] | None = None, other_preset: bool = False
) -> dict[str, Any]:
    """Score a run on its test trials (on all trials if none were kept) and write ``metrics.json``.

    Parameters
    ----------
    run : Run
        A fitted run.
    recording : path, optional
        Where the recording is now.
    other_preset : bool
        Fit the other preset once, too, and score it. Once known, its score is kept.

    Returns
    -------
    dict
        As `neurognode.evaluation.evaluate` gives it, with single members, behaviour decoded from latents and,
        for simulations, the truth.
    """
    opened = run.recording(recording)
    trials = cut(opened, run.config.alignment)
    parts = Partition.from_json(run.read_json("split.json"), trials)
    with logging_to(run.path / "log.txt") as log:
        metrics = _metrics(run, opened, trials, parts)
        metrics["measures"] += _other(run, trials, parts, other_preset)
        run.write_json("metrics.json", metrics)
        log.info("scores: %s", {k: v for k, v in metrics["table"][0].items() if k != "method"})
    return run.metrics


def _metrics(run: Run, opened: Any, trials: xr.Dataset, parts: Partition) -> dict[str, Any]:
    fits, train = run.fits, parts.train(trials)
    kept = parts.test(trials)
    test = train if kept is None else kept
    condition = condition_of(run, trials)
    is_counts = trials.attrs["activity_kind"] == "counts"
    scores = evaluate if is_counts else _signal_scores
    metrics = scores(fits, train, test, condition=condition, decode=False)
    metrics["table"][0]["method"] = f"this fit{_averaged(fits)}"
    if hasattr(fits, "members_") and len(fits.members_) > 1:
        metrics["table"].insert(1, _members(fits, train, test, parts.is_held_out, is_counts))
    metrics["held_out_units"] = trials["unit"].values[parts.is_held_out]
    metrics["lead"] = _lead(parts, is_counts)
    if kept is None:
        metrics["notes"].insert(0, "No trials were kept for testing: these scores are of the fitted trials.")
    latents = run.latents["latents"]
    metrics["measures"] += autonomy(fits, test) + agreed(fits, test)
    metrics["measures"] += _behavior(latents, trials, parts)
    metrics["measures"] += _phases(latents, trials)
    metrics["measures"] += _truth(opened, latents, fits.predict(trials), parts.is_test)
    unseen = None if kept is None else parts.is_test
    decoded = None
    if condition:
        decoded = decode_condition(latents, trials[condition].values, is_test=unseen, column=condition)
    if decoded is not None:
        metrics["decoding"] = decoded
    return metrics


def _other(run: Run, trials: xr.Dataset, parts: Partition, wanted: bool) -> list[dict[str, Any]]:
    """The other preset's score: fitted now if that is wanted, else what an earlier evaluation found."""
    if wanted:
        train, kept = parts.train(trials), parts.test(trials)
        return [other_preset_score(run.fits, train, train if kept is None else kept)]
    found = [measure for measure in run.metrics.get("measures", []) if "preset" in measure]
    if found:
        return found
    note = "not fitted; neurognode evaluate RUN --other-preset does that and shows it here"
    other = "dynamics" if preset_of(run.fits) == "denoise" else "denoise"
    return [{"name": f"score of the preset {other}", "value": None, "note": note}]


def condition_of(run: Run, trials: xr.Dataset) -> str | None:
    """The trial column that groups trials: the one asked for, else ``condition`` where there is one."""
    column = run.config.condition or "condition"
    return column if column in trials.coords and trials[column].dims == ("trial",) else None


def _averaged(fits: Any) -> str:
    n_members = len(getattr(fits, "members_", [fits]))
    return f" ({n_members} members averaged)" if n_members > 1 else ""


def _members(
    fits: Any, train: xr.Dataset, test: xr.Dataset, held_out: np.ndarray, is_counts: bool
) -> dict[str, Any]:
    """Mean score of single members, and its standard deviation over them."""
    units = held_out if held_out.any() else ~held_out
    values, mask = filled(test)
    null = mean_counts(*filled(train))
    scores = []
    for member in fits.members_:
        predicted = member.predict(test).values
        if is_counts:
            seen = (mask & np.isfinite(predicted))[..., units]
            expected = np.where(seen, predicted[..., units], 0) * test.attrs["bin_size"]
            scores.append(bits_per_spike(expected, values[..., units], null[units], seen))
        else:
            scores.append(signal_r2(predicted, test, train, units))
    key = (
        ("co_bps" if held_out.any() else "bits_per_spike")
        if is_counts
        else ("co_r2" if held_out.any() else "r2")
    )
    return {
        "method": f"single members (mean ± sd of {len(scores)})",
        "ours": True,
        key: float(np.mean(scores)),
        f"{key}_error": float(np.std(scores, ddof=1)),
    }


def _signal_scores(fits: Any, train: xr.Dataset, test: xr.Dataset, **options: Any) -> dict[str, Any]:
    """Scores of a continuous signal: held-out units by R², beside smoothing with ridge regression."""
    metrics = evaluate(fits, train, test, **options)
    reference = getattr(fits, "reference", fits)
    held_out = ~np.asarray(reference.seen_)
    if not held_out.any():
        return metrics
    metrics["names"] = {"co_r2": "held-out units (R²)", "r2": "all units (R²)"}
    metrics["table"][0]["co_r2"] = signal_r2(fits.predict(test).values, test, train, held_out)
    for row in metrics["table"][1:]:
        row.update({"co_r2": 0.0} if row["method"] == "mean" else {})
    guess = smoothing_ridge(train, test, held_out)
    if guess is not None:
        row = {"method": "smoothing + ridge", "ours": False, "co_r2": signal_r2(guess, test, train, held_out)}
        metrics["table"].insert(1, row)
    metrics["note"] = "R²: share of the variance about the mean of the train trials, all units together."
    metrics["notes"] = []
    return metrics


def _lead(parts: Partition, is_counts: bool) -> str:
    where = f"{int(parts.is_test.sum())} trials that were not fitted" if parts.is_test.any() else "all trials"
    text = f"Scores on {where}; higher is better."
    if parts.is_held_out.any():
        text += (
            f" The encoder never saw the {int(parts.is_held_out.sum())} held-out units, here or in "
            f"training: their "
            f"{'rates' if is_counts else 'signals'} are predicted from the other units (co-smoothing)."
        )
    return text


def _behavior(latents: xr.DataArray, trials: xr.Dataset, parts: Partition) -> list[dict[str, Any]]:
    found = behavior_r2(latents, trials, parts.is_test)
    if found is None:
        return []
    note = f"ridge regression from latents to behaviour {found['lag'] * 1000:.0f} ms later, test trials"
    rows = [{"name": f"{name} (R²)", "value": value, "note": note} for name, value in found["r2"].items()]
    if len(rows) > 1:
        rows.append({"name": "mean over behaviour (R²)", "value": found["mean"], "note": note})
    return rows


def _phases(latents: xr.DataArray, trials: xr.Dataset) -> list[dict[str, Any]]:
    """The phase of the latents against angles of behaviour, if they could turn together."""
    rows = []
    for name, correlations in phase_against_angles(latents, trials).items():
        each = ", ".join(f"{r:+.2f}" for r in correlations[:12])
        note = f"all trials, unwrapped, stretch by stretch: {each}; the sign is free but should be one"
        value = float(np.nanmean(np.abs(correlations)))
        rows.append(
            {"name": f"{name} against the phase of the latents (mean |r|)", "value": value, "note": note}
        )
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
