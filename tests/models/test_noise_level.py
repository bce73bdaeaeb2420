"""The likelihood under another noise is a Kalman filter's where that is exact, and its top is where the truth is."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from neurognode import make_trials
from neurognode.dynamics import Diffusion, VectorField
from neurognode.models import LatentDynamics, noise_level
from neurognode.models.data import Batch
from neurognode.models.likelihoods.gaussian import Gaussian
from neurognode.models.noise_level import log_likelihood, noise_scale, scaled
from neurognode.models.path import LatentPath

BIN, NOISE, SPREAD = 0.1, 0.4, 0.7
MATRIX = torch.tensor([[-0.5, 2.0], [-2.0, -0.5]])


class Turning(VectorField):
    """dh/dt = A h."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        return h @ MATRIX.mT


class Seen(nn.Module):
    """A network whose states are observed with Gaussian noise; no encoder is needed."""

    inferred = None

    def __init__(self) -> None:
        super().__init__()
        diffusion = Diffusion(2, kind="per_latent", std=NOISE)
        self.path = LatentPath(1, Turning(), diffusion, bin_size=BIN, method="euler")
        likelihood = Gaussian(2)
        with torch.no_grad():
            likelihood.log_std.fill_(math.log(SPREAD))
        self.part = SimpleNamespace(location=lambda states, when: states, likelihood=likelihood)

    def session(self, index: int) -> Any:
        return self.part


def kalman(signal: torch.Tensor, factor: float) -> float:
    """Log evidence of signals (B, T, 2)."""
    step, q = torch.eye(2) + BIN * MATRIX, (factor * NOISE) ** 2 * BIN * torch.eye(2)
    mean, covariance, total = torch.zeros(len(signal), 2), torch.eye(2), 0.0
    for y in signal.unbind(1):
        spread = covariance + SPREAD**2 * torch.eye(2)
        total += float(MultivariateNormal(mean, spread).log_prob(y).sum())
        gain = covariance @ torch.linalg.inv(spread)
        mean, covariance = mean + (y - mean) @ gain.mT, covariance - gain @ covariance
        mean, covariance = mean @ step.mT, step @ covariance @ step.mT + q
    return total


def drawn(n_trials: int, n_bins: int, factor: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    step, h, seen = torch.eye(2) + BIN * MATRIX, torch.randn(n_trials, 2, generator=generator), []
    for _ in range(n_bins):
        seen.append(h + SPREAD * torch.randn(h.shape, generator=generator))
        h = h @ step.mT + factor * NOISE * BIN**0.5 * torch.randn(h.shape, generator=generator)
    return torch.stack(seen, 1)


@pytest.fixture
def many_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logarithm of the estimate is too low by half its variance, which falls with the number of particles."""
    monkeypatch.setattr(noise_level, "PARTICLES", 2048)


@pytest.mark.usefixtures("many_particles")
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_filter_finds_the_evidence_of_a_linear_gaussian_model(factor: float) -> None:
    signal = drawn(150, 20, 1.0)
    batch = Batch(signal, None, None, None, None, 0)
    found = log_likelihood(Seen(), batch, factor, seed=0)  # type: ignore[arg-type]
    assert found / signal[..., 0].numel() == pytest.approx(
        kalman(signal, factor) / signal[..., 0].numel(), abs=0.005
    )


@pytest.mark.usefixtures("many_particles")
def test_bins_after_the_end_of_a_trial_and_entries_that_were_not_recorded_do_not_count() -> None:
    signal, network = drawn(150, 20, 1.0), Seen()
    lengths = torch.full((150,), 10)
    short = log_likelihood(network, Batch(signal, None, lengths, None, None, 0), 1.0, seed=0)  # type: ignore[arg-type]
    assert short / 1500 == pytest.approx(kalman(signal[:, :10], 1.0) / 1500, abs=0.005)
    nothing = Batch(signal, torch.zeros_like(signal), None, None, None, 0)
    assert log_likelihood(network, nothing, 1.0, seed=0) == pytest.approx(0.0, abs=1e-3)  # type: ignore[arg-type]


def test_the_noise_that_made_the_data_is_found_again() -> None:
    counts = np.random.default_rng(0).poisson(0.5, size=(60, 40, 12))
    options: dict[str, Any] = {"hidden": (16,)}
    model = LatentDynamics(
        latent_dim=2, preset="dynamics", dynamics_options=options, max_steps=3, progress=False, random_state=0
    ).fit(counts)
    with torch.no_grad():
        model.readout_.weight.mul_(3.0)
    weak = model.diffusion_.log_std.detach().clone()
    found = []
    for factor in (1.0, 2.5):
        model.diffusion_.load_state_dict(scaled(model.diffusion_, factor).state_dict())
        states = model.network_.path.rollout(model.network_.path.draw_start(75), 40, noise=1.0).detach()
        rates = model.network_.location(states)
        made = torch.poisson(rates, generator=torch.Generator().manual_seed(1)).detach().numpy()
        with torch.no_grad():
            model.diffusion_.log_std.copy_(weak)
        found.append(noise_scale(model, made.astype(int)))
    assert found == [pytest.approx(1.0, rel=0.25), pytest.approx(2.5, rel=0.25)]


def test_a_model_without_noise_and_a_signal_that_says_too_much_are_left_alone() -> None:
    signal = make_trials(np.random.default_rng(0).normal(size=(20, 30, 6)), bin_size=0.02, kind="calcium")
    still = LatentDynamics(
        latent_dim=2, process_noise=False, max_steps=2, progress=False, random_state=0
    ).fit(signal)
    assert noise_scale(still, signal) == 1.0
    loud = LatentDynamics(latent_dim=2, preset="dynamics", max_steps=2, progress=False, random_state=0).fit(
        signal
    )
    with torch.no_grad():
        loud.network_.session().likelihood.log_std.fill_(-6.0)
    assert noise_scale(loud, signal) == 1.0
