"""The tutorials run from top to bottom and end in their statement."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parent.parent / "tutorials"
NEEDS = {"first_recording": "reach_delay.nwb", "is_it_a_ring": "fly_ring_bar.nwb", "two_bit_flip_flop": None}


def test_every_tutorial_is_tested() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.py")} == set(NEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NEEDS))
def test_tutorial_runs(name: str, tmp_path: Path, monkeypatch, data_file, capsys) -> None:
    if NEEDS[name]:
        monkeypatch.setenv("NEUROGNODE_DATA", os.fspath(data_file(NEEDS[name]).parent))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(os.fspath(TUTORIALS / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].rstrip().endswith("."), f"the last line is not a statement: {printed[-1]!r}"
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
