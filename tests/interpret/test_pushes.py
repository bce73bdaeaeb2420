"""Predicted responses of latents and rates, on a model whose field and readout are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.interpret.fitted import Evidence
from neurognode.interpret.pushes import push_evidence, push_model
from neurognode.models import LatentDynamics
from neurognode.synthetic import circuits


@pytest.fixture(scope="module")
def model() -> LatentDynamics:
    """A model of two wells; its readout takes latent 0 to unit 0 and latent 1 to unit 1."""
    counts = np.random.default_rng(0).poisson(1.0, size=(12, 20, 4))
    made = LatentDynamics(2, max_steps=1, progress=False, random_state=0, bin_size=0.02).fit(counts)
    weight = torch.zeros(4, 2)
    weight[0, 0] = weight[1, 1] = 1.0
    with torch.no_grad():
        made.readout_.weight.copy_(weight)
    return made


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    circuit = circuits.make("bistable")
    states = circuit.simulate(40, dt=0.02).latents
    return Evidence(circuit.field, None, states, 0.02, circuit.duration, None, None)


def test_a_small_push_decays_and_a_large_one_switches(model: LatentDynamics, evidence: Evidence) -> None:
    small = push_evidence(model, evidence, push="across", size=0.05, at=1.1)
    assert small.kind == "decays"
    assert "decays" in str(small)
    right = np.flatnonzero(small.response.unpushed[:, 0, 0] > 0.5)
    large = push_evidence(model, evidence, push=np.array([-2.5, 0.0]), at=1.1)
    assert (large.response.pushed[right, -1, 0] < -0.5).all()


def test_named_units_are_pushed_through_the_readout(model: LatentDynamics, evidence: Evidence) -> None:
    found = push_evidence(model, evidence, push="units", units={1: 0.7}, size=1.0, at=1.1, duration=0.5)
    first = found.rates[:, 0] / found.rates_without[:, 0]
    assert np.allclose(first[:, 1], np.exp(0.7), rtol=1e-4)
    assert np.allclose(first[:, [0, 2, 3]], 1.0, rtol=1e-4)
    assert np.abs(found.change[-1]).max() < 0.1 * np.abs(found.change[0]).max()
    assert found.to_xarray()["rates"].shape == (40, 101, 4)


def test_what_cannot_be_pushed_is_named(model: LatentDynamics, evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="outside the trials"):
        push_evidence(model, evidence, at=50.0)
    with pytest.raises(ValueError, match="units="):
        push_evidence(model, evidence, push="units", units={"x": 1.0})
    short = evidence.trajectories.copy()
    short[2:, 30:] = np.nan
    few = Evidence(evidence.field, None, short, 0.02, 1.2, None, None)
    with pytest.raises(ValueError, match="reach at="):
        push_evidence(model, few, at=1.0)
    with pytest.raises(ValueError, match="push="):
        push_model(model, np.ones((12, 20, 4), int), push="up")
