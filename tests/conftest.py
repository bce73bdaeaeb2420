"""Shared fixtures: where the real recordings are, and quiet threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NEUROGNODE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture
def data_file() -> Callable[[str], Path]:
    """Path of a real recording; skips where the recordings are not there."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"recording {name} is not in {DATA} (set NEUROGNODE_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def small_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated recording of two choice attractors as NWB: 24 trials of 1.2 s, 12 units."""
    from neurognode.synthetic import circuits, simulate_recording

    path = tmp_path_factory.mktemp("recording") / "small.nwb"
    return simulate_recording(circuits.make("bistable"), n_units=12, n_trials=24, random_state=1).to_nwb(path)


@pytest.fixture(scope="session")
def small_run(small_recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with every step done: three members of two latents, a few training steps. Do not change it."""
    from neurognode import runs
    from neurognode.cli import run

    out = tmp_path_factory.mktemp("run") / "run"
    options = "--align start_time --window 0 1.2 --bin-size 0.04 --condition choice --inputs stimulus --latent-dim 2"
    quick = "--members 3 --max-steps 4 --set validation_fraction=0.2 --set n_samples=2 --jobs 1 --quiet --only fit"
    assert run(["fit", str(small_recording), *options.split(), *quick.split(), "--out", str(out)]) == 0
    made = runs.load_run(out)
    runs.evaluate_run(made)
    runs.compare_run(made, n_rescored=2)
    runs.export_run(made, incomplete="write")
    runs.report_run(made)
    return out
