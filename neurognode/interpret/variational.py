"""The flow with its derivative: states along paths, and what each step does to nearby states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from neurognode.interpret.flow import Flow

LARGEST = 40_000_000
"""Numbers held at once; longer runs are cut into pieces."""


@torch.no_grad()
def _stages(flow: Flow, h: torch.Tensor, dt: float, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States (count + 1, n, N) and the points at which Runge-Kutta looks at the field (count, stages, n, N)."""
    states, points = [h], []
    f = flow.tensor_velocity
    for _ in range(count):
        if flow.is_map:
            points.append(torch.stack([h]))
            h = h + dt * f(h)
        else:
            a = f(h)
            second = h + dt / 2 * a
            b = f(second)
            third = h + dt / 2 * b
            c = f(third)
            fourth = h + dt * c
            points.append(torch.stack([h, second, third, fourth]))
            h = h + dt / 6 * (a + 2 * b + 2 * c + f(fourth))
        states.append(h)
    return torch.stack(states), torch.stack(points)


def tangent_steps(
    flow: Flow, states: np.ndarray, dt: float, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Follow states (n, N) for `count` steps of `dt` seconds, in pieces.

    Yields
    ------
    states : array (steps + 1, n, N)
    propagators : array (steps, n, N, N)
        Derivative of each step, to the order of the integration (4; exact for a map).
    """
    h = torch.as_tensor(np.array(states, float))
    n, dim = h.shape
    size = max(1, min(count, LARGEST // max(1, 4 * n * dim * dim)))
    eye = np.eye(dim)
    for start in range(0, count, size):
        steps = min(size, count - start)
        along, points = _stages(flow, h, dt, steps)
        jacobian = flow.jacobian(points.reshape(-1, dim).numpy()).reshape(*points.shape, dim)
        if flow.is_map:
            step = eye + dt * jacobian[:, 0]
        else:
            a = jacobian[:, 0]
            b = jacobian[:, 1] @ (eye + dt / 2 * a)
            c = jacobian[:, 2] @ (eye + dt / 2 * b)
            d = jacobian[:, 3] @ (eye + dt * c)
            step = eye + dt / 6 * (a + 2 * b + 2 * c + d)
        h = along[-1]
        yield along.numpy(), step
