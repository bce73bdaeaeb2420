"""Export: a run's latents and results in formats other tools read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neurognode import registry
from neurognode.errors import one_of
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.prepare import cut

SUFFIXES = {"nwb": ".nwb", "netcdf": ".nc", "zarr": ".zarr", "lfads_hdf5": ".h5"}


def export_run(
    run: Run,
    *,
    to: str = "nwb",
    path: str | os.PathLike[str] | None = None,
    recording: str | os.PathLike[str] | None = None,
    incomplete: str = "refuse",
    subject: dict[str, str] | None = None,
) -> Path:
    """Write a run's latents, rates, fixed points and verdicts for other tools.

    Parameters
    ----------
    run : Run
        A fitted run.
    to : str
        ``"nwb"``, ``"netcdf"``, ``"zarr"``, ``"lfads_hdf5"`` or a plug-in's name.
    path : path, optional
        The file; by default ``latents.*`` in the run folder.
    recording : path, optional
        Where the recording is now.
    incomplete : {"refuse", "write"}
        For NWB: what to do where the recording does not say what archives ask about the subject.
    subject : dict, optional
        For NWB: what the recording does not say, such as ``{"age": "P90D"}``.

    Returns
    -------
    Path
        The file written.
    """
    one_of(to, registry.names("exporters"), "to")
    where = run.recording(recording)
    trials = cut(where, run.config.alignment)
    default = f"export{SUFFIXES[to]}" if to in ("netcdf", "zarr") else f"latents{SUFFIXES.get(to, '')}"
    target = Path(path) if path is not None else run.path / default
    exporter = registry.resolve("exporters", to)
    options: dict[str, Any] = {"incomplete": incomplete, "subject": subject} if to == "nwb" else {}
    with logging_to(run.path / "log.txt") as log:
        exporter(
            target,
            run.fits,
            trials,
            verdicts=run.verdicts,
            portrait=run.portrait,
            source=where.source,
            **options,
        )
        log.info("exported to %s", target)
    return target
