"""One step of one trial of a sweep: train until a rung, then stop with a checkpoint, or to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurognode.errors import NeurognodeError
from neurognode.runs.config import RunConfig
from neurognode.runs.folder import load_run
from neurognode.runs.log import Paused
from neurognode.runs.steps.fit import fit_run, fit_runs


class _StopAt:
    """Listener that ends a fit at a step, once its score is known."""

    def __init__(self, until: int) -> None:
        self.until, self.score = until, float("nan")

    def __call__(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        self.score = float(metrics.get("score", self.score))
        if step >= self.until and step < total:
            raise Paused(f"paused at step {step} of {total}")


def advance(
    config: dict[str, Any], folder: str, until: int, *, progress: bool = True, threads: int | None = None
) -> dict[str, Any]:
    """Start a trial or go on with it, until a step; it leaves its checkpoint, or a finished run folder.

    Parameters
    ----------
    config : dict
        A `RunConfig`.
    folder : str
        The trial's run folder.
    until : int
        Step to stop at; the fit's own last step finishes it.
    progress : bool
        Show a bar.
    threads : int, optional
        Threads of this process.

    Returns
    -------
    dict
        ``score`` (validation), ``interrupted``, and ``error``: why this setting does not work, or "".
    """
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    stop = _StopAt(until)
    begun = (Path(folder) / "config.yaml").is_file()
    if begun and load_run(folder).is_finished:
        return {"score": load_run(folder).status["validation_score"][0], "interrupted": False, "error": ""}
    try:
        run = fit_run(
            RunConfig.model_validate(config), folder, resume=begun, progress=progress, callbacks=[stop]
        )
    except Paused:
        return {"score": stop.score, "interrupted": False, "error": ""}
    except (NeurognodeError, ValueError) as error:
        return {"score": float("nan"), "interrupted": False, "error": str(error)}
    return {"score": stop.score, "interrupted": not run.is_finished, "error": ""}


def advance_together(
    jobs: Sequence[Mapping[str, Any]], checkpoint: str | None = None
) -> list[dict[str, Any]] | None:
    """Train several trials in one training; what `advance` says of each, or None if that cannot be.

    Parameters
    ----------
    jobs : sequence of mapping
        ``config``, ``folder`` and ``until`` of each, as `advance` takes them; `until` is the same for all.
    checkpoint : str, optional
        File that holds the training of all of them until it has ended. By default each has a checkpoint of its own,
        from which it can go on without the others.
    """
    configs = [RunConfig.model_validate(job["config"]) for job in jobs]
    try:
        folders = [job["folder"] for job in jobs]
        found = fit_runs(configs, folders, checkpoint, resume=True, until=jobs[0]["until"])
    except (NeurognodeError, ValueError):
        return None
    if found is None:
        return None
    return [
        {
            "score": float("nan") if one.problem else one.score,
            "interrupted": one.interrupted,
            "error": one.problem,
        }
        for one in found
    ]
