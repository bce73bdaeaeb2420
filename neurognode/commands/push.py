"""`neurognode push RUN`: the predicted response to a perturbation."""

from __future__ import annotations

from typing import Annotated

import typer

from neurognode.commands.chain import say
from neurognode.commands.options import RunFolder, given, several


def push(
    run: RunFolder,
    direction: Annotated[
        str, typer.Option(help="along or across the slow manifold, random, or units.")
    ] = "along",
    size: Annotated[
        float | None, typer.Option(help="In diameters of the visited region; a factor with units.")
    ] = None,
    at: Annotated[
        float | None, typer.Option(help="When, seconds in the time of the trials; the middle.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to follow; one trial length.")] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="With --direction units: ID=CHANGE of its log rate; repeat.")
    ] = None,
    noise: Annotated[bool, typer.Option("--noise", help="Let the fitted noise act meanwhile.")] = False,
) -> None:
    """Push the fitted states and predict latents and rates: does the push decay, persist or switch? Writes push.nc."""
    from neurognode.runs import load_run, push_run

    options = given(size=1.0 if direction == "units" and size is None else size, at=at, duration=duration)
    units = dict(_change(text) for text in several(unit) or []) or None
    answer = push_run(load_run(run), push=direction, units=units, noise=noise, **options)
    for line in str(answer).splitlines():
        say(f"  {line.strip()}")


def _change(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--unit {text!r} must look like ID=CHANGE, for instance 12=0.7.") from None
