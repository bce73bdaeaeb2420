"""Interpret: the portrait of every member's flow, and how far the members agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurognode.hypotheses.evidence import members_of
from neurognode.interpret import Portrait, portrait
from neurognode.interpret.agreements import agreement
from neurognode.interpret.fitted import readout_metric
from neurognode.models.noise_level import scaled
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
            pictures.append(_portrait(member, own, inputs, noise_scale_of(run, k), random_state))
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


def noise_scale_of(run: Run, member: int) -> float:
    """Factor on a member's process noise that makes the training trials likeliest, as the fit left it."""
    kept = run.status.get("noise_scale", [])
    return float(kept[member]) if member < len(kept) else 1.0


def _portrait(member: Any, states: np.ndarray, inputs: Any, factor: float, random_state: int) -> Portrait:
    width, noise = float(member.bin_size_), member.diffusion_
    picture = portrait(
        member.field_,
        states,
        inputs=inputs,
        diffusion=None if noise is None else scaled(noise, factor),
        horizon=float(np.median(np.isfinite(states).all(2).sum(1))) * width,
        bin_size=width,
        metric=readout_metric(member.readout_, int(member.field_.latent_dim)),
        random_state=random_state,
    )
    return dataclasses.replace(picture, noise_scale=factor)


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
