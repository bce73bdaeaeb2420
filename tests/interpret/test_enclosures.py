"""Bounds on boxes: every state that is tried obeys them, and they shrink with the square of the box."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, NODE
from neurognode.dynamics.constrained import Line
from neurognode.interpret import PolynomialField
from neurognode.interpret.enclosures import FUNCTIONS, enclose

FIELDS = {
    "tanh, two layers": lambda: GNODE(2, hidden=(16, 16), gate_hidden=(8,), random_state=0),
    "relu": lambda: GNODE(3, hidden=(16,), activation="relu", random_state=1),
    "silu, bounded": lambda: GNODE(2, hidden=(16,), activation="silu", bounded=2.0, random_state=2),
    "gelu, gain": lambda: GNODE(2, hidden=(16,), activation="gelu", gain=True, random_state=3),
    "softplus, no leak": lambda: NODE(2, hidden=(16,), activation="softplus", leak=False, random_state=4),
    "sigmoid, steep gate": lambda: GNODE(
        2, 1, hidden=(8,), activation="sigmoid", gate_slope=10, random_state=5
    ),
    "affine": lambda: GNODE(2, hidden=(), tau=[0.1, 0.5], random_state=6),
    "modulated": lambda: GNODE(2, 2, hidden=(8,), input_mode="modulating", random_state=7),
    "polynomial": lambda: PolynomialField([[0, 0], [1, 2], [3, 0]], [[1, -2, 0.5], [0, 3, -1]]),
}


@pytest.fixture(params=FIELDS, ids=list(FIELDS))
def field(request: pytest.FixtureRequest) -> torch.nn.Module:
    return FIELDS[request.param]().double()


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("size", [0.0, 0.05, 1.0])
def test_no_state_of_a_box_breaks_its_bounds(field: torch.nn.Module, size: float, opened: bool) -> None:
    rng = np.random.default_rng(0)
    n, inputs = field.latent_dim, rng.normal(size=field.input_dim)
    centre = rng.normal(size=(20, n))
    radius = size * rng.uniform(0.5, 1, (20, n))
    found = enclose(field, centre, radius, inputs, opened=opened)
    x = torch.as_tensor(inputs)
    for corner in (False, True):
        e = np.sign(rng.normal(size=(200, 20, n))) if corner else rng.uniform(-1, 1, (200, 20, n))
        h = torch.as_tensor(centre + radius * e)
        value, jacobian = field(h, x).detach(), field.jacobian(h, x).detach().numpy()
        if opened and isinstance(field, GNODE):
            value = value / field.gate(h, x).detach()
        affine = found.value.mid + np.einsum("cmn,scn->scm", found.value.slope, e)
        assert (np.abs(value.numpy() - affine) <= found.value.rest + 1e-13 * np.abs(affine)).all()
        if not opened:
            assert (np.abs(jacobian - found.jacobian) <= found.spread + 1e-12 * np.abs(jacobian)).all()


def test_the_remainder_shrinks_with_the_square(field: torch.nn.Module) -> None:
    if getattr(getattr(field, "drift_net", None), "hidden", ()) and field.drift_net.activation.name == "relu":
        pytest.skip("a kink has no second derivative")
    centre = np.random.default_rng(1).normal(size=(50, field.latent_dim))
    rests = [enclose(field, centre, np.full_like(centre, r)).value.rest for r in (0.02, 0.01)]
    assert 3.5 < rests[0].sum() / rests[1].sum() < 4.5


def test_bounds_are_not_far_from_the_truth() -> None:
    field = GNODE(2, hidden=(32,), random_state=0).double()
    centre, radius = np.zeros((1, 2)), np.full((1, 2), 0.1)
    found = enclose(field, centre, radius).value
    e = np.random.default_rng(0).uniform(-1, 1, (5000, 2))
    value = field(torch.as_tensor(radius * e)).detach().numpy()
    worst = np.abs(value - found.mid - e @ found.slope[0].T).max(0)
    assert (found.rest[0] < 15 * worst).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_are_bounded(name: str) -> None:
    _, first, second, lowest = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    low = rng.normal(size=300) * 3
    high = low + rng.exponential(size=300)
    inner = low + (high - low) * np.linspace(0, 1, 200)[:, None]
    slopes = np.abs(first(inner + 1e-5) - first(inner - 1e-5)) / 2e-5
    assert (slopes.max(0) <= second(low, high) * (1 + 1e-4) + 1e-7).all()
    if lowest is not None:
        assert abs(first(np.array([lowest]))[0]) < 1e-12


def test_other_fields_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="Line; bounds are known for"):
        enclose(Line(2), np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="population"):
        enclose(GNODE(2, members=3), np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="layer norm"):
        enclose(GNODE(2, layer_norm=True), np.zeros((1, 2)), np.ones((1, 2)))
