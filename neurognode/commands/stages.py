"""`neurognode evaluate | interpret | compare | report | export RUN`: one step on a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neurognode.commands.bars import Bars
from neurognode.commands.chain import say, say_portrait, say_scores, say_verdicts
from neurognode.commands.options import Moved, RunFolder, given, settings, several


def evaluate(
    run: RunFolder,
    recording: Moved = None,
    other_preset: Annotated[
        bool, typer.Option("--other-preset", help="Fit the other preset, too: what does autonomy cost?")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Score a run on its test trials, beside baselines."""
    from neurognode.runs import evaluate_run, load_run

    metrics = evaluate_run(load_run(run), recording=recording, other_preset=other_preset)
    if as_json:
        typer.echo(json.dumps(metrics, indent=1))
    else:
        say_scores(metrics)


def interpret(run: RunFolder) -> None:
    """Draw the portrait of a run's flow: fixed points, slow manifolds, cycles. Needs no recording."""
    from neurognode.runs import interpret_run, load_run

    say_portrait(interpret_run(load_run(run)))


def compare(
    run: RunFolder,
    recording: Moved = None,
    hypotheses: Annotated[
        list[str] | None, typer.Option("--hypothesis", help="Which; all by default.")
    ] = None,
    rescored: Annotated[int | None, typer.Option(help="Surrogates passed through the fitted model.")] = None,
    refits: Annotated[int | None, typer.Option(help="Surrogates to which the model is fitted again.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Test the hypotheses on a run's members and write the verdicts."""
    from neurognode.runs import compare_run, load_run

    options = given(hypotheses=several(hypotheses), n_rescored=rescored, n_refits=refits)
    with Bars() as bars:
        told = None if quiet else bars
        verdicts = compare_run(load_run(run), recording=recording, progress=told, **options)
    say_verdicts(verdicts)


def report(
    run: RunFolder,
    recording: Moved = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; report.html in the run folder.")] = None,
) -> None:
    """Write the HTML report of a run, with whatever steps have been done."""
    from neurognode.runs import load_run, report_run

    say(str(report_run(load_run(run), recording=recording, path=out)))


def export(
    run: RunFolder,
    to: Annotated[str, typer.Option(help="nwb, netcdf, lfads_hdf5 or a plug-in's exporter.")] = "nwb",
    recording: Moved = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; in the run folder by default.")] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="NWB: write even if the subject is.")
    ] = False,
    subject: Annotated[
        list[str] | None, typer.Option(help="NWB: what the recording lacks, e.g. age=P90D.")
    ] = None,
) -> None:
    """Write a run's latents, rates, fixed points and verdicts for other tools."""
    from neurognode.runs import export_run, load_run

    state = "write" if incomplete else "refuse"
    about = settings(subject) or None
    say(str(export_run(load_run(run), to=to, path=out, recording=recording, incomplete=state, subject=about)))
