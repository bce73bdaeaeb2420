"""Training curves in TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from neurognode.errors import MissingExtraError
from neurognode.training.callbacks import Callback


class TensorBoard(Callback):
    """Write every logged value to a TensorBoard folder; pass it among an estimator's ``callbacks``.

    Parameters
    ----------
    folder : path
        Where TensorBoard looks for logs.
    every : int
        Steps between two entries.

    Raises
    ------
    MissingExtraError
        If the package ``tensorboard`` is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], every: int = 10) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "tensorboard") from error
        self.every = every
        self._writer: Any = SummaryWriter(os.fspath(folder))

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        if step % self.every and step != total:
            return
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def on_end(self, reason: str) -> None:
        self._writer.flush()
