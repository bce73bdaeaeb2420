"""Fit: from a configuration to weights, history and latents in a run folder."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError, RunError
from neurognode.files import atomic_path
from neurognode.models.noise_level import noise_scale
from neurognode.runs.board import TensorBoard, summary_writer
from neurognode.runs.config import RunConfig, plain
from neurognode.runs.folder import WEIGHTS, Run, clean_dataset, load_run
from neurognode.runs.log import logging_to
from neurognode.runs.partition import Partition, partition
from neurognode.runs.prepare import check_device, controlled, cut, estimator, model_arguments
from neurognode.runs.provenance import provenance


def fit_run(
    config: RunConfig,
    out: str | os.PathLike[str],
    *,
    recording: Any = None,
    trials: xr.Dataset | None = None,
    resume: bool = False,
    progress: bool = True,
    callbacks: Any = None,
    tensorboard: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Run:
    """Fit what a configuration says and leave a run folder.

    Parameters
    ----------
    config : RunConfig
        What to fit to what.
    out : path
        The folder to make, or with `resume` the one to go on with.
    recording : Recording, optional
        Opened already; otherwise it is opened from the configuration.
    trials : Dataset, optional
        Aligned already, by the same configuration.
    resume : bool
        Go on with an unfinished fit in `out`, from its checkpoints.
    progress : bool
        Show a bar.
    callbacks : sequence, optional
        Told of every step.
    tensorboard : bool
        Write training curves for TensorBoard into the run folder.
    tell : callable
        Called with one line about every stage.

    Returns
    -------
    Run
        Its `status` says whether the fit was finished or interrupted; either way it loads.

    Raises
    ------
    RunError
        If `out` exists and is not to be resumed, or belongs to other data.
    ValueError, RecordingError, FitError
        If the data or settings do not allow a fit; no folder is left behind by the first two.
    """
    if tensorboard:
        summary_writer()
    begun = _begin(config, out, recording=recording, trials=trials, resume=resume)
    run = begun.run
    model = begun.model(
        checkpoint=run.path / "checkpoints" / "training.safetensors",
        resume=resume,
        progress=progress,
        callbacks=[*(callbacks or []), *([TensorBoard(run.path / "tensorboard")] if tensorboard else [])],
    )
    tell(
        f"{begun.train.sizes['trial']} trials to fit, {int(begun.parts.is_test.sum())} to test, "
        f"{int((~begun.parts.is_held_out).sum())} units seen"
    )
    with logging_to(run.path / "log.txt") as log:
        log.info("fit starts: %s", begun.config.command or "from Python")
        with _nothing_left_of(run, resume):
            model.fit(begun.train)
        _keep(run, model, begun.trials, begun.parts)
        log.info("fit ends: %s", run.status["stopped"])
    return run


def fit_runs(
    configs: Sequence[RunConfig],
    outs: Sequence[str | os.PathLike[str]],
    checkpoint: str | os.PathLike[str] | None,
    *,
    resume: bool = False,
    progress: bool = True,
    until: int | None = None,
) -> list[Ended] | None:
    """Fit configurations that differ in how they are trained in one training, one run folder each.

    Parameters
    ----------
    configs : sequence of RunConfig
        Of one recording and one shape of model.
    outs : sequence of path
        Their folders, made here, or begun and not finished.
    checkpoint : path, optional
        File from which ``resume=True`` goes on; removed at the end. By default each run has a checkpoint of its own.
    resume, progress : bool
        As in `fit_run`.
    until : int, optional
        Step to pause at.

    Returns
    -------
    list of Ended
        None, and nothing is made, if they cannot be trained together.
    """
    from neurognode.models.fitting import can_fit_together, fit_together

    first = configs[0].model_copy(deep=True)
    trials = cut(_open(first), first.alignment)
    models = [estimator(config) for config in configs]
    if any(config.model.members > 1 for config in configs) or not can_fit_together(models, trials):
        return None
    begun = [
        _begin(config, out, trials=trials, resume=(Path(out) / "config.yaml").is_file())
        for config, out in zip(configs, outs)
    ]
    fits = [
        one.model(
            checkpoint=checkpoint or one.run.path / "checkpoints" / "training.safetensors",
            resume=resume,
            progress=progress and index == 0,
        )
        for index, one in enumerate(begun)
    ]
    for one in begun:
        with logging_to(one.run.path / "log.txt") as log:
            log.info("fit starts, together with %d others", len(begun) - 1)
    ended = []
    for one, model, problem in zip(begun, fits, fit_together(fits, begun[0].train, until)):
        paused, stopped = model.stopped_ == "paused", model.stopped_ == "interrupted"
        if not problem and not paused:
            _keep(one.run, model, one.trials, one.parts)
        last = model.history_[-1].get("score", math.nan) if model.history_ else math.nan
        ended.append(Ended(one.run, problem, last if paused else model.validation_score_, stopped))
    if checkpoint is not None and not any(one.interrupted for one in ended):
        Path(checkpoint).unlink(missing_ok=True)
    return ended


class Ended(NamedTuple):
    """How one of several fits ended.

    Attributes
    ----------
    run : Run
        Its folder.
    problem : str
        What went wrong, or "".
    score : float
        The best validation score, or the last one of a fit that was paused.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    run: Run
    problem: str
    score: float
    interrupted: bool


