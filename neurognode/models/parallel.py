"""Members of an ensemble fitted side by side, in several processes.

Trials and settings go to the processes as npz and JSON, fitted members come back as safetensors, progress as lines
of JSON. Nothing is pickled, so that it works from scripts, notebooks and the command line alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurognode import errors
from neurognode import trials as schema
from neurognode.models import archive, data
from neurognode.training import CallbackList, ProgressBar

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics

_VARIABLES = ("counts", "activity", "observed", "inputs")


def can_fit(members: Sequence[LatentDynamics], trials: Any) -> bool:
    """Whether these fits can be handed to other processes: one session of trials, settings that JSON can carry."""
    if not isinstance(trials, xr.Dataset | np.ndarray):
        return False
    units = trials["unit"].values if isinstance(trials, xr.Dataset) else np.empty(0)
    return units.dtype.kind != "O" and not any(unsendable(member) for member in members)


def unsendable(model: LatentDynamics, but: Sequence[str] = ("callbacks",)) -> str:
    """Name of a setting, not one of `but`, that JSON cannot carry to another process; "" if all can be carried."""
    settings = model.get_params(deep=False).items()
    return next((name for name, value in settings if name not in but and not _plain(value)), "")


def _plain(value: Any) -> bool:
    """Whether `archive.plain` keeps all of a value."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufU"
    return value is None or isinstance(value, str | int | float | bool)


