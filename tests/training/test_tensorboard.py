"""TensorBoard is an extra: its absence is said in one sentence, its presence gives a log."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from neurognode.errors import MissingExtraError
from neurognode.training.tensorboard import TensorBoard


def test_logs_or_says_what_to_install(tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorboard") is None:
        with pytest.raises(MissingExtraError, match="pip install"):
            TensorBoard(tmp_path)
        return
    log = TensorBoard(tmp_path, every=1)
    log.on_step(1, 1, {"loss": 0.5})
    log.on_end("finished")
    assert list(tmp_path.iterdir())
