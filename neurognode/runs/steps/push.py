"""Push: what a perturbation would do in a fitted run."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.hypotheses.evidence import members_of
from neurognode.interpret.fitted import Evidence, readout_metric, with_noise
from neurognode.interpret.pushes import PushedRates, push_evidence
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.steps.interpret import member_states, noise_scale_of


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
    width = float(model.bin_size_)
    horizon = float(np.median(np.isfinite(states).all(2).sum(1))) * width
    metric = readout_metric(model.readout_, int(model.field_.latent_dim))
    found = Evidence(model.field_, model.diffusion_, states, width, horizon, metric, None)
    found = with_noise(found, noise_scale_of(run, reference))
    with logging_to(run.path / "log.txt") as log:
        answer = push_evidence(model, found, times=run.latents["time"].values.astype(float), **options)
        answer.save(run.path / "push.nc")
        log.info("%s", str(answer).splitlines()[0])
    return answer
