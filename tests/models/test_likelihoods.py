"""Every likelihood: probabilities sum to one, the mean is what it says, samples follow it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neurognode import registry
from neurognode.models.likelihoods import Likelihood

NAMES = registry.names("likelihoods")


def make(name: str, n_units: int = 1) -> Likelihood:
    likelihood = registry.resolve("likelihoods", name)(n_units).double()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        for parameter in likelihood.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return likelihood


def support(likelihood: Likelihood) -> tuple[torch.Tensor, torch.Tensor]:
    """Points and weights, so that sums over them are sums or integrals over the support."""
    if likelihood.support == "binary":
        return torch.tensor([0.0, 1.0]).double(), torch.ones(2).double()
    if likelihood.support == "counts":
        return torch.arange(400).double(), torch.ones(400).double()
    if likelihood.support == "nonnegative":
        logs = torch.linspace(-40, 6, 20001, dtype=torch.float64)
        points = logs.exp()
        weights = points * (logs[1] - logs[0])
        return torch.cat([torch.zeros(1).double(), points]), torch.cat([torch.ones(1).double(), weights])
    angle = torch.linspace(-1, 1, 40003, dtype=torch.float64)[1:-1] * (math.pi / 2)
    return torch.tan(angle), (angle[1] - angle[0]) / torch.cos(angle) ** 2


def log_prob(likelihood: Likelihood, points: torch.Tensor, location: float) -> torch.Tensor:
    """Of each point alone, as the second bin after a first bin of value 0.2 or 0."""
    first = torch.zeros_like(points) if likelihood.support != "real" else torch.full_like(points, 0.2)
    values = torch.stack([first, points], -1)[..., None]
    return likelihood.log_prob(values, torch.full_like(values, location))[:, 1, 0]


@pytest.mark.parametrize("location", [0.05, 0.7, 6.0])
@pytest.mark.parametrize("name", NAMES)
def test_integrates_to_one(name: str, location: float) -> None:
    likelihood = make(name)
    points, weights = support(likelihood)
    with torch.no_grad():
        total = (log_prob(likelihood, points, location).exp() * weights).sum().item()
    assert total == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_expected_mean(name: str) -> None:
    likelihood = make(name)
    location = torch.full((40000, 3, 1), 0.8).double()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        drawn = likelihood.sample(location)
        expected = likelihood.expected(location)
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert bool(((drawn.mean(0) - expected[0]).abs() < 5 * error).all())


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_at_the_edges(name: str) -> None:
    likelihood = make(name, 2)
    location = torch.tensor([[[1e-8, 50.0]] * 3]).double().requires_grad_()
    likelihood.log_prob(torch.zeros(1, 3, 2).double(), location).sum().backward()
    assert bool(torch.isfinite(location.grad).all())


@pytest.mark.parametrize("name", ["poisson", "negative_binomial", "bernoulli", "zero_inflated_gamma"])
def test_impossible_values_name_the_units(name: str) -> None:
    likelihood = make(name, 3)
    values = np.zeros((2, 4, 3))
    likelihood.check(values, np.ones(values.shape, bool), np.array(["a", "b", "c"]))
    values[0, 0, 1] = -1
    with pytest.raises(ValueError, match="these units have others: b"):
        likelihood.check(values, np.ones(values.shape, bool), np.array(["a", "b", "c"]))


def test_calcium_without_a_previous_bin_uses_the_steady_state() -> None:
    likelihood = make("ar1_calcium")
    values = torch.tensor([[[0.1], [0.4], [0.3]]]).double()
    observed = torch.tensor([[[1.0], [0.0], [1.0]]]).double()
    location = torch.full_like(values, 0.2)
    with torch.no_grad():
        masked = likelihood.log_prob(values, location, observed)
        other = likelihood.log_prob(values + torch.tensor([[[0.0], [9.0], [0.0]]]), location, observed)
    assert torch.equal(masked[0, 2], other[0, 2])
    assert masked[0, 2].item() == pytest.approx(
        likelihood.log_prob(values[:, 2:], location[:, 2:])[0, 0].item()
    )
