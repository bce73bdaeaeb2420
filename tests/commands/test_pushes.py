from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import xarray as xr

from neurognode import cli
from neurognode.hypotheses import Ranking


@pytest.fixture
def folder(small_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_run, tmp_path / "run")
    return tmp_path / "run"


def test_push_says_what_becomes_of_it_and_keeps_it(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["push", str(folder), "--direction", "across", "--at", "0.4", "--duration", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "across at 0.4 s" in said
    assert "spikes/s" in said
    with xr.open_dataset(folder / "push.nc", engine="h5netcdf") as kept:
        assert kept["rates"].dims == ("state", "time", "unit")
        assert float(kept["time"][-1]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--direction sideways", "push="),
        ("--direction units", "units="),
        ("--direction units --unit 0", "ID=CHANGE"),
        ("--direction units --unit nobody=1", "units="),
        ("--at 99", "outside the trials"),
    ],
)
def test_a_push_that_cannot_be_is_one_sentence(
    folder: Path, line: str, says: str, capsys: pytest.CaptureFixture
) -> None:
    assert cli.run(["push", str(folder), *line.split()]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_mechanisms_are_ranked_on_a_run(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["mechanisms", str(folder), "--mechanism", "ring", "--quiet"]) == 0
    assert "ring+residual" in capsys.readouterr().out
    ranking = Ranking.load(folder / "mechanisms.json")
    assert set(ranking.names) == {"gnode", "ring", "ring+residual"}
    assert cli.run(["mechanisms", str(folder), "--mechanism", "rings"]) == 2
    assert "Did you mean" in capsys.readouterr().err
