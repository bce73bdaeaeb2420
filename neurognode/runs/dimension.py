"""How score and agreement move with the number of latents over a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurognode.metrics import mutual_r2

if TYPE_CHECKING:
    from neurognode.runs.sweep import Sweep

ROWS = 20_000
"""Bins that are compared at most."""


def by_latent_dim(sweep: Sweep) -> list[dict[str, float]]:
    """One row for each latent_dim of the finished trials, the smallest first; empty if it was not varied.

    Returns
    -------
    list of dict
        ``latent_dim``, ``fits``, ``score`` (mean over fits), ``error`` (its standard error) and ``agreement``: how
        well the latents of one fit follow from those of another with as many (R²), NaN for a single fit. The score
        may go on rising with latents that agreement shows to be invented.
    """
    groups: dict[int, list[int]] = {}
    finished = sweep.finished
    for index, trial in enumerate(finished):
        if "latent_dim" in trial.params:
            groups.setdefault(int(trial.params["latent_dim"]), []).append(index)
    rows = []
    for dim in sorted(groups):
        trials = [finished[index] for index in groups[dim]]
        scores = np.array([trial.score for trial in trials])
        error = float(scores.std(ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else float("nan")
        states = [found for trial in trials if (found := _states(sweep, trial)) is not None]
        agreement = mutual_r2(states) if len(states) > 1 else float("nan")
        rows.append({"latent_dim": dim, "fits": len(trials), "score": float(scores.mean()), "error": error,
                     "agreement": agreement})  # fmt: skip
    return rows


def _states(sweep: Sweep, trial: object) -> np.ndarray | None:
    """Latents (bin, N) of one finished trial, an even sample if there are many."""
    from neurognode.runs.folder import load_run

    stored = load_run(sweep.folder(trial)).latents  # type: ignore[arg-type]
    if stored is None:
        return None
    states = stored["latents"].values
    states = states.reshape(-1, states.shape[-1])
    return states[:: max(1, len(states) // ROWS)]
