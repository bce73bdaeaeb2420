"""The optimiser and the learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Parameters in two groups: matrices decay, vectors (biases, time constants, noise levels) do not."""
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    vectors = [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def rate_factor(progress: float, step: int, warmup_steps: int, final: float) -> float:
    """Factor on the learning rate: a linear rise over `warmup_steps`, then one half cosine down to `final`.

    Examples
    --------
    >>> from neurognode.training.optimisation import rate_factor
    >>> round(rate_factor(1.0, 1000, 10, 0.01), 3), round(rate_factor(0.0, 4, 10, 0.01), 3)
    (0.01, 0.5)
    """
    cosine = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return cosine * min(1.0, (step + 1) / max(warmup_steps, 1))


def gradient_norm(parameters: Iterable[torch.Tensor], clip: float) -> float:
    """Clip gradients to a total norm of `clip` and return the norm they had (NaN or infinite if any was)."""
    found = [p for p in parameters if p.grad is not None]
    return float(torch.nn.utils.clip_grad_norm_(found, clip, foreach=True))
