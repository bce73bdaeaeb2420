"""The chain that `fit` and `demo` walk: fit, evaluate, interpret, compare, export, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from neurognode.commands.bars import Bars

ENOUGH = 3
"""Members from which agreement can be judged."""


def say(text: str) -> None:
    """Print one line on standard output."""
    typer.echo(text)


class Steps:
    """Numbers the steps: ``[2/6] Evaluate``."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def begin(self, name: str) -> None:
        """Announce a step."""
        self.done += 1
        say(typer.style(f"[{self.done}/{self.total}] {name}", bold=True))


def run_chain(
    chosen: dict[str, Any],
    out: Path,
    *,
    resume: bool = False,
    only_fit: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    planted: Callable[[Any], Sequence[tuple[str, str, str]]] | None = None,
) -> Any:
    """Walk the chain of steps and return the run.

    Parameters
    ----------
    chosen : dict
        A `RunConfig` as nested dicts.
    out : Path
        The run folder.
    resume, only_fit, progress, tensorboard : bool
        Go on with an unfinished fit; stop after it; show bars; write curves for TensorBoard.
    planted : callable, optional
        Given the run, returns rows (name, planted, found) for the report of a simulated recording.
    """
    from neurognode import runs
    from neurognode.loaders import open_recording
    from neurognode.runs.prepare import cut

    config = validated(chosen)
    compares = config.model.members >= ENOUGH
    steps = Steps(2 if only_fit else 6 + compares)
    source = config.recording
    steps.begin(f"Align {Path(source.path).name}")
    with open_recording(source.path, format=source.format, **source.options) as recording:
        trials = cut(recording, config.alignment)
    sizes, width = trials.sizes, trials.attrs["bin_size"]
    say(f"  {sizes['trial']} trials of {sizes['time']} bins ({width * 1000:g} ms), {sizes['unit']} units")
    steps.begin(f"Fit {config.model.members} member{'s' if config.model.members > 1 else ''}")
    run = runs.fit_run(
        config,
        out,
        trials=trials,
        resume=resume,
        progress=progress,
        tensorboard=tensorboard,
        tell=lambda text: say(f"  {text}"),
    )
    if not run.is_finished:
        say(f"  Interrupted; {out} holds the best so far. Go on with: neurognode fit --resume --out {out}")
        raise KeyboardInterrupt
    say(f"  {sum(run.status['seconds']):.0f} s of training; weights and latents in {out}")
    if only_fit:
        return run
    _after_fit(run, steps, compares, progress, planted)
    return run


def validated(chosen: dict[str, Any]) -> Any:
    """The `RunConfig` of nested dicts; a ValueError names the part that is wrong."""
    import pydantic

    from neurognode.runs import RunConfig

    try:
        return RunConfig.model_validate(chosen)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}.") from error


def _after_fit(run: Any, steps: Steps, compares: bool, progress: bool, planted: Any) -> None:
    from neurognode import runs

    steps.begin("Evaluate")
    say_scores(runs.evaluate_run(run))
    steps.begin("Interpret")
    with Bars() as bars:
        portrait = runs.interpret_run(run, progress=bars if progress else None)
    say_portrait(portrait)
    if compares:
        steps.begin("Compare hypotheses")
        with Bars() as bars:
            verdicts = runs.compare_run(run, progress=bars if progress else None)
        say_verdicts(verdicts)
    steps.begin("Export")
    say(f"  {runs.export_run(run, incomplete='write')}")
    steps.begin("Report")
    page = runs.report_run(run, planted=planted(run) if planted is not None else ())
    say(f"  {page}")


def say_scores(metrics: dict[str, Any]) -> None:
    """Print the score table."""
    names = metrics.get("names", {})
    for row in metrics.get("table", []):
        values = [f"{names[k]} {row[k]:.3f}" for k in names if row.get(k) is not None]
        say(f"  {row['method']:<34} {', '.join(values)}")
    for measure in metrics.get("measures", []):
        if measure["value"] is not None:
            say(f"  {measure['name']}: {measure['value']:.3f}")


def say_portrait(portrait: Any) -> None:
    """Print the portrait's lines, indented."""
    for line in str(portrait).splitlines():
        say(f"  {line}")


def say_verdicts(verdicts: Any) -> None:
    """Print one line a verdict, the supported ones first."""
    order = {"supported": 0, "cannot_tell": 1, "rejected": 2}
    for verdict in sorted(verdicts, key=lambda v: order.get(v.status, 3)):
        say(
            f"  {verdict.status.replace('_', ' '):<12} "
            f"{verdict.hypothesis.replace('_', ' ')}: {verdict.reason}"
        )
