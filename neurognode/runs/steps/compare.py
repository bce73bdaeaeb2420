"""Compare: the hypotheses, tested on a run."""

from __future__ import annotations

import os
from typing import Any

from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.prepare import cut


def compare_run(run: Run, *, recording: str | os.PathLike[str] | None = None, **options: Any) -> Any:
    """Test the hypotheses on a fitted run and keep the verdicts.

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
    with logging_to(run.path / "log.txt") as log:
        verdicts = compare(fits, trials, **options)
        verdicts.save(run.path / "verdicts.nc")
        for verdict in verdicts:
            log.info("verdict: %s %s", verdict.hypothesis, verdict.status)
    return verdicts
