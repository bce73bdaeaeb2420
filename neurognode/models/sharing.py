"""One fit shared by several processes of this machine, each of which takes some trials of every batch.

The others get the model as safetensors, the trials too, and the settings as JSON; nothing is pickled, so that it works
from scripts, notebooks and the command line alike. The first process, the one that called `fit`, tells the progress
and writes checkpoints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from neurognode.errors import FitError
from neurognode.models import archive, data, parallel
from neurognode.training import Settings, train
from neurognode.training.checkpoint import read_tensors, write_tensors
from neurognode.training.crew import Crew
from neurognode.training.devices import check_shared

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics

_TENSORS = ("values", "observed", "lengths", "inputs", "when")


def check(model: LatentDynamics, one_session: bool) -> None:
    """Raise a ValueError that says why the fit of a model cannot be shared, if it cannot.

    Parameters
    ----------
    model : LatentDynamics
        With ``devices`` above 1.
    one_session : bool
        Whether it is fitted to one session of trials in memory.
    """
    shared = f"devices={model.devices} shares a fit among processes, which"
    check_shared(model.device)
    if not one_session:
        raise ValueError(f"{shared} needs one session of trials in memory. Use devices=1.")
    if model.encoder not in ("gru", "causal_gru"):
        raise ValueError(f"{shared} the encoder {model.encoder!r} does not allow. Use 'gru', or devices=1.")
    if model.batch_size < model.devices:
        raise ValueError(f"{shared} needs a trial for each: batch_size={model.batch_size} is too small.")
    name = parallel.unsendable(model, ("callbacks", "checkpoint", "random_state"))
    if name:
        raise ValueError(
            f"{shared} needs settings that can be written as text; {name} cannot. Use devices=1."
        )


@contextlib.contextmanager
def crew_of(model: LatentDynamics, tensors: data.TrialTensors, settings: Settings) -> Iterator[Crew]:
    """Start the other processes of a fit, which end with the block; gives this process its place among them.

    Raises
    ------
    FitError
        If one of them does not start.
    """
    count = min(model.devices, len(tensors), settings.batch_size)
    with tempfile.TemporaryDirectory(prefix="neurognode-") as folder:
        place = Path(folder)
        archive.save(model, place / "model.safetensors")
        parts = {name: getattr(tensors, name) for name in _TENSORS}
        write_tensors(place / "trials.safetensors", {k: v for k, v in parts.items() if v is not None}, {})
        plain = dataclasses.asdict(dataclasses.replace(settings, checkpoint=None)) | {"crew": None}
        resumed = settings.checkpoint if settings.resume else None
        order = {
            "settings": plain,
            "count": count,
            "checkpoint": None if resumed is None else os.path.abspath(resumed),
        }
        (place / "order.json").write_text(json.dumps(order), encoding="utf-8")
        others = [_start(place, rank) for rank in range(1, count)]
        try:
            _await(place, others)
            yield Crew(0, count, str(place / "meeting"))
        except FitError as error:
            raise FitError(f"{error}{_said(place, others)}") from error
        finally:
            for other in others:
                other.kill()
                other.wait()


def _start(place: Path, rank: int) -> subprocess.Popen[bytes]:
    search = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    with (place / f"{rank}.err").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "neurognode.models.sharing", str(place), str(rank)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "PYTHONPATH": search},
            start_new_session=True,
        )


def _await(place: Path, others: list[subprocess.Popen[bytes]]) -> None:
    """Wait until every other process has read what it needs."""
    waiting = list(range(1, len(others) + 1))
    while waiting:
        waiting = [rank for rank in waiting if not (place / f"{rank}.ready").exists()]
        if any(other.poll() is not None for other in others):
            raise FitError("A process that shares the fit did not start.")
        time.sleep(0.05)


def _said(place: Path, others: list[subprocess.Popen[bytes]]) -> str:
    """The last words of those that ended."""
    for rank, other in enumerate(others, 1):
        words = (place / f"{rank}.err").read_text(errors="replace").strip().splitlines()
        if other.poll() and words:
            return f" Its last words: {words[-1]}"
    return ""


def main(folder: str, number: str) -> None:
    """Take part in a fit; what the other processes run."""
    place, rank = Path(folder), int(number)
    order: dict[str, Any] = json.loads((place / "order.json").read_text(encoding="utf-8"))
    model = archive.load(place / "model.safetensors")
    tensors = read_tensors(place / "trials.safetensors")[0]
    trials = data.TrialTensors(*(tensors.get(name) for name in _TENSORS))  # type: ignore[arg-type]
    given = order["settings"] | {
        "betas": tuple(order["settings"]["betas"]),
        "checkpoint": order["checkpoint"],
    }
    crew = Crew(rank, order["count"], str(place / "meeting"))
    network = model.network_
    network.noise_factor = 1.0
    torch.set_num_threads(1)
    (place / f"{rank}.ready").touch()
    train(network, trials, Settings(**given | {"crew": crew}))


if __name__ == "__main__":
    main(*sys.argv[1:])
