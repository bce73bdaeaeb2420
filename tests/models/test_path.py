"""The posterior over paths: closed forms agree with torch's distributions, and with a Kalman smoother."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, kl_divergence

from neurognode.dynamics import GNODE, Diffusion, VectorField, integrate
from neurognode.models.inferred_inputs import InferredInputs
from neurognode.models.path import LatentPath
from neurognode.models.pseudo_observations import conditional


class Linear(VectorField):
    """dh/dt = A h, stepped by Euler's method."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__(len(matrix))
        self.register_buffer("matrix", matrix)

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return h @ self.matrix.mT


class Fixed(nn.Module):
    """Messages that do not depend on the features."""

    def __init__(self, *messages: torch.Tensor) -> None:
        super().__init__()
        self.messages = messages

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.split(features)

    def linear(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def split(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(m.expand(len(features), *m.shape) for m in self.messages)


@pytest.mark.parametrize("full", [True, False])
def test_conditional_is_prior_times_message(full: bool) -> None:
    torch.manual_seed(0)
    target, std = torch.randn(6, 3).double(), torch.tensor([0.5, 1.0, 0.2]).double()
    root = torch.randn(6, 3, 3).double().tril() if full else torch.rand(6, 3).double()
    prediction = torch.randn(6, 3).double()
    message = conditional(target, root, std)
    precision = root @ root.mT if full else torch.diag_embed(root**2)
    prior = torch.diag(std**-2)
    covariance = torch.linalg.inv(prior + precision)
    vector = (prior @ prediction[..., None] + precision @ target[..., None])[..., 0]
    mean = (covariance @ vector[..., None])[..., 0]
    keep = message.keep if full else torch.diag_embed(message.keep)
    noise_root = message.noise_root if full else torch.diag_embed(message.noise_root)
    found = target - (keep @ (target - prediction)[..., None])[..., 0]
    assert found.allclose(mean)
    assert (noise_root @ noise_root.mT).allclose(covariance)
    divergence = kl_divergence(
        MultivariateNormal(mean, covariance),
        MultivariateNormal(prediction, torch.diag(std**2).expand(6, 3, 3)),
    )
    assert message.divergence(prediction).allclose(divergence)


def test_no_noise_is_the_free_run() -> None:
    torch.manual_seed(0)
    field = GNODE(2, hidden=(8,), random_state=0)
    path = LatentPath(4, field, Diffusion(2, kind="per_latent"), bin_size=0.02)
    features = torch.randn(3, 9, 4)
    with torch.no_grad():
        free = path(features, torch.ones(3, 9), noise=0.0, noise_factor=0.0).states
        nearly = path(features, torch.ones(3, 9), noise=0.0, noise_factor=1e-3).states
        expected = integrate(field, free[:, 0], np.arange(9) * 0.02)
    assert free.allclose(expected)
    assert nearly.allclose(expected, atol=1e-2)


def test_divergence_ends_with_the_trial() -> None:
    torch.manual_seed(0)
    path = LatentPath(
        4, GNODE(2, hidden=(8,), random_state=0), Diffusion(2, kind="per_latent"), bin_size=0.02
    )
    features = torch.randn(2, 9, 4)
    valid = torch.ones(2, 9)
    valid[1, 5:] = 0
    changed = features.clone()
    changed[1, 5:] += 3
    with torch.no_grad():
        one, two = (path(f, valid, noise=0.0).divergence for f in (features, changed))
        short = path(features[1:, :5], valid[1:, :5], noise=0.0).divergence
    assert torch.equal(one, two)
    assert one[1:].allclose(short)


def test_exact_messages_give_the_evidence_of_a_linear_gaussian_model() -> None:
    """With a Kalman smoother's messages, log evidence = E log likelihood - divergence, exactly."""
    n_bins, dt, noise, r = 12, 0.1, 0.4, 0.5
    matrix = torch.tensor([[-0.5, 2.0], [-2.0, -0.5]]).double()
    step = torch.eye(2).double() + dt * matrix
    q = noise**2 * dt * torch.eye(2).double()
    rng = np.random.default_rng(0)
    y = torch.from_numpy(rng.normal(size=(n_bins, 2)))
    precision, shift = torch.zeros(2, 2).double(), torch.zeros(2).double()
    targets, roots = [], []
    for t in reversed(range(n_bins)):
        precision, shift = precision + torch.eye(2).double() / r, shift + y[t] / r
        targets.append(torch.linalg.solve(precision, shift))
        roots.append(torch.linalg.cholesky(precision))
        gain = torch.linalg.inv(torch.eye(2).double() + precision @ q)
        precision, shift = step.mT @ gain @ precision @ step, step.mT @ gain @ shift
    targets.reverse()
    roots.reverse()
    path = LatentPath(
        2, Linear(matrix), Diffusion(2, kind="per_latent", std=noise), bin_size=dt, method="euler"
    ).double()
    path.first = Fixed(targets[0], roots[0])
    path.later = Fixed(torch.stack(targets[1:]), torch.stack(roots[1:]))
    n = 4000
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        found = path(torch.zeros(n, n_bins, 2).double(), torch.ones(n, n_bins).double())
    log_likelihood = torch.distributions.Normal(found.states, r**0.5).log_prob(y).sum((1, 2))
    bound = (log_likelihood - found.divergence).mean().item()
    mean, covariance = torch.zeros(2).double(), torch.eye(2).double()
    evidence = 0.0
    for t in range(n_bins):
        spread = covariance + r * torch.eye(2).double()
        evidence += MultivariateNormal(mean, spread).log_prob(y[t]).item()
        gain = covariance @ torch.linalg.inv(spread)
        mean, covariance = mean + gain @ (y[t] - mean), covariance - gain @ covariance
        mean, covariance = step @ mean, step @ covariance @ step.mT + q
    assert bound == pytest.approx(evidence, abs=5 * (log_likelihood - found.divergence).std().item() / n**0.5)


def test_input_divergence_agrees_with_a_joint_gaussian() -> None:
    torch.manual_seed(0)
    part = InferredInputs(4, 1, bin_size=0.02).double()
    features = torch.randn(1, 7, 4).double()
    with torch.no_grad():
        divergence = part(features, torch.ones(1, 7).double())[1]
        mean, log_variance = part.linear(features)[0].split(1, -1)
        lag = (torch.arange(7)[:, None] - torch.arange(7)[None]).abs()
        prior = (2 * part.log_std).exp() * part.persistence**lag
        posterior = torch.diag(log_variance[:, 0].clamp(-9, 2).exp())
        expected = kl_divergence(
            MultivariateNormal(mean[:, 0], posterior), MultivariateNormal(torch.zeros(7).double(), prior)
        )
    assert divergence.item() == pytest.approx(expected.item(), rel=1e-9)
