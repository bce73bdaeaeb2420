from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from neurognode import cli


@pytest.fixture
def folder(small_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_run, tmp_path / "run")
    return tmp_path / "run"


def test_equations_are_said_and_kept(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["equations", str(folder), "--degree", "2"]) == 0
    said = capsys.readouterr().out
    assert "dh0/dt =" in said
    assert "held-out error" in said
    assert (folder / "equations.txt").read_text().splitlines()[0].strip() in said
    table = pd.read_csv(folder / "equations.csv", index_col="term")
    assert "dh1/dt" in table.columns
    assert all(name.count("^3") == 0 for name in table.index)


def test_proofs_are_said_and_kept(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["prove", str(folder), "--tolerance", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "fixed points proved" in said
    assert "affine pieces" in said
    assert {"kind", "latent_0", "radius"} <= set(pd.read_csv(folder / "proved_fixed_points.csv").columns)
    assert len(pd.read_csv(folder / "pieces.csv")) > 0


def test_a_tolerance_of_zero_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["prove", str(folder), "--tolerance", "0"]) == 2
    assert "tolerance=0" in capsys.readouterr().err