@dataclass
class _Begun:
    """A run folder and what will be fitted in it."""

    config: RunConfig
    run: Run
    trials: xr.Dataset
    parts: Partition
    train: xr.Dataset

    def model(self, **own: Any) -> Any:
        """The unfitted estimator or ensemble."""
        hidden = self.parts.is_held_out
        units = self.trials["unit"].values[~hidden].tolist() if hidden.any() else None
        return estimator(self.config, encode_units=units, **own)


def _begin(
    config: RunConfig,
    out: str | os.PathLike[str],
    *,
    recording: Any = None,
    trials: xr.Dataset | None = None,
    resume: bool = False,
) -> _Begun:
    """Cut and split the trials, and make the folder or find it."""
    config = config.model_copy(deep=True)
    check_device(str(config.model.arguments.get("device", "auto")))
    config.model.arguments = plain(model_arguments(config.model.arguments))
    if trials is None:
        trials = cut(recording if recording is not None else _open(config), config.alignment)
    config.recording.source_hash = str(trials.attrs.get("source_hash", ""))
    if config.alignment.how == "chop" and config.split.by is None:
        config.split.by = "time"
    parts = partition(trials, config.split, config.condition)
    train = controlled(parts.train(trials), config.control, config.seed)
    run = _folder(config, out, resume)
    run.write_json("split.json", parts.to_json())
    (run.path / "checkpoints").mkdir(exist_ok=True)
    return _Begun(config, run, trials, parts, train)


def _open(config: RunConfig) -> Any:
    from neurognode.loaders import open_recording

    return open_recording(config.recording.path, format=config.recording.format, **config.recording.options)


def _folder(config: RunConfig, out: str | os.PathLike[str], resume: bool) -> Run:
    config.provenance = provenance()
    if not resume:
        return Run.create(out, config)
    run = load_run(out)
    if run.config.recording.source_hash != config.recording.source_hash:
        raise RunError(f"{os.fspath(out)!r} was begun on another recording; name another --out.")
    same = {"alignment", "split", "model", "control", "seed"}
    if run.config.model_dump(include=same) != config.model_dump(include=same):
        raise RunError(f"{os.fspath(out)!r} was begun with other settings; name another --out.")
    return run


@contextlib.contextmanager
def _nothing_left_of(run: Run, resume: bool) -> Iterator[None]:
    """Remove the new folder again if settings or data turn out not to allow a fit."""
    try:
        yield
    except (ValueError, RecordingError):
        trained = (run.path / WEIGHTS).exists() or any((run.path / "checkpoints").iterdir())
        if not resume and not trained:
            shutil.rmtree(run.path)
        raise


def _keep(run: Run, model: Any, trials: xr.Dataset, parts: Partition) -> None:
    """Write everything the fit has left, weights first."""
    for stale in ("metrics.json", "portrait.nc", "agreement.json", "verdicts.nc", "report.html"):
        (run.path / stale).unlink(missing_ok=True)
    shutil.rmtree(run.path / "portraits", ignore_errors=True)
    model.save(run.path / WEIGHTS)
    run.write_history(model.history_)
    members = getattr(model, "members_", [model])
    stopped = [member.stopped_ for member in members]
    training = trials.isel(trial=~parts.is_test)
    finished = len(members) == run.config.model.members and "interrupted" not in stopped
    run.write_json(
        "status.json",
        {
            "finished": finished,
            "stopped": stopped,
            "seconds": [member.fit_seconds_ for member in members],
            "steps": [member.n_steps_ for member in members],
            "validation_score": [member.validation_score_ for member in members],
            "reference": getattr(model, "reference_", 0),
            "noise_scale": [noise_scale(member, training) for member in members],
        },
    )
    write_latents(run, model, trials, parts)
    if finished:
        for left in (run.path / "checkpoints").glob("*"):
            left.unlink()
        (run.path / "checkpoints").rmdir()


def write_latents(run: Run, model: Any, trials: xr.Dataset, parts: Partition) -> None:
    """Write ``latents.nc``: latents of all trials, and of an ensemble every member's, in the member's own space."""
    latents = model.transform(trials)
    dataset = latents.to_dataset(name="latents").assign_coords(is_test=("trial", parts.is_test))
    members = getattr(model, "members_", [])
    if len(members) > 1:
        each = np.stack([member.transform(trials).values for member in members])
        dataset["member_latents"] = (("member", *latents.dims), each)
        dataset["member_latents"].attrs["space"] = "each member's own; `latents` are in that of the reference"
    with atomic_path(run.path / "latents.nc") as temporary:
        clean_dataset(dataset).to_netcdf(temporary, engine="h5netcdf")
