"""Interpret: the portrait of a run's flow, and how far the members' portraits agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to


def interpret_run(run: Run, *, inputs: Any = None, random_state: int | None = 0) -> Any:
    """Draw the portrait of the reference member's field over the latents of all trials, and keep it.

    Parameters
    ----------
    run : Run
        A fitted run; the recording is not needed.
    inputs : array of shape (I,), optional
        Constant input under which to look; zero by default.

    Returns
    -------
    Portrait
    """
    from neurognode.interpret import portrait

    fits, states = run.fits, reference_states(run)
    with logging_to(run.path / "log.txt") as log:
        readout = getattr(fits.readout_, "weight", None)
        found = portrait(
            fits.field_,
            states,
            inputs=inputs,
            diffusion=fits.diffusion_,
            bin_size=fits_bin_size(fits),
            metric=None if readout is None else np.asarray(readout.detach().cpu().double()),
            random_state=random_state,
        )
        found.save(run.path / "portrait.nc")
        log.info("portrait: %d fixed points", len(found.fixed_points))
    return found


def reference_states(run: Run) -> np.ndarray:
    """Latents of the reference member in its own space, (trial, time, N)."""
    stored = run.latents
    if "member_latents" in stored:
        return stored["member_latents"].values[int(run.status["reference"])].astype(float)
    return stored["latents"].values.astype(float)


def fits_bin_size(fits: Any) -> float:
    """Bin size (s) of a fitted estimator or ensemble."""
    return float(getattr(fits, "reference", fits).bin_size_)
