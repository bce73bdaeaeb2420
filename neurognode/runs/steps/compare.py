"""Compare: the hypotheses, tested on a run."""

from __future__ import annotations

import os
from typing import Any

import xarray as xr

from neurognode.hypotheses.base import View
from neurognode.hypotheses.evidence import members_of, trial_columns
from neurognode.interpret import Flow, Portrait
from neurognode.interpret.fitted import evidence_of
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.prepare import cut
from neurognode.runs.steps.interpret import interpret_run, member_portrait


def compare_run(run: Run, *, recording: str | os.PathLike[str] | None = None, **options: Any) -> Any:
    """Test the hypotheses on a fitted run and keep the verdicts; portraits are drawn if they are not there yet.

    Parameters
    ----------
    run : Run
        A fitted run.
    recording : path, optional
        Where the recording is now.
    **options
        Of `neurognode.hypotheses.compare`.

    Returns
    -------
    Verdicts
    """
    from neurognode.hypotheses import compare

    trials = cut(run.recording(recording), run.config.alignment)
    fits = run.fits
    if not all(member_portrait(run, k).is_file() for k in range(len(members_of(fits)))):
        interpret_run(run, progress=options.get("progress"))
    with logging_to(run.path / "log.txt") as log:
        verdicts = compare(fits, trials, views=_views(run, fits, trials), **options)
        verdicts.save(run.path / "verdicts.nc")
        for verdict in verdicts:
            log.info("verdict: %s %s", verdict.hypothesis, verdict.status)
    return verdicts


def _views(run: Run, fits: Any, trials: xr.Dataset) -> list[View]:
    """What the hypotheses look at, from the portraits kept in the run."""
    views = []
    for k, member in enumerate(members_of(fits)):
        found = evidence_of(member, trials)
        picture = Portrait.load(member_portrait(run, k))
        columns = trial_columns(trials)
        views.append(
            View(picture, Flow(found.field), found.trajectories, found.bin_size, found.inputs, columns)
        )
    return views
