"""Equations read from a field: planted polynomials come back exactly, and what is not one says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE
from neurognode.interpret import PolynomialField, equations, portrait
from neurognode.synthetic import circuits


def states_of(name: str) -> tuple[circuits.Circuit, np.ndarray]:
    circuit = circuits.make(name)
    return circuit, circuit.simulate(40).latents


def test_lorenz_comes_back_term_by_term() -> None:
    circuit, states = states_of("lorenz")
    found = equations(circuit.field, states, horizon=1.0)
    assert found.n_terms == 8
    assert found.error.max() < 1e-9
    assert found.path_error < 1e-6
    frame = found.to_frame()
    speed, scale = 2.0, (7.9, 9.0, 8.6)
    assert frame.loc["h0", "dh0/dt"] == pytest.approx(-10 * speed)
    assert frame.loc["h1", "dh0/dt"] == pytest.approx(10 * speed * scale[1] / scale[0])
    assert frame.loc["h0 h1", "dh2/dt"] == pytest.approx(speed * scale[0] * scale[1] / scale[2])
    assert frame.loc["h2", "dh2/dt"] == pytest.approx(-8 / 3 * speed)


@pytest.mark.parametrize(("name", "n_terms"), [("limit_cycle", 12), ("ring", 6), ("bistable", 4)])
def test_cubic_circuits_are_recovered(name: str, n_terms: int) -> None:
    circuit, states = states_of(name)
    found = equations(circuit.field, states)
    assert found.n_terms == n_terms
    assert found.error.max() < 1e-9


def test_what_is_no_polynomial_has_a_visible_error() -> None:
    circuit, states = states_of("drift_diffusion")
    assert equations(circuit.field, states).error.max() > 0.3


def test_random_sparse_polynomials_are_recovered_exactly() -> None:
    rng = np.random.default_rng(3)
    states = rng.uniform(-1, 1, (2000, 3))
    for _ in range(5):
        powers = rng.permutation([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 2, 1], [0, 0, 3]])
        planted = rng.choice([0.0, 1.0], (3, 6)) * rng.uniform(0.5, 3, (3, 6))
        found = equations(PolynomialField(powers, planted), states)
        here = {tuple(p): c for p, c in zip(found.exponents.tolist(), found.coefficients.T)}
        for p, wanted in zip(powers.tolist(), planted.T):
            assert here.pop(tuple(p)) == pytest.approx(wanted, abs=1e-9)
        assert all((rest == 0).all() for rest in here.values())


def test_the_equations_are_a_field_with_the_same_portrait() -> None:
    circuit, states = states_of("bistable")
    picture = portrait(equations(circuit.field, states).field, states, horizon=1.2)
    assert sorted(picture.fixed_points.kind) == ["saddle", "stable node", "stable node"]


def test_fields_of_networks_get_better_with_the_degree() -> None:
    field = GNODE(2, hidden=(16,), random_state=0)
    states = np.random.default_rng(0).normal(size=(2000, 2))
    errors = [equations(field, states, degree=d).error.max() for d in (1, 3, 5)]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_a_higher_threshold_leaves_fewer_terms() -> None:
    field = GNODE(2, hidden=(16,), random_state=0)
    states = np.random.default_rng(0).normal(size=(2000, 2))
    assert equations(field, states, threshold=0.2).n_terms < equations(field, states, threshold=0.01).n_terms


def test_polynomial_field_has_the_derivative_of_its_terms() -> None:
    field = PolynomialField([[0, 0], [2, 1]], [[1.0, 0.0], [0.0, 3.0]])
    h = torch.tensor([[2.0, 5.0]], dtype=torch.float64)
    assert field(h).tolist() == [[1.0, 60.0]]
    assert field.jacobian(h).tolist() == [[[0.0, 0.0], [60.0, 12.0]]]


def test_text_shows_terms_and_errors() -> None:
    planted = PolynomialField([[1, 0], [0, 1]], [[0.0, 1.0], [-4.0, 0.0]])
    text = str(
        equations(planted, np.random.default_rng(0).normal(size=(500, 2)), names=("x", "v"), horizon=0.5)
    )
    assert "dx/dt = v   [1/s; held-out error" in text
    assert "dv/dt = - 4 x " in text
    assert "After 0.5 s" in text


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="exponents"):
        PolynomialField([[1, 0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="need"):
        equations(
            GNODE(3, hidden=(4,)), np.random.default_rng(0).normal(size=(200, 3)), degree=9, n_states=300
        )
