"""Proved fixed points: planted ones are found, each once, with their kind, and nothing else is claimed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, NODE
from neurognode.interpret import PolynomialField, equations, portrait, proved_fixed_points
from neurognode.synthetic import circuits


@pytest.mark.parametrize("name", ["bistable", "lorenz", "ring"])
def test_planted_fixed_points_are_proved(name: str) -> None:
    circuit = circuits.make(name)
    key, span = circuit.key, 2.0 * np.ones(circuit.field.latent_dim)
    field = equations(circuit.field, circuit.simulate(40).latents).field
    if name == "lorenz":
        span = np.array([2.0, 2.0, 3.0])
    found = proved_fixed_points(field, box=(-span, span + 0.1), max_boxes=5000)
    assert found.complete == (name != "ring")  # a ring of fixed points cannot be counted
    for point in found.points:
        assert np.abs(key.fixed_points - point).max(1).min() < 1e-6
    if found.complete:
        assert len(found.points) == len(key.fixed_points)
        stable = [k == "stable" for k in found.kind]
        wanted = [key.stable[np.abs(key.fixed_points - p).max(1).argmin()] for p in found.points]
        assert stable == wanted
    else:
        on_ring = np.abs(np.linalg.norm(0.5 * (found.open_lower + found.open_upper), axis=1) - 1) < 0.1
        assert on_ring.all()
        assert found.excluded > 0.95


def test_no_fixed_point_is_lost_by_the_exclusion() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        roots = np.sort(rng.uniform(-1, 1, 3))
        cubic = -np.poly(roots)[::-1]
        found = proved_fixed_points(PolynomialField(np.arange(4)[:, None], [cubic]), box=([-1.5], [1.5]))
        assert found.complete
        assert found.points.ravel() == pytest.approx(roots, abs=1e-9)
        assert found.kind.tolist() == ["stable", "unstable", "stable"]


def test_two_mutually_inhibiting_pairs() -> None:
    """A winner-take-all circuit of units ``-h + tanh(W h)``: two winners and a saddle."""
    field = NODE(2, hidden=(), bounded=True, tau=0.1)
    weights = torch.tensor([[1.5, -1.5], [-1.5, 1.5]])
    field.load_state_dict({"drift_net.weights.0": weights, "drift_net.biases.0": torch.zeros(2)})
    found = proved_fixed_points(field, box=([-1.5, -1.5], [1.5, 1.5]))
    assert found.complete
    assert found.kind.tolist() == ["stable", "saddle", "stable"]
    assert np.allclose(found.points[0], -found.points[2], atol=1e-12)
    assert "3 fixed points proved" in str(found)


@pytest.mark.parametrize("seed", range(3))
def test_networks_agree_with_the_search_of_the_portrait(seed: int) -> None:
    field = GNODE(2, hidden=(32,), gate_hidden=(), bounded=3.0, init="glorot", random_state=seed).double()
    with torch.no_grad():
        field.drift_net.weights[1].mul_(4.0)
    states = np.random.default_rng(0).uniform(-3, 3, (1500, 2))
    found = proved_fixed_points(field, states)
    picture = portrait(field, states, horizon=1.0)
    assert found.complete
    searched = picture.fixed_points.points[picture.fixed_points.inside]
    proved = found.points[found.inside]
    assert len(proved) == len(searched)
    for point in searched:
        assert np.abs(proved - point).max(1).min() < 1e-6


def test_boxes_without_data_are_not_searched() -> None:
    field = PolynomialField([[1], [3]], [[1.0, -1.0]])
    states = np.random.default_rng(0).uniform(0.5, 1.5, (300, 1))
    found = proved_fixed_points(field, states, box=([-2.0], [2.0]))
    assert found.points.ravel() == pytest.approx([1.0])


def test_constant_inputs_move_the_fixed_points() -> None:
    field = NODE(1, 1, hidden=(), tau=1.0)
    values = {"weights.0": [[0.0]], "biases.0": [0.5], "input_weight": [[2.0]]}
    field.load_state_dict({f"drift_net.{k}": torch.tensor(v) for k, v in values.items()})
    found = proved_fixed_points(field, box=([-9.0], [9.0]), inputs=np.array([1.5]))
    assert found.points.ravel() == pytest.approx([3.5])


def test_something_must_say_where_to_search() -> None:
    with pytest.raises(ValueError, match="states or a box"):
        proved_fixed_points(PolynomialField([[1]], [[1.0]]))
