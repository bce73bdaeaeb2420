"""Push: what a perturbation would do in a fitted run."""

from __future__ import annotations

from typing import Any

from neurognode.hypotheses.evidence import members_of
from neurognode.interpret.pushes import PushedRates, push_evidence
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.steps.interpret import member_evidence, member_states


def push_run(run: Run, **options: Any) -> PushedRates:
    """Push the reference member's states and keep the predicted response as ``push.nc``.

    Parameters
    ----------
    run : Run
        A fitted run; the recording is not needed.
    **options
        Of `neurognode.interpret.push_model`, such as ``push``, ``size``, ``at`` and ``units``.
    """
    reference = int(run.status.get("reference", 0))
    model, states = members_of(run.fits)[reference], member_states(run)[reference]
    found = member_evidence(run, reference, model, states)
    with logging_to(run.path / "log.txt") as log:
        answer = push_evidence(model, found, times=run.latents["time"].values.astype(float), **options)
        answer.save(run.path / "push.nc")
        log.info("%s", str(answer).splitlines()[0])
    return answer
