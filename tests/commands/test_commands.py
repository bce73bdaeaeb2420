from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurognode import cli
from neurognode.commands.fit import default_out
from neurognode.runs import load_run


def test_version(capsys: pytest.CaptureFixture) -> None:
    import neurognode

    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"neurognode {neurognode.__version__}\n"


def test_help_is_fast_and_names_every_command() -> None:
    code = "import sys; from neurognode.cli import run; run(['--help']); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("inspect", "fit", "evaluate", "interpret", "compare", "report", "export", "sweep", "demo"):
        assert name in out
    assert out.strip().endswith("False"), "looking at the help must not import torch"


def test_inspect_as_text_and_json(capsys: pytest.CaptureFixture, small_recording: Path) -> None:
    assert cli.run(["inspect", str(small_recording)]) == 0
    assert "12" in capsys.readouterr().out
    assert cli.run(["inspect", str(small_recording), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "command", ["evaluate", "interpret", "report", "export --incomplete", "export --to netcdf"]
)
def test_each_step_works_on_a_run_made_elsewhere(
    capsys: pytest.CaptureFixture,
    small_run: Path,
    small_recording: Path,
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from neurognode.interpret import Portrait

    stored = Portrait.load(small_run / "portrait.nc")
    monkeypatch.setattr("neurognode.runs.steps.interpret.portrait_from", lambda *_, **options: stored)
    folder, moved = tmp_path / "run", tmp_path / "elsewhere.nwb"
    shutil.copytree(small_run, folder)
    shutil.copy(small_recording, moved)
    text = (folder / "config.yaml").read_text().replace(str(small_recording), "/nowhere/small.nwb")
    (folder / "config.yaml").write_text(text)
    name, *options = command.split()
    where = [] if name == "interpret" else ["--recording", str(moved)]
    assert cli.run([name, str(folder), *options, *where]) == 0
    if name != "interpret":
        assert cli.run([name, str(folder), *options]) == 2
        assert "--recording" in capsys.readouterr().err


def test_export_asks_for_what_the_subject_lacks(
    capsys: pytest.CaptureFixture, small_run: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "a.nwb")
    assert cli.run(["export", str(small_run), "--out", out, "--subject", "age=P3D"]) == 0
    assert Path(out).exists()
    assert cli.run(["export", str(small_run), "--to", "nwbb"]) == 2
    assert "Did you mean 'nwb'?" in capsys.readouterr().err


def test_the_recording_is_never_written_to(small_run: Path, small_recording: Path) -> None:
    before = small_recording.read_bytes()
    assert cli.run(["export", str(small_run), "--out", str(small_recording), "--incomplete"]) == 2
    assert small_recording.read_bytes() == before


def test_default_out_is_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-run").mkdir()
    assert default_out("data/a.nwb") == "a-run-2"


def _hear_ctrl_c() -> None:
    """A process started in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_a_run_that_loads_and_goes_on(small_recording: Path, tmp_path: Path) -> None:
    line = f"fit {small_recording} --align start_time --window 0 1.2 --bin-size 0.04 --latent-dim 2 --max-steps 2000"
    out = tmp_path / "run"
    arguments = [sys.executable, "-m", "neurognode", *line.split(), "--only", "fit", "--out", str(out)]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, preexec_fn=_hear_ctrl_c, **pipes) as process:
        assert process.stderr is not None
        seen = ""
        deadline = time.monotonic() + 60
        while "loss" not in seen and time.monotonic() < deadline:
            seen += process.stderr.read(80)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in said
    run = load_run(out)
    assert not run.is_finished
    assert run.fits.field_.latent_dim == 2
    assert run.latents is not None


def test_a_run_is_repeated_from_its_configuration(small_run: Path, tmp_path: Path) -> None:
    import numpy as np

    line = f"fit --config {small_run}/config.yaml --only fit --quiet --out {tmp_path}/again"
    assert cli.run(line.split()) == 0
    first, second = (load_run(path).latents["latents"].values for path in (small_run, tmp_path / "again"))
    assert np.array_equal(first, second)
