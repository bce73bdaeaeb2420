"""The fused pass of GRU and LSTM maps agrees with the plain loop, in values and gradients."""

from __future__ import annotations

import pytest
import torch

from neurognode.dynamics import GNODE, integrate
from neurognode.dynamics._kernels import cells
from neurognode.dynamics.maps import GRU, LSTM

SETTINGS = [
    {},
    {"members": 3},
    {"members": 3, "shared": True},
    {"inputs": 0},
    {"inputs": 0, "members": 2},
    {"lengths": True},
    {"members": 3, "lengths": True},
    {"missing": True},
    {"share": 0.3},
]


def solve(backend, cell, members=None, shared=False, inputs=2, lengths=False, missing=False, share=1.0):
    generator = torch.Generator().manual_seed(0)
    extra = {"tau": 0.01 / share} if cell is GRU else {}
    field = cell(4, inputs, members=members, random_state=0, **extra).double()
    lead = () if members is None else (members,)
    h0 = torch.randn(*lead, 5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    x = None
    if inputs and not missing:
        x = torch.randn(*((1,) if shared else lead), 5, 7, inputs, generator=generator, dtype=torch.float64)
        x.requires_grad_()
    ends = torch.tensor([7, 3, 1, 5, 7]) if lengths else None
    path = integrate(field, h0, 0.01 * torch.arange(7), x, lengths=ends, backend=backend)
    weight = torch.randn(path.shape, generator=generator, dtype=torch.float64)
    wanted = [h0, *([x] if x is not None else []), *field.parameters()]
    return path, torch.autograd.grad((weight * path.tanh()).sum(), wanted, allow_unused=True)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_same_values_and_gradients_as_the_plain_loop(cell, setting):
    if cell is LSTM and "share" in setting:
        pytest.skip("an LSTM has no time constant")
    one, two = (solve(backend, cell, **setting) for backend in ("cells", "plain"))
    torch.testing.assert_close(one[0], two[0], rtol=1e-12, atol=1e-12)
    for a, b in zip(one[1], two[1]):
        b = torch.zeros_like(a) if b is None and a is not None else b
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


def test_it_is_what_auto_takes(monkeypatch):
    asked = []
    monkeypatch.setattr(cells, "run", lambda problem: asked.append(problem) or problem.h0[:, None])
    integrate(GRU(4), torch.zeros(2, 4), 0.01 * torch.arange(3))
    assert len(asked) == 1


def test_several_steps_in_an_interval_go_the_plain_way():
    field, h0 = GRU(4, random_state=0), torch.ones(2, 4)
    coarse = integrate(field, h0, [0.0, 0.03], backend="cells")[:, -1]
    torch.testing.assert_close(coarse, integrate(field, h0, [0.0, 0.01, 0.02, 0.03])[:, -1])


def test_other_fields_are_refused():
    with pytest.raises(ValueError, match="not a GRU or an LSTM"):
        integrate(GNODE(2), torch.zeros(1, 2), [0.0, 0.1], backend="cells")


def test_one_time_point_is_the_start():
    h0 = torch.ones(2, 4, requires_grad=True)
    path = integrate(LSTM(4, random_state=0), h0, [0.0])
    path.sum().backward()
    assert h0.grad.tolist() == torch.ones(2, 4).tolist()
