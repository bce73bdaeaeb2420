"""`neurognode mechanisms RUN`: hypotheses tried as models."""

from __future__ import annotations

from typing import Annotated

import typer

from neurognode.commands.bars import Bars
from neurognode.commands.chain import say
from neurognode.commands.options import Moved, RunFolder, given, settings, several


def mechanisms(
    run: RunFolder,
    recording: Moved = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--mechanism", help="Which: ring, line, double_well, ...; all by default."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="forecast (the end of held-out trials) or co_smoothing.")
    ] = None,
    residual: Annotated[
        bool | None, typer.Option(help="Fit all with a gated residual, or none; the best one by default.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Other arguments, e.g. test_fraction=0.3 or ahead=0.4.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Fit each mechanism (ring, line, two wells, ...) in place of the free field, and rank them by held-out spikes."""
    from neurognode.runs import load_run, rank_run

    options = given(mechanisms=several(only), by=by, residual=residual) | settings(set_)
    with Bars() as bars:
        ranking = rank_run(load_run(run), recording=recording, progress=None if quiet else bars, **options)
    for line in str(ranking).splitlines():
        say(f"  {line.strip()}")
