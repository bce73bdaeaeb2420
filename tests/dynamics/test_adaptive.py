"""Adaptive methods and their adjoint."""

from __future__ import annotations

import pytest
import torch

from neurognode.dynamics import GNODE, VectorField, integrate
from neurognode.dynamics._kernels import adaptive
from neurognode.errors import IntegrationError


def _setup(members=None):
    field = GNODE(3, 2, hidden=(8,), members=members, random_state=0).double()
    generator = torch.Generator().manual_seed(0)
    lead = () if members is None else (members,)
    h0 = torch.randn(*lead, 4, 3, generator=generator).double().requires_grad_()
    x = torch.randn(*lead, 4, 6, 2, generator=generator).double().requires_grad_()
    return field, h0, [0.0, 0.05, 0.08, 0.2, 0.21, 0.3], x


@pytest.mark.parametrize("method", adaptive.ORDERS)
@pytest.mark.parametrize("members", [None, 2])
def test_agrees_with_small_fixed_steps(method, members):
    field, h0, times, x = _setup(members)
    lengths = [6, 5, 2, 1]
    expected = integrate(field, h0, times, x, "rk4", 40, lengths)
    path = integrate(field, h0, times, x, method, lengths=lengths, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(path, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("kind", ["hold", "linear"])
@pytest.mark.parametrize("given", [True, False])
def test_adjoint_gradients_are_those_of_backpropagation(kind, given):
    field, h0, times, x = _setup()
    x = x if given else None
    wanted = [h0, *([x] if given else []), *field.parameters()]
    gradients = []
    for adjoint in (False, True):
        path = integrate(
            field, h0, times, x, "dopri5", input_kind=kind, rtol=1e-9, atol=1e-9, adjoint=adjoint
        )
        gradients.append(torch.autograd.grad(path.square().sum(), wanted, allow_unused=True))
    for backpropagated, solved in zip(*gradients):
        if backpropagated is not None and backpropagated.any():
            torch.testing.assert_close(solved, backpropagated, rtol=1e-5, atol=1e-6)


def test_tighter_tolerance_is_more_accurate():
    field, h0, times, x = _setup()
    exact = integrate(field, h0, times, x, "rk4", 100)
    errors = [
        (integrate(field, h0, times, x, "dopri5", rtol=tol, atol=tol) - exact).norm().item()
        for tol in (1e-3, 1e-6, 1e-9)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_explosion_in_finite_time_is_an_integration_error():
    class Explosion(VectorField):
        def forward(self, h, x=None):
            return h**2

    with pytest.raises(IntegrationError, match=r"could not go on|diverged"):
        integrate(Explosion(1), torch.ones(1, 1).double(), [0.0, 2.0], method="dopri5")
