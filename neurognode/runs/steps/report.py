"""Report: one HTML page about a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode.models.data import said_missing
from neurognode.report import Content, build
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.partition import Partition
from neurognode.runs.prepare import cut
from neurognode.runs.steps.evaluate import condition_of
from neurognode.trials import not_finite


def report_run(
    run: Run,
    *,
    recording: str | os.PathLike[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    planted: Sequence[tuple[str, str, str]] = (),
) -> Path:
    """Write the report of a run, with whatever steps have been done so far.

    Parameters
    ----------
    run : Run
        A fitted run.
    recording : path, optional
        Where the recording is now.
    path : path, optional
        Where to write; ``report.html`` in the run folder by default.
    planted : sequence of (name, planted, found)
        For simulated recordings.

    Returns
    -------
    Path
        The page.
    """
    target = Path(path) if path is not None else run.path / "report.html"
    trials = cut(run.recording(recording), run.config.alignment)
    content = gather(run, trials)
    content.planted = planted
    with logging_to(run.path / "log.txt") as log:
        build(content).save(target)
        log.info("report written to %s", target)
    return target


def gather(run: Run, trials: xr.Dataset) -> Content:
    """Everything the report shows, from a run and its trials."""
    config, fits = run.config, run.fits
    parts = Partition.from_json(run.read_json("split.json"), trials)
    condition = condition_of(run, trials)
    return Content(
        title=_title(run),
        lead=_lead(run, trials, parts),
        trials=trials,
        latents=run.latents["latents"],
        rates=fits.predict(trials),
        is_test=parts.is_test,
        model=fits,
        metrics=run.metrics,
        history=run.history,
        portrait=run.portrait,
        agreement=run.read_json("agreement.json"),
        verdicts=run.verdicts,
        condition=condition,
        command=config.command,
        config=config.to_yaml(),
        provenance=config.provenance,
        limits=_limits(run, fits, trials),
    )


def _title(run: Run) -> str:
    return f"{Path(run.config.recording.path).name}: latent dynamics"


def _lead(run: Run, trials: xr.Dataset, parts: Partition) -> str:
    config = run.config
    arguments = config.model.arguments
    reference = getattr(run.fits, "reference", run.fits)
    n_latents = reference.field_.latent_dim
    kind = {"gnode": "a gated neural ODE", "node": "a neural ODE"}.get(
        arguments.get("dynamics", "gnode"), f"the field {arguments.get('dynamics')!r}"
    )
    members = (
        f", {config.model.members} members that differ in seed" if config.model.members > 1 else ", one fit"
    )
    event = config.alignment.arguments.get("event")
    cut_at = (
        f"aligned to {event}" if event else "cut as stored" if config.alignment.how != "chop" else "chopped"
    )
    offset = config.alignment.arguments.get("offset")
    cut_at += f" {offset:+g} s" if offset else ""
    text = (
        f"{kind[0].upper()}{kind[1:]} with {n_latents} latents{members}, fitted to "
        f"{int((~parts.is_test).sum())} trials of {trials.sizes['unit']} units, {cut_at}, in bins of "
        f"{trials.attrs['bin_size'] * 1000:g} ms. {int(parts.is_test.sum())} trials were kept for testing"
    )
    held = int(parts.is_held_out.sum())
    text += f" and {held} units were hidden from the encoder." if held else "."
    if config.control:
        text += f" Control: the training trials were destroyed by {config.control}."
    return text


def _limits(run: Run, fits: Any, trials: xr.Dataset) -> list[str]:
    said = []
    if run.config.model.members < 3:
        said.append(
            "With fewer than three members, agreement between fits cannot be checked, so no verdict is "
            "better than "
            "“cannot tell”. Fit again with --members 5."
        )
    if not run.is_finished:
        said.append("The fit was interrupted; the weights are the best reached until then.")
    reference = getattr(fits, "reference", fits)
    if not np.asarray(reference.active_).all():
        count = int((~np.asarray(reference.active_)).sum())
        said.append(f"{count} units never change in the training trials and were kept out of the fit.")
    missing = said_missing(trials["unit"].values, not_finite(trials))
    said += [missing] if missing else []
    if reference.field_.input_dim > len(reference.input_names_):
        said.append(
            "Inputs were inferred from the recording itself; what they carry is not explained by the flow."
        )
    return said
