"""Sweeps: many fits of one recording with different settings, in one folder that can be resumed.

Folder::

    sweep.json        what is varied, how, and every trial's state; written after each step
    table.csv         one row a trial: settings, steps, score (and table.parquet, with pyarrow)
    trials/000/ ...   a run folder each; unfinished ones hold their checkpoint
    sweep.svg         scores over what was varied
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurognode.errors import RunError
from neurognode.files import atomic_path
from neurognode.runs.config import RunConfig, plain
from neurognode.runs.folder import Run, load_run
from neurognode.runs.prepare import model_arguments
from neurognode.runs.schedule import Trial, exploit, next_job, next_jobs, rungs
from neurognode.runs.space import Space, nested
from neurognode.runs.trial import advance, advance_together
from neurognode.runs.workers import RETRIES, Processes, RayCluster

VERSION = 1
TOGETHER = 16
"""Fits that train together at most."""
FREE = ("learning_rate", "weight_decay", "kl_weight")
"""Settings in which fits that train together may differ."""


@dataclass
class Sweep:
    """A sweep: its folder, its trials, and the best of them.

    Attributes
    ----------
    path : Path
        The folder.
    trials : list of Trial
        All settings that were drawn.
    """

    path: Path
    trials: list[Trial]

    def folder(self, trial: Trial) -> Path:
        """Run folder of one trial."""
        return self.path / "trials" / f"{trial.id:03d}"

    @property
    def finished(self) -> list[Trial]:
        """Trials that were trained to the end, best first."""
        done = [t for t in self.trials if t.state == "done" and np.isfinite(t.score)]
        return sorted(done, key=lambda t: -t.score)

    @property
    def best(self) -> Run:
        """The run with the best validation score.

        Raises
        ------
        RunError
            If no trial was finished.
        """
        if not self.finished:
            raise RunError(f"No trial of the sweep in {str(self.path)!r} was finished.")
        return load_run(self.folder(self.finished[0]))

    def rows(self) -> list[dict[str, Any]]:
        """The table: one dict a trial, those that went farthest and scored best first."""
        ranked = sorted(self.trials, key=lambda t: (-t.steps, -np.nan_to_num(t.score, nan=-np.inf)))
        head = ("trial", "state", "steps", "score")
        return [
            dict(zip(head, (t.id, t.state, t.steps, t.score))) | t.params | {"error": t.error} for t in ranked
        ]

    def smallest_latent_dim(self) -> tuple[int, str] | None:
        """The smallest latent_dim whose best fits come within one standard error of the best.

        The standard error is that of the scores of all finished trials with the winning latent_dim, so it needs
        two of them. None if latent_dim was not varied or there are too few trials.
        """
        by_dim: dict[int, list[float]] = {}
        for trial in self.finished:
            if "latent_dim" in trial.params:
                by_dim.setdefault(int(trial.params["latent_dim"]), []).append(trial.score)
        if len(by_dim) < 2:
            return None
        means = {dim: float(np.mean(scores)) for dim, scores in by_dim.items()}
        top = max(means, key=lambda dim: means[dim])
        if len(by_dim[top]) < 2:
            return None
        error = float(np.std(by_dim[top], ddof=1) / np.sqrt(len(by_dim[top])))
        smallest = min(dim for dim in means if means[dim] >= means[top] - error)
        return smallest, (
            f"latent_dim={smallest} is the smallest whose mean score ({means[smallest]:.4f}) is within one standard "
            f"error ({error:.4f}) of the best (latent_dim={top}, {means[top]:.4f})."
        )


def sweep(
    config: RunConfig,
    space: Space,
    out: str | os.PathLike[str],
    *,
    method: str = "random",
    n_trials: int = 16,
    workers: int = 1,
    ray: str | None = None,
    resume: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Sweep:
    """Fit many settings and keep the best; scores are of training trials kept back, never of test trials.

    Parameters
    ----------
    config : RunConfig
        What all fits share; its seed draws the settings.
    space : Space
        What is varied.
    out : path
        The sweep's folder.
    method : {"random", "asha", "population"}
        ``"random"`` trains every setting to the end; ``"asha"`` lets the best third go on at each rung;
        ``"population"`` trains all, and now and then the worst take over weights and settings of the best.
    n_trials : int
        How many settings.
    workers : int
        Processes; each trains one fit on one core. With one, fits of one shape that are equally far train together.
    ray : str, optional
        Address of a Ray cluster that trains the fits instead, e.g. ``"auto"``; `out` must be a folder that all its
        machines see.
    resume : bool
        Go on with the sweep in `out`.
    tell : callable
        Called with one line about every trial.

    Returns
    -------
    Sweep
    """
    config = config.model_copy(deep=True)
    config.model.arguments = plain(model_arguments(config.model.arguments))
    max_steps = _max_steps(config)
    folder = Path(out).resolve() if ray is not None else Path(out)
    state = _State(folder, config, space, method, rungs(method, max_steps, _every()), max_steps)
    if resume:
        state.load()
    else:
        if folder.exists() and any(folder.iterdir()):
            raise RunError(
                f"{os.fspath(folder)!r} exists and is not empty: give --resume, or name another --out."
            )
        rng = np.random.default_rng(config.seed)
        state.trials = [Trial(k, space.draw(rng)) for k in range(n_trials)]
        for trial in state.trials:
            model_arguments(_merged(config.model.arguments, trial.params))
        state.save()
    _drive(state, workers, ray, tell)
    _parquet(folder / "table.parquet", Sweep(folder, state.trials).rows())
    return Sweep(folder, state.trials)


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """The table once more as parquet, where pyarrow is installed."""
    if importlib.util.find_spec("pyarrow") is None:
        return
    import pandas

    table = pandas.DataFrame(rows)
    mixed = [name for name in table if table[name].dtype == object]
    with atomic_path(path) as temporary:
        table.astype(dict.fromkeys(mixed, str)).to_parquet(temporary)


def _every() -> int:
    from neurognode.training import Settings

    return Settings().validate_every


def _max_steps(config: RunConfig) -> int:
    from neurognode.models.presets import PRESETS, chosen_preset

    arguments = config.model.arguments
    preset = chosen_preset(str(arguments["preset"]), arguments.get("latent_dim"))
    return int(arguments.get("max_steps") or PRESETS[preset]["max_steps"])


def _merged(arguments: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    found = dict(arguments)
    for name, value in nested(params).items():
        old = found.get(name)
        found[name] = {**(old or {}), **value} if isinstance(value, dict) else value
    return found


class _State:
    """The trials of a sweep on disk."""

    def __init__(
        self, folder: Path, config: RunConfig, space: Space, method: str, levels: list[int], max_steps: int
    ) -> None:
        self.folder, self.config, self.space = folder, config, space
        self.method, self.levels, self.max_steps = method, levels, max_steps
        self.trials: list[Trial] = []
        self.alone: list[dict[str, Any]] = []
        self.rng = np.random.default_rng([config.seed, 1])

    def save(self) -> None:
        """Write state and table."""
        stored = {
            "schema_name": "neurognode.sweep",
            "schema_version": VERSION,
            "method": self.method,
            "levels": self.levels,
            "trials": [t.to_json() for t in self.trials],
            "config": self.config.model_dump(),
        }
        with atomic_path(self.folder / "sweep.json") as temporary:
            temporary.write_text(json.dumps(_without_nan(plain(stored)), indent=1), encoding="utf-8")
        rows = Sweep(self.folder, self.trials).rows()
        names = list(dict.fromkeys(key for row in rows for key in row))
        with (
            atomic_path(self.folder / "table.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, names, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def load(self) -> None:
        """Read the state of a sweep that was stopped."""
        path = self.folder / "sweep.json"
        if not path.is_file():
            raise RunError(f"There is no sweep to resume in {str(self.folder)!r}.")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            trials = [Trial.from_json(t) for t in stored["trials"]]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{str(path)!r} is damaged: {error}.") from error
        if stored["method"] != self.method or stored["levels"] != self.levels:
            raise RunError(
                f"The sweep in {str(self.folder)!r} was begun with other settings (method or steps)."
            )
        self.trials = trials

    def job(self, trial: Trial, until: int) -> dict[str, Any]:
        """What a worker needs to know."""
        config = self.config.model_copy(deep=True)
        config.model.arguments = _merged(config.model.arguments, trial.params)
        config.model.arguments["max_steps"] = self.max_steps
        folder = Sweep(self.folder, []).folder(trial)
        return {"config": config.model_dump(), "folder": str(folder), "until": until}

    def take_over(self, winner: Trial, loser: Trial) -> None:
        """Give the loser the winner's checkpoint, and its own configuration."""
        sweep_ = Sweep(self.folder, [])
        source, target = sweep_.folder(winner), sweep_.folder(loser)
        with atomic_path(target / "checkpoints" / "training.safetensors") as temporary:
            shutil.copyfile(source / "checkpoints" / "training.safetensors", temporary)
        job = RunConfig.model_validate(self.job(loser, 0)["config"])
        stored = RunConfig.load(target / "config.yaml")
        stored.model.arguments = plain(model_arguments(job.model.arguments))
        stored.save(target / "config.yaml")


