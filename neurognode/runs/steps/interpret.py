"""Interpret: the portrait of every member's flow, and how far the members agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurognode.hypotheses.evidence import members_of
from neurognode.interpret import Portrait
from neurognode.interpret.agreements import agreement
from neurognode.interpret.fitted import Evidence, portrait_from, readout_metric, with_noise
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to


def interpret_run(
    run: Run,
    *,
    inputs: Any = None,
    random_state: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Portrait:
    """Draw the portrait of every member over the latents of all trials, and keep them.

    Parameters
    ----------
    run : Run
        A fitted run; the recording is not needed.
    inputs : array of shape (I,), optional
        Constant input under which to look; zero by default.
    random_state : int
        Chooses starts.
    progress : callable, optional
        Called as ``progress("portraits", done, total)``.

    Returns
    -------
    Portrait
        Of the reference member.
    """
    fits, states = run.fits, member_states(run)
    members, reference = members_of(fits), int(run.status.get("reference", 0))
    pictures = []
    with logging_to(run.path / "log.txt") as log:
        for k, (member, own) in enumerate(zip(members, states)):
            found = member_evidence(run, k, member, own)
            pictures.append(portrait_from(found, inputs=inputs, random_state=random_state))
            if progress is not None:
                progress("portraits", k + 1, len(members))
        for k, picture in enumerate(pictures):
            picture.save(member_portrait(run, k))
        pictures[reference].save(run.path / "portrait.nc")
        if len(members) > 1:
            run.write_json("agreement.json", _agreement(pictures, members, states, reference))
        log.info("portraits of %d members", len(members))
    return pictures[reference]


def member_portrait(run: Run, member: int) -> Path:
    """Where the portrait of one member is kept."""
    return run.path / "portraits" / f"member-{member}.nc"


def member_states(run: Run) -> np.ndarray:
    """Latents of every member in its own space, (member, trial, time, N); NaN outside trials."""
    stored = run.latents
    if "member_latents" in stored:
        return stored["member_latents"].values.astype(float)
    return stored["latents"].values[None].astype(float)


def member_evidence(run: Run, k: int, member: Any, states: np.ndarray) -> Evidence:
    """What a portrait of member `k` needs, from what the fit left; the recording is not needed."""
    width = float(member.bin_size_)
    horizon = float(np.median(np.isfinite(states).all(2).sum(1))) * width
    metric = readout_metric(member.readout_, int(member.field_.latent_dim))
    found = Evidence(member.field_, member.diffusion_, states, width, horizon, metric, None)
    scales = run.status.get("noise_scale", [])
    return with_noise(found, float(scales[k]) if k < len(scales) else 1.0)


def _agreement(
    pictures: list[Portrait], members: list[Any], states: np.ndarray, reference: int
) -> dict[str, Any]:
    """What the members share, ready for JSON; a reason where it cannot be told."""
    try:
        found = agreement(pictures, [m.field_ for m in members], list(states), reference=reference)
    except (ValueError, np.linalg.LinAlgError) as error:
        return {"members": len(members), "note": str(error)}
    return {
        "members": len(members),
        "field_cosine": found.field_cosine,
        "state_r2": found.state_r2,
        "cosine": found.cosine,
        "slope": found.slope,
        "fixed_points": found.to_frame().to_dict("records"),
    }
