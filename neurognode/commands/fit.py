"""`neurognode fit`: from a recording to a run folder with weights, scores, portrait, verdicts and report."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from neurognode.commands.options import given, number_or_text, settings, several

Pair = tuple[str, str]


def fit(
    context: typer.Context,
    recording: Annotated[str | None, typer.Argument(help="The recording.", metavar="REC")] = None,
    align: Annotated[str | None, typer.Option(help="Event to align to, e.g. move_onset_time.")] = None,
    offset: Annotated[float | None, typer.Option(help="Seconds added to every event.")] = None,
    window: Annotated[
        Pair | None, typer.Option(help="From and to, seconds from the event or columns.")
    ] = None,
    bin_size: Annotated[str | None, typer.Option(help="Width of a bin in seconds, or native.")] = None,
    chop: Annotated[
        float | None, typer.Option(help="Instead of --align: cut windows of this length (s).")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="With --chop: table whose rows bound the windows.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Table to find the event in.")] = None,
    trials: Annotated[str | None, typer.Option(help="Which trials, as a query, e.g. 'is_good == 1'.")] = None,
    units: Annotated[str | None, typer.Option(help="Which units, as a query, e.g. 'rate > 0.5'.")] = None,
    signal: Annotated[str | None, typer.Option(help="Series to use as activity; found by default.")] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="External inputs; repeat or use commas.")] = None,
    behavior: Annotated[
        list[str] | None, typer.Option(help="Behaviour to decode; repeat or use commas.")
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Trial column that groups and colours trials.")
    ] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Number of latents.")] = None,
    members: Annotated[
        int | None, typer.Option(help="Fits with different seeds; verdicts need 3 or more.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="dynamics (to be read) or denoise (best rates).")] = None,
    dynamics: Annotated[
        str | None, typer.Option(help="The field: gnode, node, a constrained one, a plug-in.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="gru, causal_gru, transformer or a plug-in.")] = None,
    likelihood: Annotated[str | None, typer.Option(help="auto, poisson, gaussian, ...")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimiser steps of each member.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Wall-clock limit of each member.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other argument of the model: name=value.")
    ] = None,
    held_out: Annotated[float | None, typer.Option(help="Share of units hidden from the encoder.")] = None,
    test: Annotated[float | None, typer.Option(help="Share of trials kept for testing.")] = None,
    split_by: Annotated[str | None, typer.Option(help="Trial column whose values stay on one side.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of split, weights and batches.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps.")] = None,
    control: Annotated[
        str | None,
        typer.Option(help="Destroy something first: shuffle-units, -time, -trials, circular-shift ..."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Start from the config.yaml of another run.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make.", metavar="RUN")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished fit in --out.")] = False,
    only: Annotated[
        str | None, typer.Option(help="'fit' stops after the fit; no portrait, no report.")
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help="Loader to use; found by default.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Fit latent dynamics; then evaluate, interpret, compare (3 members or more), export and report.

    Files that are already cut into trials (LFADS HDF5) need no --align.
    """
    from neurognode.commands.chain import run_chain
    from neurognode.errors import one_of

    if only is not None:
        one_of(only, ["fit"], "only")
    chosen = _configuration(config, resume, out, recording, format_)
    shares = given(test=test, held_out=held_out, by=split_by, seed=seed)
    cutting = _alignment(
        align, chop, offset=offset, window=window, bin_size=bin_size, within=within, table=table,
        trials=trials, units=units, signal=signal, inputs=several(inputs), behavior=several(behavior),
    )  # fmt: skip
    arguments = settings(set_) | given(
        latent_dim=latent_dim, preset=preset, dynamics=dynamics, encoder=encoder, likelihood=likelihood,
        max_steps=max_steps, max_seconds=max_seconds, device=device,
    )  # fmt: skip
    _update(
        chosen,
        shares,
        cutting,
        arguments,
        given(members=members),
        given(condition=condition, control=control, seed=seed),
    )
    if not resume:
        chosen["command"] = shlex.join(["neurognode", *(context.obj or [])])
    target = out if out is not None else Path(default_out(str(chosen["recording"]["path"])))
    run_chain(chosen, target, resume=resume, only_fit=only == "fit", progress=not quiet)


def _configuration(
    config: Path | None, resume: bool, out: Path | None, recording: str | None, format_: str | None
) -> dict[str, Any]:
    """The configuration to start from, as nested dicts."""
    from neurognode.runs import RunConfig

    if resume:
        if out is None:
            raise ValueError("--resume needs --out RUN, the run folder to go on with.")
        config = config or out / "config.yaml"
    start = RunConfig.load(config).model_dump() if config is not None else {"recording": {"path": ""}}
    if recording is not None:
        start["recording"] = {"path": str(recording)}
    if format_ is not None:
        start["recording"]["format"] = format_
    if not start["recording"]["path"]:
        raise ValueError(
            "Name the recording to fit: neurognode fit REC --align EVENT ...; see neurognode fit --help."
        )
    return start


def _alignment(align: str | None, chop: float | None, **options: Any) -> dict[str, Any]:
    """The part ``alignment`` of a configuration; empty if nothing of it was given."""
    arguments = given(**options)
    if align is not None and chop is not None:
        raise ValueError("Give --align or --chop, not both.")
    if "window" in arguments:
        arguments["window"] = [number_or_text(end) for end in arguments["window"]]
    if "bin_size" in arguments:
        arguments["bin_size"] = number_or_text(arguments["bin_size"])
    if chop is not None:
        return {"how": "chop", "arguments": arguments | {"window": chop}}
    if align is not None:
        return {"how": "align", "arguments": {"event": align} | arguments}
    return {"arguments": arguments} if arguments else {}


def _update(
    start: dict[str, Any], shares: dict, cutting: dict, arguments: dict, members: dict, others: dict
) -> None:
    start["split"] = start.get("split", {}) | shares
    before = start.get("alignment", {})
    start["alignment"] = before | cutting
    if "arguments" in cutting and "how" not in cutting:
        start["alignment"]["arguments"] = before.get("arguments", {}) | cutting["arguments"]
    model = start.setdefault("model", {})
    model["arguments"] = model.get("arguments", {}) | arguments
    model.update(members)
    start.update(others)


def default_out(recording: str) -> str:
    """A name for the run folder that is not taken: ``<recording>-run``, ``<recording>-run-2`` ...

    Examples
    --------
    >>> from neurognode.commands.fit import default_out
    >>> default_out("data/sub-A_ses-1.nwb")
    'sub-A_ses-1-run'
    """
    stem = re.sub(r"[^\w.-]+", "-", Path(recording).name)
    stem = re.sub(r"\.(nwb|h5|hdf5|npz|nc|mat|zarr)$", "", stem) or "recording"
    name, count = f"{stem}-run", 2
    while Path(name).exists():
        name, count = f"{stem}-run-{count}", count + 1
    return name
