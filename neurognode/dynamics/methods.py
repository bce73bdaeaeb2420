"""One step of each fixed-step method, with its order of convergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neurognode.dynamics.base import GatedField, VectorField, per_unit

Drive = Callable[[float], "Tensor | None"]
"""The input at a fraction (0 to 1) of the step."""
Step = Callable[[VectorField, Tensor, Drive, "float | Tensor"], Tensor]


@dataclass(frozen=True)
class Method:
    """A fixed-step method.

    Attributes
    ----------
    name : str
        Its name.
    order : int
        Order of convergence.
    step : callable
        Makes one step.
    nodes, shares : tuple of float
        Where in the step each stage is evaluated, and how much its slope counts. Every stage starts from the
        slope of the one before it alone.
    """

    name: str
    order: int
    step: Step
    nodes: tuple[float, ...] = (0.0,)
    shares: tuple[float, ...] = (1.0,)


def exponential_euler(field: VectorField, h: Tensor, x: Drive, dt: float | Tensor) -> Tensor:
    """Step with gate and drift frozen, which is then exact: ``h + (1 - exp(-G dt / tau)) * (F - h)``.

    The new state lies between the old one and the drift for any step, so it stays bounded where the drift
    is. A field without a leak leaves nothing to integrate exactly, and the step is Euler's.
    """
    if not (isinstance(field, GatedField) and field.leak):
        return euler(field, h, x, dt)
    gate, target = field.gate(h, x(0.0)), field.drift(h, x(0.0))
    return h - torch.expm1(-gate * dt / per_unit(field.tau, h, field.members)) * (target - h)


def euler(field: VectorField, h: Tensor, x: Drive, dt: float | Tensor) -> Tensor:
    """Step along the field at the start of the step."""
    return h + dt * field(h, x(0.0))


def midpoint(field: VectorField, h: Tensor, x: Drive, dt: float | Tensor) -> Tensor:
    """Step along the field half a step ahead, as Euler's method finds it: order 2."""
    half = h + 0.5 * dt * field(h, x(0.0))
    return h + dt * field(half, x(0.5))


def rk4(field: VectorField, h: Tensor, x: Drive, dt: float | Tensor) -> Tensor:
    """Step by the classical Runge-Kutta method of order 4."""
    k1 = field(h, x(0.0))
    k2 = field(h + 0.5 * dt * k1, x(0.5))
    k3 = field(h + 0.5 * dt * k2, x(0.5))
    k4 = field(h + dt * k3, x(1.0))
    return h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("exponential_euler", 1, exponential_euler),
        Method("euler", 1, euler),
        Method("rk4", 4, rk4, (0.0, 0.5, 0.5, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
        Method("midpoint", 2, midpoint, (0.0, 0.5), (0.0, 1.0)),
    )
}
