"""The progress bar: what is being done, how far, how good it is so far, and when it will be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tqdm.auto import tqdm

from neurognode.training.callbacks import Callback


class ProgressBar(Callback):
    """A tqdm bar with the smoothed loss and the latest validation score; tqdm adds speed and time left.

    Parameters
    ----------
    description : str
        What is being done, shown at the left.
    score_name : str
        How the validation score is called, e.g. ``"held-out bits/spike"``.
    file : file-like, optional
        Where to draw; standard error by default.

    Examples
    --------
    >>> import io
    >>> from neurognode.training import ProgressBar
    >>> text = io.StringIO()
    >>> bar = ProgressBar("fit", file=text)
    >>> bar.on_start(2)
    >>> bar.on_step(1, 2, {"loss": 1.0})
    >>> bar.on_step(2, 2, {"loss": 0.5, "score": 0.1})
    >>> bar.on_end("finished")
    >>> "score 0.100" in text.getvalue()
    True
    """

    def __init__(self, description: str = "fit", score_name: str = "score", file: Any = None) -> None:
        self.description, self.score_name, self.file = description, score_name, file
        self._bar: Any = None
        self._loss: float | None = None

    def on_start(self, total: int) -> None:
        self._bar = tqdm(total=total, desc=self.description, file=self.file, unit="step", mininterval=0.2)
        self._loss = None

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        loss = metrics.get("loss")
        if loss is not None:
            self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        shown = [] if self._loss is None else [f"loss {self._loss:.4g}"]
        if "score" in metrics:
            shown.append(f"{self.score_name} {metrics['score']:.3f}")
        self._bar.set_postfix_str(", ".join(shown), refresh=step == total)
        self._bar.update(step - self._bar.n)

    def on_end(self, reason: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
