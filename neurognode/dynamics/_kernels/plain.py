"""The reference kernel: a loop of torch operations, differentiated by autograd; takes any field or map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from neurognode.dynamics.base import Map
from neurognode.dynamics.methods import METHODS, Drive
from neurognode.dynamics.problem import Problem

_SEGMENT = 64
"""Intervals that are recomputed together when checkpointing."""


def run(problem: Problem) -> Tensor:
    """Integrate step by step."""
    n_intervals = len(problem.times) - 1
    pieces, h = [problem.h0.unsqueeze(-2)], problem.h0
    for start in range(0, n_intervals, _SEGMENT):
        stop = min(start + _SEGMENT, n_intervals)
        if problem.checkpoint and torch.is_grad_enabled():
            piece = checkpoint(_segment, problem, h, start, stop, use_reentrant=False)
        else:
            piece = _segment(problem, h, start, stop)
        pieces.append(piece)
        h = piece[..., -1, :]
    return torch.cat(pieces, dim=-2)


def _segment(problem: Problem, h: Tensor, start: int, stop: int) -> Tensor:
    steps = problem.steps
    ends = None if problem.lengths is None else problem.lengths.to(h.device)
    states = []
    for k in range(start, stop):
        new = _interval(problem, h, k, steps[k])
        h = new if ends is None else torch.where((ends > k + 1)[..., None], new, h)
        states.append(h)
    return torch.stack(states, dim=-2)


def _interval(problem: Problem, h: Tensor, k: int, length: float) -> Tensor:
    field = problem.field
    if isinstance(field, Map):
        count = map_steps(field, length)
        for i in range(count):
            h = field.step(h, _drive(problem, k, i / count, 1 / count)(0.0))
        return h
    step = METHODS[problem.method].step
    share = 1 / problem.substeps
    for i in range(problem.substeps):
        h = step(field, h, _drive(problem, k, i * share, share), length * share)
    return h


def _drive(problem: Problem, k: int, offset: float, share: float) -> Drive:
    """Input as a function of the fraction of a substep that covers ``share`` of interval ``k``."""
    if problem.inputs is None:
        return lambda fraction: None
    here = problem.inputs[..., k, :]
    if not problem.linear:
        return lambda fraction: here
    there = problem.inputs[..., k + 1, :]
    return lambda fraction: torch.lerp(here, there, offset + fraction * share)


def map_steps(field: Map, length: float) -> int:
    """Whole number of steps of a map in an interval.

    Raises
    ------
    ValueError
        If the interval is not a positive multiple of the map's step.
    """
    count = round(length / field.dt)
    if count < 1 or abs(length / field.dt - count) > 1e-4 * count:
        raise ValueError(f"An interval of {length:g} s is not a whole number of steps of dt={field.dt:g} s.")
    return count
