"""Mechanisms: constrained fields fitted to a run's data in place of its own field, and ranked against it."""

from __future__ import annotations

import os
from typing import Any

from neurognode.errors import RecordingError
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.prepare import cut, estimator


def rank_run(run: Run, *, recording: str | os.PathLike[str] | None = None, **options: Any) -> Any:
    """Fit mechanisms with the settings of a run, rank them by held-out activity, and write ``mechanisms.json``.

    Parameters
    ----------
    run : Run
        A fitted run of spike counts; its settings are used, not its weights.
    recording : path, optional
        Where the recording is now.
    **options
        Of `neurognode.hypotheses.rank_mechanisms`.

    Returns
    -------
    Ranking
    """
    from neurognode.hypotheses import rank_mechanisms

    config = run.config.model_copy(deep=True)
    config.model.members = 1
    trials = cut(run.recording(recording), config.alignment)
    if "counts" not in trials:
        raise RecordingError("Mechanisms are ranked by bits per spike, which needs spike counts")
    model = estimator(config, progress=False)
    with logging_to(run.path / "log.txt") as log:
        ranking = rank_mechanisms(trials, model, random_state=config.seed, **options)
        ranking.save(run.path / "mechanisms.json")
        log.info("mechanisms: %s", ranking.sentence())
    return ranking
