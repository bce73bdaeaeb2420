"""Adaptive step sizes, by torchdiffeq, restarted wherever the input changes its course."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurognode.dynamics.problem import Problem
from neurognode.errors import IntegrationError

ORDERS = {"dopri5": 5, "dopri8": 8, "bosh3": 3, "adaptive_heun": 2}
"""The adaptive methods, with the order of each."""


class _Course(nn.Module):
    """The field over one interval, as torchdiffeq wants it: a module of time and state."""

    def __init__(
        self, problem: Problem, here: Tensor | None, there: Tensor | None, span: tuple[float, float]
    ):
        super().__init__()
        self.field, self.here, self.there, self.span = problem.field, here, there, span

    def forward(self, t: Tensor, h: Tensor) -> Tensor:
        if self.here is None or self.there is None:
            return self.field(h, self.here)
        start, stop = self.span
        fraction = ((t - start) / (stop - start)).to(h)
        return self.field(h, self.here + fraction * (self.there - self.here))


def run(problem: Problem, *, rtol: float, atol: float, adjoint: bool) -> Tensor:
    """Integrate; the error is controlled over all trials together."""
    options = {"rtol": rtol, "atol": atol, "method": problem.method}
    times = problem.times.to(problem.h0.device)
    try:
        if problem.inputs is None and problem.lengths is None:
            path = _solve(_Course(problem, None, None, (0.0, 1.0)), problem.h0, times, adjoint, options)
            return path.movedim(0, -2)
        return _interval_by_interval(problem, times, adjoint, options)
    except AssertionError as error:
        raise IntegrationError(
            f"method={problem.method!r} could not go on ({error}). The field may be stiff, or leave the "
            f"range of {problem.h0.dtype}: loosen rtol= and atol=, or use method='exponential_euler'."
        ) from error


def _interval_by_interval(problem: Problem, times: Tensor, adjoint: bool, options: dict[str, Any]) -> Tensor:
    h, states = problem.h0, [problem.h0]
    ends = None if problem.lengths is None else problem.lengths.to(h.device)
    for k in range(len(times) - 1):
        here = None if problem.inputs is None else problem.inputs[..., k, :]
        there = problem.inputs[..., k + 1, :] if problem.linear and problem.inputs is not None else None
        course = _Course(problem, here, there, (float(times[k]), float(times[k + 1])))
        new = _solve(course, h, times[k : k + 2], adjoint, options)[-1]
        h = new if ends is None else torch.where((ends > k + 1)[..., None], new, h)
        states.append(h)
    return torch.stack(states, dim=-2)


def _solve(course: _Course, h: Tensor, times: Tensor, adjoint: bool, options: dict[str, Any]) -> Tensor:
    import torchdiffeq

    if len(times) == 1:
        return h[None]
    options = {**options, "options": {"step_t": times[1:]}}  # land on the times: no interpolation error
    if not adjoint:
        return torchdiffeq.odeint(course, h, times, **options)
    drives = tuple(x for x in (course.here, course.there) if x is not None and x.requires_grad)
    wanted = (*(p for p in course.field.parameters() if p.requires_grad), *drives)
    return torchdiffeq.odeint_adjoint(course, h, times, adjoint_params=wanted, **options)
