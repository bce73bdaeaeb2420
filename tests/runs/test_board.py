from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from neurognode.errors import MissingExtraError
from neurognode.runs.board import TensorBoard, summary_writer


class Writer:
    """Stands in for TensorBoard's own writer."""

    written: list[tuple[str, str, float, int]]
    written = []

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder).name

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.written.append((self.folder, name, value, step))

    def close(self) -> None:
        self.folder = "closed"


def test_every_fit_gets_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    for _ in range(2):
        board = TensorBoard(tmp_path / "board")
        board.on_start(25)
        for step in range(1, 26):
            board.on_step(step, 25, {"loss": 1.0 / step})
        board.on_end("finished")
    assert [(folder, step) for folder, _, _, step in Writer.written] == [
        (f"fit-{k}", step) for k in range(2) for step in (10, 20, 25)
    ]


def test_without_it_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"neurognode\[tensorboard\]"):
        summary_writer()
