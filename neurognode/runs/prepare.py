"""From a configuration to an open recording, trials and an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError, one_of
from neurognode.runs.config import Alignment, RunConfig
from neurognode.runs.signature import checked, parameters
from neurognode.trials import observed, signal

OWN = ("encode_units", "random_state", "checkpoint", "resume", "callbacks", "progress")
"""Arguments of the estimator that the run sets itself."""

CONTROLS = {
    "shuffle-units": "shuffle_units",
    "shuffle-time": "shuffle_time",
    "shuffle-trials": "shuffle_trials",
    "shuffle-conditions": "shuffle_conditions",
    "circular-shift": "circular_shift",
    "phase-randomize": "phase_randomize",
}
"""Names of ``--control`` and the surrogate each one is."""


def cut(recording: Any, alignment: Alignment) -> xr.Dataset:
    """Trials of a recording, as the alignment says.

    Raises
    ------
    ValueError, RecordingError
        If the recording has no such event, or nothing to fit in the window.
    """
    verb = recording.chop if alignment.how == "chop" else recording.align
    arguments = checked(verb, alignment.arguments, what="The alignment")
    trials = verb(**arguments)
    check_fittable(trials)
    return trials


def check_fittable(trials: xr.Dataset) -> None:
    """Raise `RecordingError` if there is nothing to fit: one trial, nothing observed, all silent."""
    where = str(trials.attrs.get("source", ""))
    if trials.sizes["trial"] < 2:
        raise RecordingError(
            "Only one trial is left; a fit needs several to learn from and to test on",
            where=where,
            hint="Widen the query, or cut a continuous recording with --chop SECONDS.",
        )
    mask = observed(trials)
    if not mask.any():
        raise RecordingError(
            "Nothing was recorded inside the window", where=where, hint="Move or shorten the window."
        )
    values = np.where(mask, signal(trials).values, 0)
    if not (values != 0).any():
        raise RecordingError(
            "All units are silent in the window", where=where, hint="Check event, window and units."
        )


def controlled(trials: xr.Dataset, control: str | None, seed: int) -> xr.Dataset:
    """Trials with something destroyed on purpose, to see what the same fit makes of nothing.

    Raises
    ------
    ValueError
        If the control is unknown.
    """
    if control is None:
        return trials
    from neurognode import surrogates

    one_of(control, CONTROLS, "control")
    return getattr(surrogates, CONTROLS[control])(trials, random_state=seed)


def model_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `LatentDynamics` with every default written out, for the record.

    Raises
    ------
    ValueError
        For an unknown argument or a wrong type.
    """
    from neurognode.models import LatentDynamics

    return parameters(LatentDynamics, OWN) | checked(LatentDynamics, given, what="The model", skip=OWN)


def estimator(config: RunConfig, **own: Any) -> Any:
    """The unfitted estimator or ensemble of a configuration; `own` is what the run decides itself."""
    from neurognode.models import Ensemble, LatentDynamics

    arguments = checked(LatentDynamics, config.model.arguments, what="The model", skip=OWN)
    model = LatentDynamics(**arguments, random_state=config.seed, **own)
    if config.model.members == 1:
        return model
    return Ensemble(model, n_members=config.model.members, n_jobs=config.model.jobs)


def check_device(device: str) -> None:
    """Raise a ValueError if a GPU is asked for that this machine does not have."""
    import torch

    kind = device.split(":")[0]
    if kind in ("cuda", "gpu") and not torch.cuda.is_available():
        build = "this build of torch has no CUDA" if not torch.backends.cuda.is_built() else "none is visible"
        raise ValueError(f"device={device!r} asks for an NVIDIA GPU, but {build}. Use --device cpu or auto.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "device='mps' asks for an Apple GPU, but none is available. Use --device cpu or auto."
        )
