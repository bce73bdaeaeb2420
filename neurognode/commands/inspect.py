"""`neurognode inspect`: what a recording holds, and what could be aligned to what."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def inspect(
    recording: Annotated[
        str, typer.Argument(help="A recording: NWB, LFADS or other HDF5, npz, netCDF, or a URL.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    file_format: Annotated[
        str | None, typer.Option("--format", help="Loader to use; found by default.")
    ] = None,
) -> None:
    """Say what a recording holds: units, signals, trials, events, and what is odd about it."""
    from neurognode.loaders import open_recording
    from neurognode.runs.config import plain

    with open_recording(recording, format=file_format) as opened:
        typer.echo(json.dumps(plain(opened.describe()), indent=1) if as_json else repr(opened))
