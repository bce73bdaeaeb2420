"""What may listen to a training run, and the list that tells all listeners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Callback:
    """Base class of listeners; override what you need. A plain function is used as `on_step`.

    Examples
    --------
    >>> from neurognode.training import Callback, CallbackList
    >>> class Last(Callback):
    ...     def on_step(self, step, total, metrics):
    ...         self.loss = metrics["loss"]
    >>> last = Last()
    >>> CallbackList([last]).on_step(1, 10, {"loss": 0.5})
    >>> last.loss
    0.5
    """

    def on_start(self, total: int) -> None:
        """Training begins; it will take `total` optimiser steps unless something stops it earlier."""

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """An optimiser step is done. `metrics` holds the latest value of everything logged."""

    def on_end(self, reason: str) -> None:
        """Training ended, for one of the reasons listed in `Outcome.stopped`."""


class CallbackList(Callback):
    """Tell several listeners, in order.

    Parameters
    ----------
    callbacks : iterable of Callback or callable
        A callable is called as ``callback(step, total, metrics)``.
    """

    def __init__(self, callbacks: Iterable[Any] = ()) -> None:
        self.callbacks = list(callbacks)

    def on_start(self, total: int) -> None:
        self._tell("on_start", total)

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        for callback in self.callbacks:
            getattr(callback, "on_step", callback)(step, total, metrics)

    def on_end(self, reason: str) -> None:
        self._tell("on_end", reason)

    def _tell(self, name: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            method = getattr(callback, name, None)
            if method is not None:
                method(*arguments)
