"""Cycles that repel, cycles of maps, and how they are told from what is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import Map, VectorField
from neurognode.interpret import Flow, map_cycles, portrait, unstable_cycles, visited_region
from neurognode.synthetic import circuits


class TwoCycles(VectorField):
    """A cycle of radius 1 that repels and one of radius 2 that attracts, both turning at 5 rad/s."""

    def forward(self, h, x=None):
        r2 = (h**2).sum(-1, keepdim=True)
        return h * (r2 - 1) * (4 - r2) + 5 * torch.stack([-h[..., 1], h[..., 0]], -1)


class Stepped(Map):
    """One Runge-Kutta step of a field."""

    def __init__(self, field: VectorField, dt: float) -> None:
        super().__init__(field.latent_dim, dt=dt)
        self.inner = field

    def step(self, h, x=None):
        f, dt = self.inner, self.dt
        a = f(h)
        b = f(h + dt / 2 * a)
        c = f(h + dt / 2 * b)
        return h + dt / 6 * (a + 2 * b + 2 * c + f(h + dt * c))


def test_a_repelling_cycle_is_found_beside_the_attracting_one() -> None:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    radius = np.random.default_rng(1).uniform(0.2, 2.2, 400)
    states = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    found = portrait(TwoCycles(2), states, horizon=2.0).cycles
    assert [c.stable for c in found] == [True, False]
    sizes = [np.linalg.norm(c.orbit, axis=1) for c in found]
    assert np.allclose(sizes[0], 2, atol=1e-6)
    assert np.allclose(sizes[1], 1, atol=1e-6)
    assert [c.period for c in found] == pytest.approx([2 * np.pi / 5] * 2, rel=1e-6)
    assert np.sort(found[1].exponents) == pytest.approx([0, 6], abs=1e-4)
    assert np.sort(found[0].exponents) == pytest.approx([-24, 0], rel=2e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["bistable", "ring", "rotation", "none"])
def test_no_repelling_cycle_is_invented(name: str) -> None:
    circuit = circuits.make(name)
    states = circuit.simulate(20, dt=0.01).latents.reshape(-1, circuit.latent_dim)
    assert unstable_cycles(Flow(circuit.field), visited_region(states), states, longest=3.0) == []


def test_the_cycle_of_a_map_is_that_of_its_flow() -> None:
    circuit = circuits.make("limit_cycle")
    states = circuit.simulate(20, dt=0.01).latents
    found = portrait(Stepped(circuit.field, 0.0137), states, horizon=circuit.duration).cycles
    assert len(found) == 1
    assert found[0].period == pytest.approx(circuit.key.period, rel=2e-3)
    assert found[0].stable
    slowest = np.sort(circuit.key.exponents)[::-1][1]
    assert np.sort(found[0].exponents)[::-1][1] == pytest.approx(slowest, rel=0.03)


def test_a_period_two_orbit_has_the_known_multiplier() -> None:
    class Logistic(Map):
        def step(self, h, x=None):
            return 3.3 * h * (1 - h)

    states = np.random.default_rng(0).uniform(0.3, 0.9, size=(60, 1))
    found = map_cycles(Flow(Logistic(1, dt=0.1)), visited_region(states), states)
    assert len(found) == 1
    assert found[0].period == pytest.approx(0.2)
    assert found[0].multipliers[0].real == pytest.approx(4 + 2 * 3.3 - 3.3**2, rel=1e-8)


def test_a_fixed_point_or_chaos_of_a_map_is_no_cycle() -> None:
    class Henon(Map):
        def step(self, h, x=None):
            return torch.stack([1 - 1.4 * h[..., 0] ** 2 + h[..., 1], 0.3 * h[..., 0]], -1)

    states = np.random.default_rng(0).uniform(-0.1, 0.1, size=(60, 2))
    assert map_cycles(Flow(Henon(2, dt=1.0)), visited_region(states), states) == []
    circuit = circuits.make("none")
    states = circuit.simulate(20, dt=0.01).latents.reshape(-1, circuit.latent_dim)
    assert map_cycles(Flow(Stepped(circuit.field, 0.02)), visited_region(states), states) == []
