"""Training curves for TensorBoard, where it is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurognode.errors import MissingExtraError
from neurognode.training import Callback


def summary_writer() -> Any:
    """The class that writes TensorBoard's files; MissingExtraError with the install line where it is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    return SummaryWriter


class TensorBoard(Callback):
    """Listener that writes every measure of a fit, each fit into a folder of its own.

    Parameters
    ----------
    folder : path
        Where; fits are numbered ``fit-0``, ``fit-1`` ... in the order they start.
    every : int
        Steps between records.
    """

    def __init__(self, folder: str | os.PathLike[str], every: int = 10) -> None:
        self.folder, self.every = Path(folder), every
        self._writer: Any = None

    def on_start(self, total: int) -> None:
        """Open the next folder that is not taken."""
        number = 0
        while True:
            try:
                (self.folder / f"fit-{number}").mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
        self._writer = summary_writer()(str(self.folder / f"fit-{number}"))

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Write the measures of every tenth step and of the last."""
        if step % self.every == 0 or step == total:
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, step)

    def on_end(self, reason: str) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
