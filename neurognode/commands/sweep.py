"""`neurognode sweep`: many fits of one recording with different settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from neurognode.commands.chain import say, validated
from neurognode.commands.fit import configuration, default_out


def sweep(
    context: typer.Context,
    space: Annotated[
        Path, typer.Option(help="YAML file: names of model arguments, each with choices or a range.")
    ],
    method: Annotated[str, typer.Option(help="random, asha (best third goes on) or population.")] = "random",
    n_trials: Annotated[int, typer.Option(help="How many settings to try.")] = 16,
    workers: Annotated[int, typer.Option(help="Processes that train at the same time.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster that trains the fits, e.g. auto.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="The sweep's folder.", metavar="SWEEP")] = None,
) -> None:
    """Try many settings: neurognode sweep REC [options of fit] --space space.yaml.

    Every option of `neurognode fit` may be given too; what --space names is varied. Scores are of training
    trials that were kept back, so that test trials stay untouched.
    """
    from neurognode import runs
    from neurognode.runs.dimension import by_latent_dim
    from neurognode.runs.sweep import sweep as run_sweep

    config = validated(_shared(context))
    config.command = shlex.join(["neurognode", *(context.obj or [])])
    target = out if out is not None else Path(default_out(f"{config.recording.path}-sweep"))
    found = run_sweep(
        config, runs.Space.load(space), target, method=method, n_trials=n_trials, workers=workers, ray=ray,
        resume=resume, tell=lambda text: say(f"  {text}"),
    )  # fmt: skip
    _draw(found)
    best = found.finished[0] if found.finished else None
    say(
        f"{len(found.finished)} of {len(found.trials)} trials were trained to the end; table in {target}/table.csv"
    )
    if best is None:
        return
    say(f"Best: trial {best.id:03d}, score {best.score:.4f}: {best.params}")
    for row in by_latent_dim(found):
        say(
            f"  {row['latent_dim']} latents: score {row['score']:.4f} ± {row['error']:.4f}, latents of one fit from "
            f"another's R² {row['agreement']:.3f} ({row['fits']} fits)"
        )
    advice = found.smallest_latent_dim()
    if advice is not None:
        say(advice[1])
    say(f"Score it on the test trials: neurognode evaluate {found.folder(best)}")


def _shared(context: typer.Context) -> dict[str, Any]:
    """What all fits share, from the remaining words, read as options of `fit`."""
    assert context.parent is not None
    command: Any = context.parent.command
    parsed = command.get_command(context.parent, "fit").make_context("fit", list(context.args))
    options = dict(parsed.params)
    options["resume"] = False
    return configuration(options)


def _draw(found: Any) -> None:
    """Scores over everything that was varied, as ``sweep.svg``."""
    from matplotlib.figure import Figure

    from neurognode import plot
    from neurognode.files import atomic_path

    rows = [row for row in found.rows() if row["score"] == row["score"]]
    names = list(found.trials[0].params) if found.trials else []
    if not rows or not names:
        return
    figure = Figure(figsize=(3.4 * len(names), 3.2), layout="constrained")
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        plot.scores_over(rows, name, ax=ax)
    with atomic_path(found.path / "sweep.svg") as temporary:
        figure.savefig(temporary)
