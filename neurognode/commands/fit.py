"""`neurognode fit`: from a recording to a run folder with weights, scores, portrait, verdicts and report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
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
    angles: Annotated[str | None, typer.Option(help="Angles of behaviour: angle, or cos_sin.")] = None,
    condition: Annotated[
        str | None, typer.Option(help="Trial column that groups and colours trials.")
    ] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Number of latents.")] = None,
    members: Annotated[
        int | None, typer.Option(help="Fits with different seeds; verdicts need 3 or more.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Members fitted at the same time; one per core by default.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="dynamics or autonomous (to be read), denoise (best rates), auto.")
    ] = None,
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
    devices: Annotated[int | None, typer.Option(help="Processes that share every batch of one fit.")] = None,
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
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write curves for TensorBoard.")] = False,
    format_: Annotated[str | None, typer.Option("--format", help="Loader to use; found by default.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Fit latent dynamics; then evaluate, interpret, compare (3 members or more), export and report.

    Files that are already cut into trials (LFADS HDF5) need no --align.
    """
    options = dict(locals())
    from neurognode.commands.chain import run_chain
    from neurognode.errors import one_of

    if only is not None:
        one_of(only, ["fit"], "only")
    chosen = configuration(options)
    if not resume:
        chosen["command"] = shlex.join(["neurognode", *(context.obj or [])])
    target = out if out is not None else Path(default_out(str(chosen["recording"]["path"])))
    run_chain(
        chosen, target, resume=resume, only_fit=only == "fit", progress=not quiet, tensorboard=tensorboard
    )


ALIGNING = (
    "offset",
    "window",
    "bin_size",
    "within",
    "table",
    "trials",
    "units",
    "signal",
    "inputs",
    "behavior",
    "angles",
)
MODELLING = (
    "latent_dim", "preset", "dynamics", "encoder", "likelihood", "max_steps", "max_seconds", "device", "devices",
)  # fmt: skip


def configuration(options: Mapping[str, Any]) -> dict[str, Any]:
    """The `RunConfig`, as nested dicts, of the options of `fit`.

    Parameters
    ----------
    options : mapping
        Every argument of `fit` by name; what is None was not given.
    """
    start = _start(options)
    split = {name: options[key] for name, key in (("test", "test"), ("held_out", "held_out"), ("by", "split_by"),
                                                  ("seed", "seed"))}  # fmt: skip
    start["split"] = start.get("split", {}) | given(**split)
    _set_alignment(start, options)
    model = start.setdefault("model", {})
    arguments = settings(options["set_"]) | given(**{name: options[name] for name in MODELLING})
    model["arguments"] = model.get("arguments", {}) | arguments
    model.update(given(members=options["members"], jobs=options["jobs"]))
    if model.get("jobs") is None and not str(model["arguments"].get("device", "")).startswith("cuda"):
        model["jobs"] = -1
    start.update(given(**{name: options[name] for name in ("condition", "control", "seed")}))
    return start


def _start(options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration to start from: that of another run, or an empty one."""
    from neurognode.runs import RunConfig

    config, out = options["config"], options["out"]
    if options["resume"]:
        if out is None:
            raise ValueError("--resume needs --out RUN, the run folder to go on with.")
        config = config or out / "config.yaml"
    start = RunConfig.load(config).model_dump() if config is not None else {"recording": {"path": ""}}
    if options["recording"] is not None:
        start["recording"] = {"path": str(options["recording"])}
    if options["format_"] is not None:
        start["recording"]["format"] = options["format_"]
    if not start["recording"]["path"]:
        raise ValueError(
            "Name the recording to fit: neurognode fit REC --align EVENT ...; see neurognode fit --help."
        )
    return start


def _set_alignment(start: dict[str, Any], options: Mapping[str, Any]) -> None:
    arguments = given(**{name: options[name] for name in ALIGNING})
    if options["align"] is not None and options["chop"] is not None:
        raise ValueError("Give --align or --chop, not both.")
    if "window" in arguments:
        arguments["window"] = [number_or_text(end) for end in arguments["window"]]
    if "bin_size" in arguments:
        arguments["bin_size"] = number_or_text(arguments["bin_size"])
    for name in ("inputs", "behavior"):
        if name in arguments:
            arguments[name] = several(arguments[name])
    before = start.setdefault("alignment", {})
    if options["chop"] is not None:
        before.update(how="chop", arguments=arguments | {"window": options["chop"]})
    elif options["align"] is not None:
        before.update(how="align", arguments={"event": options["align"]} | arguments)
    else:
        before["arguments"] = before.get("arguments", {}) | arguments


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
