"""The optimiser and the learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

PACE = 5.0
"""How many times faster than the others the parameters move that a module calls `quick`."""


def quick_names(module: nn.Module) -> set[str]:
    """Names of the parameters that move faster: those in the attribute ``quick`` of any part of the module.

    An optimiser of Adam's kind moves no parameter farther in a step than the learning rate, so that the logarithm of
    a noise level would take a thousand steps to grow by a few.

    Examples
    --------
    >>> from neurognode.dynamics import Diffusion
    >>> from neurognode.training.optimisation import quick_names
    >>> quick_names(Diffusion(2))
    {'log_std'}
    """
    return {
        f"{name}.{own}" if name else own
        for name, part in module.named_modules()
        for own in getattr(part, "quick", ())
    }


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Parameters in groups: matrices decay, vectors (biases, time constants) do not, quick ones move faster."""
    quick = quick_names(module)
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trained if p.ndim > 1 and name not in quick]
    vectors = [p for name, p in trained if p.ndim <= 1 and name not in quick]
    fast = [p for name, p in trained if name in quick]
    groups: list[dict] = [
        {"params": matrices, "weight_decay": weight_decay, "pace": 1.0},
        {"params": vectors, "weight_decay": 0.0, "pace": 1.0},
        {"params": fast, "weight_decay": 0.0, "pace": PACE},
    ]
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