def fit_members(
    members: Sequence[LatentDynamics], trials: xr.Dataset | np.ndarray, n_jobs: int, labels: Sequence[str]
) -> list[LatentDynamics]:
    """Fit `members` in `n_jobs` processes at a time and return them.

    Members that can train together are dealt out to the processes, each of which trains its own in one pass.

    Raises
    ------
    ValueError, FitError
        As a fit in this process would.
    """
    from neurognode.models.fitting import can_fit_together

    checked = data.as_trials(trials, members[0].bin_size)
    data.warn_missing(checked["unit"].values, schema.not_finite(checked))
    n_jobs = min(n_jobs, len(members))
    groups = [[index] for index in range(len(members))]
    if can_fit_together(members, trials):
        groups = [part.tolist() for part in np.array_split(np.arange(len(members)), n_jobs)]
    with tempfile.TemporaryDirectory(prefix="neurognode-") as folder:
        place = Path(folder)
        _write_trials(place / "trials.npz", trials)
        threads = max(1, (os.cpu_count() or 1) // n_jobs)
        for group in groups:
            order = {"members": [_order(members[index]) for index in group], "threads": threads}
            (place / f"{_name(group)}.json").write_text(json.dumps(order), encoding="utf-8")
        waiting = list(groups)
        problems: list[tuple[str, str]] = []
        score_name = "held-out R²" if "activity" in checked else "held-out bits/spike"
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not waiting or problems:
                        return
                    group = waiting.pop(0)
                label = labels[group[0]] if len(group) == 1 else f"{len(group)} members"
                problem = _run(place, group, [members[index] for index in group], label, score_name)
                if problem is not None:
                    problems.append(problem)

        interrupted = _together(work, n_jobs, waiting)
        fitted = [
            _fitted(place, index, member) for index, member in enumerate(members) if _done(place, index)
        ]
        if problems and not (interrupted and fitted):
            kind, message = problems[0]
            raise getattr(errors, kind, ValueError if kind == "ValueError" else errors.FitError)(message)
        return fitted


def _order(member: LatentDynamics) -> dict[str, Any]:
    """What a process needs to know of a member."""
    settings = {k: archive.plain(v) for k, v in member.get_params(deep=False).items() if k != "callbacks"}
    return {"class": type(member).__name__, "settings": settings | {"progress": False}}


def _name(group: Sequence[int]) -> str:
    return "-".join(map(str, group))


def _together(work: Any, n: int, waiting: list[list[int]]) -> bool:
    """Run `work` in `n` threads; at Ctrl-C, which the children hear too, start no more and wait for what they have."""
    threads = [threading.Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    interrupted = False
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt:
                interrupted = True
                waiting.clear()
    return interrupted


def _run(
    place: Path, group: Sequence[int], members: Sequence[LatentDynamics], label: str, score_name: str
) -> tuple[str, str] | None:
    """Fit some members in a process and pass on their progress; return what went wrong, if anything."""
    told = []
    for k, member in enumerate(members):
        bar = [ProgressBar(label, score_name)] if member.progress and k == 0 else []
        told.append(CallbackList([*(member.callbacks or []), *bar]))
    command = [sys.executable, "-m", "neurognode.models.parallel", str(place), _name(group)]
    problem: tuple[str, str] | None = None
    ended: set[int] = set()
    search = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            verb, member, *arguments = json.loads(line)
            if verb == "problem":
                problem = (arguments[0], arguments[1])
                continue
            if verb == "on_end":
                ended.add(member)
            getattr(told[member], verb)(*arguments)
        said = process.stderr.read()
    for k, listeners in enumerate(told):
        if k not in ended:
            listeners.on_end("failed")
    if problem is None and not all(_done(place, index) for index in group):
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        problem = ("FitError", f"The process that fitted {label} ended without a result: {last[0]}")
    return problem


def _done(place: Path, index: int) -> bool:
    return (place / f"{index}.safetensors").exists()


def _fitted(place: Path, index: int, member: LatentDynamics) -> LatentDynamics:
    loaded = archive.load(place / f"{index}.safetensors")
    for name, value in vars(loaded).items():
        if name.endswith("_"):
            setattr(member, name, value)
    return member


def _write_trials(path: Path, trials: xr.Dataset | np.ndarray) -> None:
    if isinstance(trials, np.ndarray):
        np.savez(path, array=trials)
        return
    schema.validate(trials)
    arrays: dict[str, Any] = {name: trials[name].values for name in _VARIABLES if name in trials}
    arrays |= {"unit": trials["unit"].values, "absolute_start": trials["absolute_time"].values[:, 0]}
    if "inputs" in trials:
        arrays["input_names"] = np.asarray(trials["input"].values).astype(str)
    facts = {"bin_size": float(trials.attrs["bin_size"]), "kind": trials.attrs["activity_kind"]}
    facts["start"] = float(trials["time"].values[0])
    np.savez(path, facts=np.array(json.dumps(facts)), **arrays)


def _read_trials(path: Path) -> xr.Dataset | np.ndarray:
    with np.load(path, allow_pickle=False) as stored:
        if "array" in stored:
            return stored["array"]
        facts = json.loads(str(stored["facts"]))
        values = stored["counts"] if "counts" in stored else stored["activity"]
        optional = {name: stored[name] for name in ("observed", "inputs", "input_names") if name in stored}
        start = stored["absolute_start"] - facts["start"]
        return schema.make_trials(
            values, units={"unit": stored["unit"]}, absolute_start=start, **optional, **facts
        )


def _say(verb: str, *arguments: Any) -> None:
    print(json.dumps([verb, *arguments]), flush=True)


class _Told:
    """Passes what happens to a member here to the process that waits for it, a few times a second."""

    def __init__(self, member: int) -> None:
        self.member, self.last = member, 0.0

    def on_start(self, total: int) -> None:
        _say("on_start", self.member, total)

    def on_step(self, step: int, total: int, metrics: Any) -> None:
        from time import monotonic

        if step == total or monotonic() - self.last > 0.3:
            self.last = monotonic()
            _say("on_step", self.member, step, total, {k: float(v) for k, v in metrics.items()})

    def on_end(self, reason: str) -> None:
        _say("on_end", self.member, reason)


def main(folder: str, name: str) -> None:
    """Fit some members; what the child process runs."""
    import torch

    from neurognode.models import estimator
    from neurognode.models.fitting import fit_together

    place = Path(folder)
    order = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
    torch.set_num_threads(order["threads"])
    models = [
        getattr(estimator, one["class"])(**one["settings"], callbacks=[_Told(k)])
        for k, one in enumerate(order["members"])
    ]
    trials = _read_trials(place / "trials.npz")
    try:
        if len(models) == 1:
            models[0].fit(trials)
        else:
            common = models[0].checkpoint
            for model in models:
                model.set_params(checkpoint=None if common is None else f"{common}-{name.rpartition('-')[2]}")
            problems = [problem for problem in fit_together(models, trials) if problem]
            if problems:
                raise errors.FitError(problems[0])
    except (ValueError, errors.NeurognodeError) as error:
        _say("problem", 0, type(error).__name__, str(error))
        return
    for index, model in zip(name.split("-"), models):
        model.save(place / f"{index}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