def _drive(state: _State, workers: int, ray: str | None, tell: Callable[[str], None]) -> None:
    """Run jobs until nothing is left to start."""
    if workers <= 1 and ray is None:
        while (jobs := next_jobs(state.trials, state.levels, state.method))[0]:
            _one_process(state, *jobs, tell)
        return
    failures = 0
    while True:
        pool = Processes(workers) if ray is None else RayCluster(ray, workers)
        try:
            with pool:
                _drive_pool(state, pool, tell)
            return
        except pool.broken:
            failures += 1
            if failures > RETRIES:
                raise RunError("Worker processes died again and again; is there enough memory?") from None
            tell("a worker process died: its trial goes on from its last checkpoint")
            for trial in state.trials:
                if trial.state == "running":
                    trial.state = "paused" if trial.scores else "waiting"


def _one_process(state: _State, ready: list[Trial], until: int, tell: Callable[[str], None]) -> None:
    """Run the first of the jobs that are ready, together with those of the same shape."""
    trial, shape = ready[0], _shape(ready[0])
    peers = [t for t in ready if _shape(t) == shape and t.steps == trial.steps][:TOGETHER]
    if len(peers) > 1 and shape not in state.alone:
        before = [peer.state for peer in peers]
        for peer in peers:
            peer.state = "running"
        state.save()
        whole = state.method == "random"
        path = str(state.folder / f"together-{peers[0].id:03d}.safetensors") if whole else None
        outcomes = advance_together([state.job(peer, until) for peer in peers], path)
        if outcomes is not None:
            for peer, outcome in zip(peers, outcomes):
                _settle(state, peer, until, outcome, tell)
            return
        state.alone.append(shape)
        for peer, was in zip(peers, before):
            peer.state = was
    trial.state = "running"
    state.save()
    _settle(state, trial, until, advance(**state.job(trial, until)), tell)


