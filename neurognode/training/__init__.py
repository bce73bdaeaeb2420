"""From a module, an objective and batches to weights: the loop, devices, checkpoints, progress.

This room knows neither `Trials` nor estimators. A module's ``forward(batch, progress)`` returns a dict with
the ``"loss"`` to minimise and any other scalars worth logging; the data object hands out batches by index.
"""

from __future__ import annotations

from neurognode.training.callbacks import Callback, CallbackList
from neurognode.training.loop import Outcome, Settings, train
from neurognode.training.progress import ProgressBar

__all__ = ["Callback", "CallbackList", "Outcome", "ProgressBar", "Settings", "train"]
