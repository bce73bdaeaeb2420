"""Process noise: its size, its seeds, and gradients through it."""

from __future__ import annotations

import math

import pytest
import torch

from neurognode.dynamics import GNODE, VectorField, integrate
from neurognode.dynamics.diffusion import DIFFUSION_KINDS, Diffusion, simulate
from neurognode.dynamics.methods import METHODS
from neurognode.errors import IntegrationError


class Decay(VectorField):
    """dh/dt = -5 h: with noise, an Ornstein-Uhlenbeck process of variance std^2 / 10."""

    def forward(self, h, x=None):
        return -5 * h


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_stationary_variance_is_that_of_ornstein_and_uhlenbeck():
    times = torch.arange(101) * 0.02
    path = simulate(
        Decay(2), Diffusion(2, std=0.8), torch.zeros(20_000, 2), times, None, _seeded(), substeps=4
    )
    assert path[:, -1].var().item() == pytest.approx(0.8**2 / 10, rel=0.04)
    correlation = (path[:, -1] * path[:, -6]).mean() / path[:, -6].var()
    assert correlation.item() == pytest.approx(math.exp(-0.5), abs=0.03)


def test_brownian_variance_does_not_depend_on_the_step():
    still = Decay(1)
    still.forward = lambda h, x=None: torch.zeros_like(h)
    for substeps in (1, 7):
        path = simulate(
            still, 0.5, torch.zeros(20_000, 1), [0.0, 1.0, 3.0], None, _seeded(), substeps=substeps
        )
        assert path[:, 1].var().item() == pytest.approx(0.25, rel=0.05)
        assert path[:, 2].var().item() == pytest.approx(0.75, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_it_is_integrate(method):
    field = GNODE(3, 2, hidden=(8,), random_state=0).double()
    h0, x = torch.randn(4, 3).double(), torch.randn(4, 5, 2).double()
    times = torch.arange(5) * 0.05
    path = simulate(field, 0.0, h0, times, x, substeps=2, method=method)
    torch.testing.assert_close(path, integrate(field, h0, times, x, method, 2))


def test_same_seed_same_path_and_global_seed_untouched():
    before = torch.get_rng_state()
    paths = [simulate(Decay(1), 1.0, torch.zeros(3, 1), [0.0, 0.1], generator=_seeded(s)) for s in (1, 1, 2)]
    unseeded = [simulate(Decay(1), 1.0, torch.zeros(3, 1), [0.0, 0.1]) for _ in range(2)]
    assert torch.equal(paths[0], paths[1])
    assert not torch.equal(paths[0], paths[2])
    assert not torch.equal(*unseeded)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", DIFFUSION_KINDS)
@pytest.mark.parametrize("members", [None, 2])
def test_path_is_differentiable_through_given_noise(kind, members):
    lead = () if members is None else (members,)
    diffusion = Diffusion(2, kind=kind, hidden=(3,), members=members, random_state=0).double()
    with torch.no_grad():
        for parameter in diffusion.parameters():
            parameter.add_(0.1)
    field = GNODE(2, hidden=(3,), members=members, random_state=0).double()
    h0 = torch.randn(*lead, 3, 2).double().requires_grad_()
    noise = torch.randn(4, *lead, 3, 2).double().requires_grad_()

    def run(h0, noise, *parameters):
        return simulate(field, diffusion, h0, [0.0, 0.05, 0.1], noise=noise, substeps=2)

    assert torch.autograd.gradcheck(run, (h0, noise, *diffusion.parameters()))


@pytest.mark.parametrize("kind", DIFFUSION_KINDS)
def test_starts_at_the_given_size_and_rebuilds(kind):
    diffusion = Diffusion(3, kind=kind, std=0.4, random_state=0)
    h = torch.randn(5, 3)
    torch.testing.assert_close(diffusion(h), torch.full((5, 3), 0.4))
    again = Diffusion(**diffusion.config())
    again.load_state_dict(diffusion.state_dict())
    torch.testing.assert_close(again(h), diffusion(h))


def test_member_of_a_population_is_itself():
    diffusion = Diffusion(2, kind="state", members=3, random_state=0)
    with torch.no_grad():
        for parameter in diffusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    h = torch.randn(3, 4, 2)
    torch.testing.assert_close(diffusion.member(1)(h[1]), diffusion(h)[1])


def test_bad_arguments_are_named():
    h0 = torch.zeros(3, 1)
    with pytest.raises(ValueError, match="increasing"):
        simulate(Decay(1), 1.0, h0, [0.1, 0.0])
    with pytest.raises(ValueError, match=r"noise has shape \(1, 3, 1\); expected \(2, 3, 1\)"):
        simulate(Decay(1), 1.0, h0, [0.0, 0.1, 0.2], noise=torch.zeros(1, 3, 1))
    with pytest.raises(ValueError, match="std"):
        Diffusion(2, std=-0.1)
    with pytest.raises(ValueError, match="Did you mean 'per_latent'"):
        Diffusion(2, kind="per_latents")
    with pytest.raises(IntegrationError, match="diverged"):
        simulate(Decay(1), 1.0, h0, torch.arange(500) * 2.0)
