"""Fixed points and cycles on systems whose answers are known: all found, none invented."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, VectorField
from neurognode.interpret import Flow, find_cycles, find_roots, kinds_of, portrait, visited_region
from neurognode.synthetic import circuits

ISOLATED = [n for n in circuits.names() if len(circuits.make(n).key.fixed_points)]


def known(name: str):
    circuit = circuits.make(name)
    circuit = circuits.embed(circuit, max(3, circuit.latent_dim), random_state=3)
    states = circuit.simulate(60, dt=0.01).latents
    return circuit, portrait(
        circuit.field, states, horizon=circuit.duration, diffusion=circuit.noise, bin_size=0.01, n_starts=128
    )


SLOW = ("points_2", "points_4", "points_5", "lorenz", "drifting_ring")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in ISOLATED]
)
def test_every_fixed_point_is_found_and_none_invented(name: str) -> None:
    circuit, picture = known(name)
    key, fixed = circuit.key, picture.fixed_points
    lower, upper = picture.region.box(2.0)
    within = ((key.fixed_points >= lower) & (key.fixed_points <= upper)).all(1)
    truth, rates = key.fixed_points[within], key.eigenvalues[within]
    found, values = fixed.points[fixed.isolated], fixed.eigenvalues[fixed.isolated]
    gap = np.linalg.norm(truth[:, None] - found[None], axis=2)
    assert len(truth) > 0
    assert gap.min(1).max() < 1e-6 * picture.region.diameter
    nearest = gap.argmin(1)
    error = np.abs(np.sort_complex(values[nearest]) - np.sort_complex(rates))
    assert (error / np.abs(rates).max(1, keepdims=True)).max() < 1e-5
    if key.topology not in ("line", "ring", "plane", "torus"):  # the ends of a sticky line are kinks
        assert len(found) == len(truth)


@pytest.mark.parametrize("name", ["ring", "plane", "torus"])
def test_a_continuum_is_not_listed_as_isolated_points(name: str) -> None:
    _circuit, picture = known(name)
    inside = picture.fixed_points.inside & picture.fixed_points.isolated
    assert not inside.any()
    assert (~picture.fixed_points.isolated).sum() > 20


def test_the_cycle_has_the_known_period_and_exponents() -> None:
    circuit, picture = known("limit_cycle")
    assert len(picture.cycles) == 1
    cycle = picture.cycles[0]
    assert cycle.period == pytest.approx(circuit.key.period, rel=1e-6)
    assert cycle.stable
    assert np.allclose(np.sort(cycle.exponents)[::-1][:2], circuit.key.exponents[:2], rtol=1e-4, atol=1e-6)


def test_a_decaying_spiral_is_no_cycle() -> None:
    circuit = circuits.make("rotation")
    states = circuit.simulate(20, dt=0.01).latents
    assert find_cycles(Flow(circuit.field), visited_region(states), states[:, -1], longest=2.0) == []


def test_points_are_found_where_the_data_only_rest_on_them() -> None:
    circuit = circuits.make("points_4")
    stable = circuit.key.fixed_points[(circuit.key.eigenvalues.real < 0).all(1)]
    rng = np.random.default_rng(0)
    states = np.repeat(stable, 50, axis=0) + 1e-14 * rng.normal(size=(50 * len(stable), circuit.latent_dim))
    found = portrait(circuit.field, states, horizon=1.0, n_starts=64).fixed_points
    gap = np.linalg.norm(stable[:, None] - found.points[found.inside][None], axis=2)
    assert gap.min(1).max() < 1e-6


def test_types_and_index() -> None:
    values = np.array([[-2, -3], [2 + 1j, 2 - 1j], [0.001, -5], [4, -4], [np.nan, 1]], complex)
    kinds, index = kinds_of(values, 1.0)
    assert kinds.tolist() == ["stable node", "unstable focus", "marginal", "saddle", "undefined"]
    assert index.tolist() == [0, 2, 0, 1, -1]


def test_64_latents_converge_to_machine_precision() -> None:
    torch.manual_seed(0)
    flow = Flow(GNODE(64, hidden=(64,), random_state=0))
    states = np.random.default_rng(0).normal(size=(400, 64))
    region = visited_region(states)
    roots = find_roots(flow, region.sample(64, np.random.default_rng(0)), scale=10.0, speed=1.0)
    assert roots.n_converged > 0.5 * roots.n_starts
    assert len(roots.points) >= 3
    assert roots.residual.max() < 1e-10


def test_points_outside_the_data_are_marked() -> None:
    _circuit, picture = known("ring")
    fixed = picture.fixed_points
    centre = fixed.isolated & (fixed.index == 2)
    assert centre.sum() == 1
    assert not fixed.inside[centre][0]


class Drift(VectorField):
    """A field without any zero."""

    def forward(self, h, x=None):
        return torch.ones_like(h)


class Broken(VectorField):
    """A field that is not a number on one side."""

    def forward(self, h, x=None):
        return torch.where(h[..., :1] > 0, torch.nan, -h)


class Explosion(VectorField):
    """A field that diverges in finite time."""

    def forward(self, h, x=None):
        return h**3 * 50


@pytest.mark.parametrize("field", [Drift(2), Broken(2), Explosion(2)], ids=["drift", "nan", "explosion"])
def test_bad_fields_are_described_and_do_not_crash(field: VectorField) -> None:
    states = np.random.default_rng(0).normal(size=(300, 2))
    picture = portrait(field, states, horizon=1.0, bin_size=0.02, diffusion=0.1)
    assert len(picture.fixed_points) == (0 if isinstance(field, Drift) else len(picture.fixed_points))
    assert picture.notes
    assert "Portrait" in str(picture)


def test_one_latent_and_constant_input() -> None:
    class Leak(VectorField):
        def forward(self, h, x=None):
            return -2 * h + (0 if x is None else x)

    states = np.linspace(-1, 3, 100)[:, None]
    picture = portrait(Leak(1, 1), states, inputs=np.array([3.0]), horizon=1.0)
    assert picture.fixed_points.points[0, 0] == pytest.approx(1.5)
    assert picture.fixed_points.time_constants[0, 0] == pytest.approx(0.5)


def test_wrong_arguments_are_named() -> None:
    field = Drift(2)
    with pytest.raises(ValueError, match="states must be"):
        portrait(field, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="at least 10"):
        portrait(field, np.zeros((5, 2)))
    with pytest.raises(ValueError, match="horizon"):
        portrait(field, np.random.default_rng(0).normal(size=(50, 2)), horizon=-1.0)
    with pytest.raises(ValueError, match="member"):
        portrait(GNODE(2, members=3), np.zeros((50, 2)))
