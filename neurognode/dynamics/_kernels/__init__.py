"""Kernels of `integrate`: each computes the same numbers, and says which problems it can take."""

from __future__ import annotations

import functools
import warnings
from types import ModuleType

import torch
from torch import Tensor

from neurognode.dynamics._kernels import cells, cpu, gpu, plain, sweep
from neurognode.dynamics.problem import Problem
from neurognode.errors import one_of

KERNELS: dict[str, ModuleType] = {"cpu": cpu, "triton": gpu, "sweep": sweep, "cells": cells}
"""The kernels beside the plain version, fastest first."""
BACKENDS = ("auto", "plain", *KERNELS)


def run(problem: Problem, backend: str = "auto") -> Tensor:
    """Integrate with the named kernel, or with the fastest one that can take the problem.

    Raises
    ------
    ValueError
        If the backend is unknown, or was asked for by name and cannot take the problem.
    """
    one_of(backend, BACKENDS, "backend")
    if backend == "plain":
        return plain.run(problem)
    if backend == "auto":
        return _automatic(problem).run(problem)
    kernel = KERNELS[backend]
    reason = _unsupported(kernel, problem) or kernel.available(problem.h0.dtype)
    if reason:
        raise ValueError(f"backend={backend!r} cannot take this: {reason}. Use backend='auto' or 'plain'.")
    return kernel.run(problem)


def _unsupported(kernel: ModuleType, problem: Problem) -> str | None:
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms need the plain version"
    return kernel.supports(problem.field, problem.method, problem.h0.device, problem.h0.dtype)


def _automatic(problem: Problem) -> ModuleType:
    for name, kernel in KERNELS.items():
        if _unsupported(kernel, problem) or not kernel.pays(problem):
            continue
        reason = kernel.available(problem.h0.dtype)
        if reason is None:
            return kernel
        _warn_once(name, reason)
    return plain


@functools.cache
def _warn_once(name: str, reason: str) -> None:
    warnings.warn(
        f"The {name} kernel is not available, integration will be slower: {reason}.",
        RuntimeWarning,
        stacklevel=5,
    )
