"""Inputs and targets of a task as tensors, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

LOSSES = ("mse", "cross_entropy")


@dataclass
class TaskData:
    """Trials of a task.

    Attributes
    ----------
    inputs : Tensor (..., B, T, I)
        With a leading member axis after `members`.
    targets : Tensor (..., B, T, D), or (..., B) of classes, or None
    mask : Tensor (..., B, T) or None
        False where the target does not count.
    intervals : Tensor (..., B, T) or None
        Seconds before each bin.
    output_dim : int
    classes : bool
        Whether targets are classes, read from the last bin that counts.
    """

    inputs: Tensor
    targets: Tensor | None
    mask: Tensor | None
    intervals: Tensor | None
    output_dim: int
    classes: bool

    def __len__(self) -> int:
        return self.inputs.shape[-3]

    def rows(self, index: Tensor) -> TaskData:
        """Some of the trials; an index (K, B) gives every member its own."""

        def pick(value: Tensor | None) -> Tensor | None:
            return None if value is None else value[index]

        return replace(
            self,
            inputs=self.inputs[index],
            targets=pick(self.targets),
            mask=pick(self.mask),
            intervals=pick(self.intervals),
        )

    @property
    def lengths(self) -> Tensor | None:
        """Bins up to the last that counts, for classification; None where all are used."""
        if self.mask is None or not self.classes:
            return None
        return self.last() + 1

    def last(self) -> Tensor:
        """Index of the last bin that counts, (..., B)."""
        n_bins = self.inputs.shape[-2]
        if self.mask is None:
            return torch.full(self.inputs.shape[:-2], n_bins - 1)
        return n_bins - 1 - torch.argmax(self.mask.flip(-1).int(), dim=-1)

    def weight(self) -> Tensor:
        """1 where the target counts, (..., B, T)."""
        return torch.ones(self.inputs.shape[:-1]) if self.mask is None else self.mask.float()

    def loss(self, outputs: Tensor) -> Tensor:
        """Loss of every member (K,) for outputs (K, B, T, D)."""
        assert self.targets is not None
        if not self.classes:
            weight = self.weight()[..., None]
            total = weight.sum((1, 2, 3)) * outputs.shape[-1]
            return (weight * (outputs - self.targets) ** 2).sum((1, 2, 3)) / total
        index = self.last()[..., None, None].expand(*outputs.shape[:2], 1, outputs.shape[-1])
        logits = outputs.gather(2, index)[:, :, 0]
        chosen = torch.log_softmax(logits, -1).gather(-1, self.targets[..., None])
        return -chosen[..., 0].mean(1)


def prepare(
    inputs: Any, targets: Any = None, mask: Any = None, times: Any = None, loss: str = "mse"
) -> TaskData:
    """Check a task's arrays and make tensors of them; `inputs` may be a `TaskTrials` that holds them all.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> from neurognode.models.task_data import prepare
    >>> from neurognode.synthetic import tasks
    >>> prepare(tasks.make("square", 4)).inputs.shape
    torch.Size([4, 100, 2])
    """
    if isinstance(inputs, TaskData):
        return inputs
    if hasattr(inputs, "inputs"):
        inputs, targets, mask = inputs.inputs, inputs.targets, inputs.mask
    classes = loss == "cross_entropy"
    if targets is not None:
        targets = np.asarray(targets)
        wanted = 1 if classes else 3
        if targets.ndim != wanted:
            shape = "(trial,) of class numbers" if classes else "(trial, time, output)"
            raise ValueError(f"targets must have shape {shape}, got {targets.shape}.")
    if inputs is None:
        if targets is None or classes:
            raise ValueError("Without inputs, targets (trial, time, output) are needed.")
        inputs = np.zeros((*targets.shape[:2], 0))
    inputs = np.asarray(inputs)
    if inputs.ndim != 3:
        raise ValueError(f"inputs must have shape (trial, time, input), got {inputs.shape}.")
    for name, value in (("targets", targets), ("mask", mask), ("times", times)):
        if value is not None:
            want = inputs.shape[:1] if name == "targets" and classes else inputs.shape[:2]
            if np.shape(value)[: len(want)] != want:
                raise ValueError(f"{name} has shape {np.shape(value)}; inputs have {inputs.shape}.")
    intervals = None
    if times is not None:
        gaps = np.diff(np.asarray(times, float), axis=1)
        intervals = torch.as_tensor(np.concatenate([gaps[:, :1], gaps], axis=1), dtype=torch.float32)
    return TaskData(
        inputs=torch.as_tensor(inputs, dtype=torch.float32),
        targets=None
        if targets is None
        else torch.as_tensor(targets, dtype=torch.int64 if classes else torch.float32),
        mask=None if mask is None else torch.as_tensor(np.asarray(mask, bool)),
        intervals=intervals,
        output_dim=0 if targets is None else int(targets.max()) + 1 if classes else targets.shape[2],
        classes=classes,
    )
