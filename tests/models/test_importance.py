"""First states of free runs by importance sampling, against the posterior on a grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.models import LatentDynamics
from neurognode.models.verbs import prepare


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    start = rng.standard_normal((40, 1, 1))
    decay = np.exp(-np.arange(20) / 8)[:, None]
    rate = np.exp(start * decay * rng.standard_normal(12) - 0.5)
    return rng.poisson(rate)


@pytest.fixture(scope="module")
def model(counts: np.ndarray) -> LatentDynamics:
    options = {"process_noise": False, "max_steps": 40, "progress": False, "random_state": 0}
    slow = {"tau": 0.5, "hidden": (8,)}
    return LatentDynamics(1, encode_units=np.arange(9), dynamics_options=slow, **options).fit(counts)


def on_a_grid(model: LatentDynamics, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and deviation of the state, (trial, time), by brute force over the first state."""
    network, tensors = model.network_, prepare(model, counts)[1]
    grid = torch.linspace(-8, 8, 4001)[:, None] * network.path.start.std + network.path.start.mean
    with torch.no_grad():
        states = network.path.rollout(grid, counts.shape[1])
        rate = network.location(states)[..., :9].double()
        shown = tensors.values[..., :9].double()
        log = torch.einsum("btu,gtu->bg", shown, rate.log()) - rate.sum((1, 2))
        log = log - 0.5 * (((grid - network.path.start.mean) / network.path.start.std) ** 2)[:, 0]
        weight = torch.softmax(log, 1)
        mean = weight @ states[..., 0].double()
        spread = (weight @ states[..., 0].double().square() - mean.square()).sqrt()
    return mean.numpy(), spread.numpy()


@pytest.mark.parametrize("steps", [0, 2])
def test_finds_the_exact_posterior(model: LatentDynamics, counts: np.ndarray, steps: int) -> None:
    mean, spread = on_a_grid(model, counts)
    encoded = model.set_params(refine_steps=0, refine_draws=0).transform(counts)
    found = model.set_params(refine_steps=steps, refine_draws=2000).transform(counts)
    error = np.abs(found.values[..., 0] - mean) / spread
    assert error.max() < 0.2
    assert np.abs(encoded.values[..., 0] - mean).max() > 2 * np.abs(found.values[..., 0] - mean).max()
    assert np.allclose(found["std"].values[..., 0], spread, rtol=0.2)


def test_draws_have_the_exact_spread(model: LatentDynamics, counts: np.ndarray) -> None:
    mean, spread = on_a_grid(model, counts)
    draws = model.set_params(refine_steps=0, refine_draws=1000).sample(counts, 300, what="latents")
    assert np.allclose(draws.values[..., 0].std(0), spread, rtol=0.35)
    assert np.abs((draws.values[..., 0].mean(0) - mean) / spread).max() < 0.5


def test_rates_of_trials_do_not_depend_on_their_company(model: LatentDynamics, counts: np.ndarray) -> None:
    model.set_params(refine_steps=0, refine_draws=2000)
    together, alone = model.predict(counts).values[:3], model.predict(counts[:3]).values
    assert np.allclose(together, alone, rtol=0.1)


def test_noise_in_the_field_leaves_the_encoder_its_say(counts: np.ndarray) -> None:
    model = LatentDynamics(2, max_steps=3, progress=False, random_state=0).fit(counts)
    before = model.transform(counts)
    assert before.equals(model.set_params(refine_draws=50).transform(counts))
