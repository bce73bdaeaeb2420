"""Unstable cycles: attractors of the flow run backwards."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from neurognode.interpret.cycles import Cycle, first_return, on_orbit, same_cycle, shoot
from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region, farthest_points


class _Backward(torch.nn.Module):
    def __init__(self, field: Any) -> None:
        super().__init__()
        self.field = field

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return -self.field(h, x)

    def jacobian(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return -self.field.jacobian(h, x)


def backward(flow: Flow) -> Flow:
    """The flow with time reversed (not for maps).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow
    >>> from neurognode.interpret.repelling import backward
    >>> from neurognode.synthetic import circuits
    >>> flow, state = Flow(circuits.make("ring").field), np.ones((1, 2))
    >>> bool((backward(flow).velocity(state) == -flow.velocity(state)).all())
    True
    """
    if flow.is_map:
        raise ValueError("A map need not have an inverse; only flows run backwards.")
    turned = copy.copy(flow)
    turned.field = _Backward(flow.field)
    return turned


def unstable_cycles(
    flow: Flow, region: Region, states: np.ndarray, *, longest: float, n_tries: int = 3
) -> list[Cycle]:
    """Periodic orbits that repel: states are run backwards, and those that stay near and keep moving are closed.

    Complete for two latents, where such an orbit attracts all around it backwards; with more latents orbits that
    attract in some directions and repel in others are found only by chance.

    Parameters
    ----------
    flow : Flow
        The field.
    states : array (n, N)
        Visited states.
    longest : float
        Longest period looked for, seconds.

    Examples
    --------
    >>> import torch, numpy as np
    >>> from neurognode.dynamics import VectorField
    >>> from neurognode.interpret import Flow, unstable_cycles, visited_region
    >>> class Repelling(VectorField):
    ...     def forward(self, h, x=None):
    ...         r2 = (h ** 2).sum(-1, keepdim=True)
    ...         return -h * (1 - r2) + 3 * torch.stack([-h[..., 1], h[..., 0]], -1)
    >>> states = np.random.default_rng(0).uniform(-0.9, 0.9, size=(200, 2))
    >>> found = unstable_cycles(Flow(Repelling(2)), visited_region(states), states, longest=5.0)
    >>> len(found), found[0].stable, round(found[0].period * 3 / (2 * np.pi), 6)
    (1, False, 1.0)
    """
    states = states[np.isfinite(states).all(1)]
    if flow.is_map or flow.dim < 2 or not len(states):
        return []
    turned = backward(flow)
    starts = states[farthest_points(region.measure(states), 24)]
    ends = turned.end(starts, longest, limit=3 * float(np.linalg.norm(region.upper - region.lower)))
    lower, upper = region.box(0.5)
    ends = ends[np.isfinite(ends).all(1) & (ends >= lower).all(1) & (ends <= upper).all(1)]
    found: list[Cycle] = []
    for start in ends[farthest_points(region.measure(ends), n_tries)] if len(ends) else ends:
        if any(on_orbit(region, cycle, start) for cycle in found):
            continue
        guess = first_return(turned, region, start, longest)
        cycle = None if guess is None else shoot(flow, region, *guess)
        if cycle is not None and not cycle.stable and not any(same_cycle(region, cycle, c) for c in found):
            found.append(cycle)
    return found
