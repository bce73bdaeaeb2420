"""Kernels of `integrate`: each computes the same numbers, and says which problems it can take."""

from __future__ import annotations

import functools
import warnings

import torch
from torch import Tensor

from neurognode.dynamics._kernels import cpu, plain
from neurognode.dynamics.problem import Problem
from neurognode.errors import one_of

BACKENDS = ("auto", "plain", "cpu")


def run(problem: Problem, backend: str = "auto") -> Tensor:
    """Integrate with the named kernel, or with the fastest one that can take the problem.

    Raises
    ------
    ValueError
        If the backend is unknown, or was asked for by name and cannot take the problem.
    """
    one_of(backend, BACKENDS, "backend")
    if backend == "auto":
        return cpu.run(problem) if _automatic(problem) else plain.run(problem)
    if backend == "cpu":
        reason = _unsupported(problem) or cpu.available(problem.h0.dtype)
        if reason:
            raise ValueError(f"backend='cpu' cannot take this: {reason}. Use backend='auto' or 'plain'.")
        return cpu.run(problem)
    return plain.run(problem)


def _unsupported(problem: Problem) -> str | None:
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms need the plain version"
    return cpu.supports(problem.field, problem.method, problem.h0.device, problem.h0.dtype)


def _automatic(problem: Problem) -> bool:
    if _unsupported(problem):
        return False
    reason = cpu.available(problem.h0.dtype)
    if reason:
        _warn_once(reason)
    return not reason


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"The compiled CPU kernel is not available, integration will be slower: {reason}.",
        RuntimeWarning,
        stacklevel=5,
    )
