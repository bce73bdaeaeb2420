"""A run killed at any moment goes on from its checkpoint as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurognode.models import load

FIT = """
import sys
import numpy as np
from neurognode.models import LatentDynamics

counts = np.random.default_rng(0).poisson(0.4, size=(24, 15, 6))
model = LatentDynamics(
    2, max_steps=int(sys.argv[3]), progress=False, random_state=0, checkpoint=sys.argv[1], resume=True, batch_size=8,
    encoder_options={"hidden": 8}, dynamics_options={"hidden": (8,)}, n_samples=2, device="cpu",
    checkpoint_seconds=0.05,
)
model.fit(counts).save(sys.argv[2])
"""


def start(folder: Path, name: str, steps: int) -> subprocess.Popen:
    arguments = [str(folder / f"{name}.state"), str(folder / f"{name}.safetensors"), str(steps)]
    return subprocess.Popen([sys.executable, "-c", FIT, *arguments])


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    steps = 150
    assert start(tmp_path, "whole", steps).wait() == 0
    rng = np.random.default_rng(0)
    killed = 0
    while killed < kills:
        state = tmp_path / "cut.state"
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(tmp_path, "cut", steps)
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        if process.returncode == 0:
            break
    assert killed > 0
    assert start(tmp_path, "cut", steps).wait() == 0
    one, two = (load(tmp_path / f"{name}.safetensors") for name in ("whole", "cut"))
    weights = zip(one.network_.state_dict().values(), two.network_.state_dict().values())
    assert all(a.equal(b) for a, b in weights)
    assert [e["score"] for e in one.history_] == [e["score"] for e in two.history_]
