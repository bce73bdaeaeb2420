"""Run folders of every release stay readable."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import neurognode as ng
from neurognode import runs
from neurognode.cli import run

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.zip"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def old_run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run folder as a release left it: two members of two latents, on a recording that is not there any more."""
    with zipfile.ZipFile(request.param) as packed:
        packed.extractall(tmp_path)
    return tmp_path / request.param.stem


def test_this_version_has_its_run() -> None:
    assert ng.__version__ in {path.stem for path in RELEASES}


def test_everything_in_it_loads(old_run: Path) -> None:
    made = runs.load_run(old_run)
    assert made.is_finished
    assert np.isfinite(made.latents["latents"].values).any()
    assert made.metrics["table"]
    assert {v.status for v in made.verdicts} <= {"supported", "rejected", "cannot_tell"}
    states = np.random.default_rng(0).normal(size=(40, 2))
    assert ng.portrait(made.fits.members_[0].field_, states).fixed_points.points.shape[1] == 2


def test_it_is_interpreted_again_without_its_recording(old_run: Path) -> None:
    (old_run / "portrait.nc").unlink()
    assert run(["interpret", str(old_run)]) == 0
    assert runs.load_run(old_run).portrait is not None
