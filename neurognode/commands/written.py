"""`neurognode equations RUN` and `neurognode prove RUN`: a flow as formulas, and what is certain about it."""

from __future__ import annotations

from typing import Annotated

import typer

from neurognode.commands.chain import say
from neurognode.commands.options import RunFolder, given


def equations(
    run: RunFolder,
    degree: Annotated[int, typer.Option(help="Highest total power of the latents.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option(help="Drop terms below this share of a velocity's spread; held-out states choose."),
    ] = None,
) -> None:
    """Write a run's flow as sparse polynomial equations, with their error. Writes equations.txt and equations.csv."""
    from neurognode.runs import load_run, write_run

    for line in str(write_run(load_run(run), degree=degree, **given(threshold=threshold))).splitlines():
        say(f"  {line}")


def prove(
    run: RunFolder,
    tolerance: Annotated[
        float, typer.Option(help="Largest proved error of the affine pieces, in typical speeds.")
    ] = 0.1,
) -> None:
    """Prove a run's fixed points, and cut its flow into affine pieces with a proved error. For up to four latents."""
    from neurognode.runs import load_run, prove_run

    for found in prove_run(load_run(run), tolerance=tolerance):
        say(f"  {found}")
