"""What each constrained field was made to be."""

from __future__ import annotations

import math

import pytest
import torch

from neurognode.dynamics import build, integrate
from neurognode.dynamics.constrained import (
    DoubleWell,
    DriftDiffusion,
    LeakyLine,
    LimitCycle,
    Line,
    Plane,
    Ring,
    Rotation,
    UnstableLine,
)


def _end(field, h0, duration=4.0, inputs=None, steps=400):
    h0 = torch.tensor([h0]).double()
    times = torch.linspace(0, duration, steps + 1).double()
    x = None if inputs is None else torch.tensor(inputs).double().expand(1, steps + 1, len(inputs))
    return integrate(field.double(), h0, times, x, method="rk4")[0, -1].detach()


def test_line_keeps_its_value_and_forgets_the_rest():
    assert _end(Line(3), [0.7, 1.0, -1.0]).tolist() == pytest.approx([0.7, 0, 0], abs=1e-6)
    plane = _end(Line(3, manifold_dim=2), [0.7, 1.0, -1.0])
    assert plane.tolist() == pytest.approx([0.7, 1.0, 0.0], abs=1e-6)


def test_line_integrates_its_input():
    field = Line(1, 1)
    with torch.no_grad():
        field.input_weight.fill_(0.2)
    assert float(_end(field, [0.0], duration=0.5, inputs=[1.0])) == pytest.approx(1.0)


def test_leaky_line_decays_at_its_rate():
    assert float(_end(LeakyLine(1, leak=0.5), [1.0], duration=2.0)) == pytest.approx(math.exp(-1), rel=1e-6)


def test_unstable_line_grows_at_its_rate_and_forgets_the_rest():
    end = _end(UnstableLine(2, growth=0.5), [0.1, 1.0], duration=2.0)
    assert end.tolist() == pytest.approx([0.1 * math.e, 0.0], rel=1e-6, abs=1e-6)


def test_plane_keeps_two_values_and_integrates_into_both():
    assert _end(Plane(3), [0.7, -1.0, 1.0]).tolist() == pytest.approx([0.7, -1.0, 0.0], abs=1e-6)
    field = Plane(3, 2)
    with torch.no_grad():
        field.input_weight.copy_(0.1 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    end = _end(field, [0.0, 0.0, 0.0], duration=0.5, inputs=[1.0, -2.0])
    assert end.tolist() == pytest.approx([0.5, -1.0, 0.0], abs=1e-6)


def test_rotation_turns_at_its_frequency():
    end = _end(Rotation(2, frequency=2.0, damping=0.1), [1.0, 0.0], duration=0.5)
    assert end.tolist() == pytest.approx([math.exp(-0.05), 0.0], abs=1e-4)


@pytest.mark.parametrize("start", [0.1, -0.1])
def test_double_well_falls_into_the_nearer_well(start):
    end = _end(DoubleWell(2, width=1.5), [start, 0.3])
    assert end.tolist() == pytest.approx([math.copysign(1.5, start), 0.0], abs=1e-6)


def test_double_well_has_a_saddle_between():
    rates = DoubleWell(2, rate=4.0).rates(torch.zeros(2)).real
    assert sorted(round(float(r), 3) for r in rates) == [-10.0, 4.0]


def test_drift_diffusion_stops_at_its_bounds():
    field = DriftDiffusion(1, 1)
    with torch.no_grad():
        field.input_weight.fill_(0.1)
    half = float(_end(field, [0.0], duration=0.5, inputs=[1.0]))
    late, later = (float(_end(field, [0.0], duration=d, inputs=[1.0])) for d in (4.0, 8.0))
    assert half == pytest.approx(0.5, abs=0.01)
    assert 1.0 < late < later < 1.4
    assert later - late < 0.1


def test_ring_attracts_and_keeps_its_angle():
    end = _end(Ring(3, radius=2.0), [0.3, 0.4, 1.0])
    assert end.tolist() == pytest.approx([1.2, 1.6, 0.0], abs=1e-6)


def test_ring_turns_with_its_velocity_input():
    field = Ring(2, 1)
    with torch.no_grad():
        field.input_weight.zero_()
        field.turn_weight.fill_(math.pi / 10)
    assert _end(field, [1.0, 0.0], duration=0.5, inputs=[1.0]).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_limit_cycle_comes_back_after_its_period():
    field = LimitCycle(2, frequency=2.0)
    start = [0.0, 1.0]
    assert _end(field, start, duration=0.5).tolist() == pytest.approx(start, abs=1e-5)
    assert _end(field, start, duration=0.25).tolist() == pytest.approx([0.0, -1.0], abs=1e-5)
    assert float(_end(field, [0.1, 0.0]).norm()) == pytest.approx(1.0, abs=1e-5)


def test_parameters_are_learned_from_paths():
    target = integrate(
        LeakyLine(1, leak=2.0), torch.ones(1, 1), torch.arange(10) * 0.1, method="rk4"
    ).detach()
    field = LeakyLine(1, leak=1.0)
    optimizer = torch.optim.Adam([field.log_leak], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        path = integrate(field, torch.ones(1, 1), torch.arange(10) * 0.1, method="rk4")
        (path - target).square().mean().backward()
        optimizer.step()
    assert field.value("leak", torch.zeros(1)).item() == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ring", {"latent_dim": 1}),
        ("plane", {"latent_dim": 1}),
        ("double_well", {"latent_dim": 1, "rate": -1.0}),
    ],
)
def test_impossible_fields_are_refused(kind, options):
    with pytest.raises(ValueError, match="must be"):
        build({"kind": kind, **options})


@pytest.mark.parametrize("kind", [Ring, DoubleWell, LimitCycle])
def test_long_euler_steps_from_far_away_do_not_blow_up(kind):
    field = kind(2)
    state = torch.tensor([[30.0, -40.0]])
    with torch.no_grad():
        for _ in range(200):
            state = state + 0.05 * field(state)
    assert 0.5 < float(state.norm()) < 1.5