def _shape(trial: Trial) -> dict[str, Any]:
    """What of a setting decides whether fits can share a training."""
    return {name: value for name, value in trial.params.items() if name not in FREE}


def _drive_pool(state: _State, pool: Processes | RayCluster, tell: Callable[[str], None]) -> None:
    running: dict[Future, tuple[Trial, int]] = {}
    while True:
        while len(running) < pool.workers:
            job = next_job(state.trials, state.levels, state.method)
            if job is None:
                break
            trial, until = job
            trial.state = "running"
            running[pool.submit(advance, **state.job(trial, until), progress=False, threads=1)] = job
        state.save()
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            trial, until = running.pop(future)
            _settle(state, trial, until, future.result(), tell)


def _settle(
    state: _State, trial: Trial, until: int, outcome: dict[str, Any], tell: Callable[[str], None]
) -> None:
    """Note how a job ended."""
    if outcome["interrupted"]:
        trial.state = "paused" if trial.scores else "waiting"
        state.save()
        raise KeyboardInterrupt
    if outcome["error"]:
        trial.state, trial.error = "failed", outcome["error"]
    else:
        trial.scores[until] = outcome["score"]
        trial.state = "done" if until >= state.max_steps else "paused"
    if state.method == "population" and trial.state == "paused":
        peers = [t for t in state.trials if t.state in ("waiting", "paused", "running")]
        if all(t.state == "paused" and t.steps == until for t in peers):
            exploit(state.trials, until, state.space, state.rng, state.take_over)
    state.save()
    shown = ", ".join(f"{k}={_short(v)}" for k, v in trial.params.items())
    ended = trial.error or f"score {trial.score:.4f} after {until} steps"
    tell(f"trial {trial.id:03d}: {ended} ({shown})")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and value != value else value
