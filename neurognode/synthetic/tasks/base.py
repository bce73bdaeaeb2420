"""A batch of trials of a task: inputs, targets, and where targets count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TaskTrials:
    """Trials of a task that a network is trained on.

    Attributes
    ----------
    name : str
    inputs : array (trial, time, input)
    targets : array (trial, time, output)
        Wanted in the same bin as the input.
    dt : float
        Width of a bin in seconds.
    mask : bool array (trial, time) or None
        False where the output does not matter.
    """

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    dt: float
    mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | np.ndarray) -> TaskTrials:
        mask = None if self.mask is None else self.mask[rows]
        return TaskTrials(self.name, self.inputs[rows], self.targets[rows], self.dt, mask)

    @property
    def times(self) -> np.ndarray:
        """Start of each bin in seconds, shape (time,)."""
        return np.arange(self.inputs.shape[1]) * self.dt
