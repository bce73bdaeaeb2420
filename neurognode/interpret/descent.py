"""Cheap ways into the neighbourhood of zeros, in single precision: down the squared speed, or along the flow."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.interpret.flow import Flow

MEMORY = 5
"""A step may raise the squared speed above the last, but not above the last so many."""
FIRST, LONGEST = 0.02, 0.2
"""Length of the first step and of the longest, in diameters of the region."""


def descend(flow: Flow, states: np.ndarray, scale: float, steps: int) -> np.ndarray:
    """Move states (n, N) down the squared speed of the open field by `steps` gradient steps each.

    Every state has its own step length, after Barzilai and Borwein (1988, IMA J. Numer. Anal. 8:141), with a step
    refused that raises the squared speed above its last values (Raydan 1997, SIAM J. Optim. 7:26). One step costs
    two evaluations of the field, a hundredth of a Newton step with 64 latents, and saddles attract as much as nodes.

    Parameters
    ----------
    flow : Flow
        The field.
    states : array (n, N)
        Starts; those with a speed that is not finite stay where they are.
    scale : float
        The region's diameter, latent units.
    steps : int
        Number of steps.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow
    >>> from neurognode.interpret.descent import descend
    >>> from neurognode.synthetic import circuits
    >>> flow = Flow(circuits.make("bistable").field)
    >>> starts = np.random.default_rng(0).normal(size=(50, flow.dim))
    >>> before, after = (np.linalg.norm(flow.velocity(h), axis=1) for h in (starts, descend(flow, starts, 3.0, 30)))
    >>> bool(np.median(after) < 0.1 * np.median(before))
    True
    """
    light = flow.single()
    h = torch.as_tensor(np.asarray(states), dtype=torch.float32)
    value, gradient = _squared_speed(light, h)
    length = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    step = FIRST * scale / length.clamp_min(1e-30)
    last = [value]
    for k in range(steps):
        move = -step * gradient
        length = torch.linalg.vector_norm(move, dim=1, keepdim=True)
        move = move * (LONGEST * scale / length.clamp_min(1e-30)).clamp(max=1.0)
        new_value, new_gradient = _squared_speed(light, h + move)
        taken = (new_value <= torch.stack(last).amax(0))[:, None]
        change = new_gradient - gradient
        along = (move * change).sum(1, keepdim=True)
        squared = (move * move) if k % 2 else (change * change)
        ratio = squared.sum(1, keepdim=True) / along if k % 2 else along / squared.sum(1, keepdim=True)
        longer = torch.where(along > 0, ratio, 2 * step)
        step = torch.where(taken & torch.isfinite(longer), longer, 0.25 * step)
        h = torch.where(taken, h + move, h)
        gradient = torch.where(taken, new_gradient, gradient)
        last = [*last[-MEMORY + 1 :], torch.where(taken[:, 0], new_value, last[-1])]
    return h.double().numpy()


def follow(flow: Flow, states: np.ndarray, scale: float, steps: int) -> np.ndarray:
    """Move states (n, N) along the open flow, towards its attractors, by `steps` Euler steps each.

    Every state has its own step, half the inverse of the rate at which its velocity last changed along its path;
    where that leads need not be exact, as a search for zeros follows.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow
    >>> from neurognode.interpret.descent import follow
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> flow, starts = Flow(circuit.field), np.random.default_rng(0).normal(size=(50, 2))
    >>> wells = circuit.key.fixed_points[circuit.key.stable]
    >>> gap = np.linalg.norm(follow(flow, starts, 3.0, 60)[:, None] - wells, axis=2).min(1)
    >>> bool(np.median(gap) < 0.01)
    True
    """
    light = flow.single()
    h = torch.as_tensor(np.asarray(states), dtype=torch.float32)
    with torch.no_grad():
        velocity = light.tensor_open_velocity(h)
        speed = torch.linalg.vector_norm(velocity, dim=1, keepdim=True).clamp_min(1e-30)
        longest = LONGEST * scale
        step = FIRST * scale / speed
        for _ in range(steps):
            move = step * velocity
            length = torch.linalg.vector_norm(move, dim=1, keepdim=True).clamp_min(1e-30)
            move = move * (longest / length).clamp(max=1.0)
            after = light.tensor_open_velocity(h + move)
            rate = torch.linalg.vector_norm(after - velocity, dim=1, keepdim=True) / length.clamp(max=longest)
            good = torch.isfinite(after).all(1, keepdim=True)
            step = torch.where(good, torch.minimum(0.5 / rate.clamp_min(1e-30), 2 * step), 0.1 * step)
            h, velocity = torch.where(good, h + move, h), torch.where(good, after, velocity)
    return h.double().numpy()


def _squared_speed(flow: Flow, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Half the squared speed (n,), and its gradient (n, N)."""
    with torch.enable_grad():
        z = h.detach().requires_grad_()
        value = 0.5 * (flow.tensor_open_velocity(z) ** 2).sum(1)
        if not value.requires_grad:
            return value, torch.zeros_like(z)
        (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), gradient
