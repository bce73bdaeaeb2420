"""Kernels of `integrate`: each computes the same numbers, and says which problems it can take."""

from __future__ import annotations

from torch import Tensor

from neurognode.dynamics._kernels import plain
from neurognode.dynamics.problem import Problem
from neurognode.errors import one_of

BACKENDS = ("auto", "plain")


def run(problem: Problem, backend: str) -> Tensor:
    """Integrate with the named kernel."""
    one_of(backend, BACKENDS, "backend")
    return plain.run(problem)
