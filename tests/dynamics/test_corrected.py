"""Corrected trajectories: compiled and plain agree, in values and in gradients."""

from __future__ import annotations

import pytest
import torch

from neurognode.dynamics import GNODE, NODE, integrate
from neurognode.dynamics._kernels import cpu
from neurognode.dynamics.corrected import integrate_corrected
from neurognode.dynamics.methods import METHODS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("members", "inputs", "batch", "latent"), [(None, 0, 3, 1), (None, 2, 19, 3), (2, 1, 5, 6)]
)
def test_compiled_equals_plain(
    method: str, full: bool, members: int | None, inputs: int, batch: int, latent: int
) -> None:
    if cpu.available(torch.float64):
        pytest.skip(str(cpu.available(torch.float64)))
    torch.manual_seed(0)
    lead = () if members is None else (members,)
    field = GNODE(
        latent, inputs, hidden=(7, 5), gate_hidden=(4,), members=members, random_state=0, learn_tau=True
    ).double()
    times = torch.cumsum(torch.rand(41, dtype=torch.float64) * 0.1 + 0.01, 0)
    shape = (*lead, batch, 40, latent, latent) if full else (*lead, batch, 40, latent)
    leaves = [
        torch.randn(*lead, batch, latent),
        0.5 * torch.randn(*shape),
        torch.randn(*lead, batch, 40, latent),
        torch.randn(*lead, batch, 41, inputs) if inputs else None,
    ]
    leaves = [None if leaf is None else leaf.double().requires_grad_() for leaf in leaves]
    weights = [torch.randn(*lead, batch, n, latent).double() for n in (41, 40)]
    found = []
    for backend in ("plain", "cpu"):
        h0, keep, anchor, x = leaves
        out = integrate_corrected(field, h0, times, keep, anchor, x, method, 2, backend)
        wanted = [leaf for leaf in leaves if leaf is not None] + list(field.parameters())
        grads = torch.autograd.grad(sum((o * w).sum() for o, w in zip(out, weights)), wanted)
        found.append([*out, *grads])
    for a, b in zip(*found):
        assert a.allclose(b, rtol=1e-9, atol=1e-9)


def test_keeping_everything_is_the_free_run() -> None:
    field = NODE(2, hidden=(6,), random_state=0)
    h0, times = torch.randn(4, 2), torch.arange(9) * 0.02
    states, predictions = integrate_corrected(field, h0, times, torch.ones(4, 8, 2), torch.zeros(4, 8, 2))
    assert states.allclose(integrate(field, h0, times), atol=1e-6)
    assert torch.equal(states[:, 1:], predictions)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="anchor"):
        integrate_corrected(
            NODE(2, hidden=()), torch.zeros(1, 2), [0, 1], torch.ones(1, 1, 2), torch.ones(1, 2, 2)
        )
