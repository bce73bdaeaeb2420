"""A sweep on a real Ray cluster of a head and two workers on loopback survives the death of a worker and its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurognode.errors import MissingExtraError, RunError
from neurognode.models import load
from neurognode.runs.workers import RayCluster
from neurognode.synthetic import circuits, simulate_recording

STEPS, TRIALS = 400, 4
DRIVE = """
import sys
from neurognode.runs import RunConfig, Space
from neurognode.runs.sweep import sweep

source, out, ray, steps, n_trials, resume = sys.argv[1:]
config = RunConfig.model_validate({
    "recording": {"path": source}, "seed": 0,
    "alignment": {"arguments": {"event": "stimulus_onset_time", "window": [0.0, 0.6], "bin_size": 0.03}},
    "model": {"arguments": {
        "latent_dim": 2, "preset": "dynamics", "max_steps": int(steps), "batch_size": 16, "n_samples": 2,
        "encoder_options": {"hidden": 8}, "dynamics_options": {"hidden": [8]}, "device": "cpu",
        "checkpoint_seconds": 0.5,
    }},
})
space = Space.read({"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}})
sweep(config, space, out, n_trials=int(n_trials), ray=ray or None, resume=resume == "yes", tell=print)
"""


def ray_command() -> str:
    found = shutil.which("ray", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip("Ray is not installed (extra: sweep)")
    return found


class Cluster:
    """Three raylets on this machine, each a process in the foreground that can be killed by its id."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = 20000 + os.getpid() % 20000, folder
        self.environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
        self.nodes: list[subprocess.Popen] = []
        self.start("--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false",
                   "--disable-usage-stats", f"--temp-dir={folder}")  # fmt: skip
        time.sleep(6)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def worker(self) -> subprocess.Popen:
        return self.start(f"--address={self.address}", "--num-cpus=1")

    def start(self, *options: str) -> subprocess.Popen:
        command = [ray_command(), "start", "--block", "--node-ip-address=127.0.0.1",
                   "--object-store-memory=80000000", *options]  # fmt: skip
        with open(self.folder / f"{len(self.nodes)}.log", "w") as log:
            node = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.nodes.append(node)
        return node

    def kill(self, node: subprocess.Popen) -> None:
        """Kill a node and everything it started."""
        for process in descendants(node.pid):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        node.wait()

    def stop(self) -> None:
        for node in reversed(self.nodes):
            if node.poll() is None:
                self.kill(node)


def descendants(root: int) -> list[int]:
    """A process and all below it, parents first."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            below.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += below.get(process, [])
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    ray_command()
    folder = Path("/tmp") / f"ng-ray-{os.getpid()}"
    folder.mkdir()
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    simulated = simulate_recording(circuits.make("bistable"), n_units=12, n_trials=60, random_state=0)
    return Path(simulated.to_nwb(tmp_path / "rec.nwb") or tmp_path / "rec.nwb")


def drive(source: Path, out: Path, ray: str, resume: bool = False) -> subprocess.Popen:
    arguments = [str(source), str(out), ray, str(STEPS), str(TRIALS), "yes" if resume else "no"]
    with open(out.parent / f"{out.name}.log", "a") as log:
        return subprocess.Popen([sys.executable, "-c", DRIVE, *arguments], stdout=log, stderr=log)


def wait_for(what, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def checkpoints(out: Path) -> list[Path]:
    return list(out.glob("trials/*/checkpoints/training.safetensors"))


@pytest.mark.slow
def test_deaths_cost_no_more_than_the_last_interval(cluster: Cluster, source: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert drive(source, whole, "").wait() == 0
    workers = [cluster.worker(), cluster.worker()]
    time.sleep(6)
    driver = drive(source, cut, cluster.address)
    wait_for(lambda: checkpoints(cut) or driver.poll() is not None)
    assert driver.poll() is None, (tmp_path / "cut.log").read_text()
    cluster.kill(workers[0])
    done = len(list(cut.glob("trials/*/status.json")))
    wait_for(lambda: len(list(cut.glob("trials/*/status.json"))) > done)
    assert driver.poll() is None, "the sweep goes on without the worker"
    driver.kill()
    driver.wait()
    cluster.worker()
    time.sleep(8)
    assert drive(source, cut, cluster.address, resume=True).wait() == 0, (tmp_path / "cut.log").read_text()
    states = [json.loads((out / "sweep.json").read_text())["trials"] for out in (whole, cut)]
    for one, two in zip(*states):
        assert (one["state"], one["params"]) == ("done", two["params"])
        assert one["scores"] == two["scores"], "a trial that was cut has the numbers of one that was not"
    for trial in range(TRIALS):
        models = [load(out / "trials" / f"{trial:03d}" / "weights.safetensors") for out in (whole, cut)]
        weights = zip(*(model.network_.state_dict().values() for model in models))
        assert all(a.equal(b) for a, b in weights)
    assert np.isfinite([t["scores"][str(STEPS)] for t in states[1]]).all()


def test_no_cluster_is_one_clear_message() -> None:
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError, match="pip install"):
            RayCluster("127.0.0.1:1", 1)
        return
    with pytest.raises(RunError, match="no Ray cluster"):
        RayCluster("nowhere", 1)
