"""What every likelihood must keep: it sums to one, its mean is its mean, gradients are finite."""

from __future__ import annotations

import torch

from neurognode import registry
from neurognode.models.likelihoods.base import Likelihood

_GRIDS = {
    "counts": torch.arange(0, 400, dtype=torch.float64),
    "binary": torch.tensor([0.0, 1.0], dtype=torch.float64),
    "real": torch.linspace(-2000, 2000, 400_001, dtype=torch.float64),
    "nonnegative": torch.linspace(0, 400, 400_001, dtype=torch.float64),
}


def check_likelihood(name: str) -> None:
    """Check one likelihood of the registry.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("likelihoods")``.

    Raises
    ------
    AssertionError
        If it does not give a normalised probability, finite gradients, or samples with the expected mean.

    Examples
    --------
    >>> from neurognode.testing import check_likelihood
    >>> check_likelihood("bernoulli")
    """
    likelihood: Likelihood = registry.resolve("likelihoods", name)(n_units=1).double()
    assert likelihood.signal in ("counts", "continuous"), f"{name}: signal is {likelihood.signal!r}"
    assert likelihood.support in _GRIDS, f"{name}: support is {likelihood.support!r}"
    location = torch.tensor([[0.7]], dtype=torch.float64)
    _sums_to_one(name, likelihood, location)
    _samples_have_the_mean(name, likelihood, location)
    _gradients_are_finite(name, likelihood)


def _sums_to_one(name: str, likelihood: Likelihood, location: torch.Tensor) -> None:
    grid = _GRIDS[likelihood.support]  # (points,)
    values = grid[:, None, None]  # (points, time=1, unit=1): every point a trial of its own
    with torch.no_grad():
        density = likelihood.log_prob(values, location.expand(len(grid), 1, 1)).exp().reshape(-1)
    discrete = likelihood.support in ("counts", "binary")
    if discrete:
        total = float(density.sum())
    else:
        total = float(torch.trapezoid(density[1:], grid[1:]))
        if likelihood.support == "nonnegative":
            total += float(density[0])  # a point mass at zero, if there is one
    assert abs(total - 1) < 2e-2, f"{name}: probability sums to {total:.4f}, expected 1"


def _samples_have_the_mean(name: str, likelihood: Likelihood, location: torch.Tensor) -> None:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        many = location.expand(20_000, 1, 1)
        samples, expected = likelihood.sample(many), likelihood.expected(location)
    assert samples.shape == many.shape, f"{name}: sample has shape {tuple(samples.shape)}"
    error = abs(float(samples.mean()) - float(expected))
    allowed = 5 * float(samples.std()) / len(samples) ** 0.5 + 1e-6
    assert error < allowed, f"{name}: mean of samples is off by {error:.3g}, allowed {allowed:.3g}"


def _gradients_are_finite(name: str, likelihood: Likelihood) -> None:
    values = torch.tensor([[[0.0], [1.0], [1.0]]], dtype=torch.float64)
    location = torch.full_like(values, 0.5, requires_grad=True)
    likelihood.log_prob(values, location).sum().backward()
    assert location.grad is not None, f"{name}: log_prob does not depend on the location"
    assert bool(torch.isfinite(location.grad).all()), f"{name}: the gradient is not finite"
