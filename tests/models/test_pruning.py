"""Pruned flows: the wanted share is zero and stays zero, the smallest went, and the model still works."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE
from neurognode.models import Ensemble, LatentDynamics, load, prune
from neurognode.models.pruning import _Masked, live_units, prunable, sparsity
from neurognode.synthetic import circuits
from neurognode.synthetic.recording import simulate_recording

COUNTS = np.random.default_rng(0).poisson(0.5, size=(24, 30, 8))
OPTIONS = {"latent_dim": 2, "max_steps": 6, "progress": False, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return LatentDynamics(**OPTIONS).fit(COUNTS)


def zeros(model):
    return [w == 0 for w in prunable(model.field_)]


def test_the_share_is_reached_in_rounds_and_the_model_given_is_not_changed(fitted):
    sparse = prune(fitted, COUNTS, 0.9, rounds=3, max_steps=3)
    shares = [entry["share"] for entry in sparse.pruning_]
    assert shares == pytest.approx([1 - 0.1 ** (k / 3) for k in (1, 2, 3)], abs=1e-3)
    assert sparse.sparsity_ == pytest.approx(0.9, abs=1e-3)
    assert fitted.sparsity_ == 0
    assert np.isfinite(sparse.score(COUNTS))
    assert all(np.isfinite(entry["score"]) for entry in sparse.pruning_)


def test_training_moves_what_is_left_and_nothing_else(fitted):
    once = prune(fitted, COUNTS, 0.5, rounds=1, max_steps=4)
    twice = prune(once, COUNTS, 0.5, rounds=1, max_steps=4)
    for a, b in zip(zeros(once), zeros(twice)):
        assert torch.equal(a, b)
    moved = [not torch.equal(a, b) for a, b in zip(prunable(once.field_), prunable(fitted.field_))]
    assert all(moved)


def test_the_smallest_weights_go():
    field = GNODE(2, 1, hidden=(16,), gate_hidden=(8,), random_state=0)
    before = [w.detach().clone() for w in prunable(field)]
    with _Masked(prunable(field), 0.75):
        pass
    gone = torch.cat([b[w == 0].abs().flatten() for b, w in zip(before, prunable(field))])
    kept = torch.cat([b[w != 0].abs().flatten() for b, w in zip(before, prunable(field))])
    assert gone.max() <= kept.min()
    assert sparsity(field) == pytest.approx(0.75, abs=0.01)
    assert live_units(field) < 24


def test_units_without_a_way_in_or_out_are_dead():
    field = GNODE(2, hidden=(5,), random_state=0)
    assert live_units(field) == 5
    with torch.no_grad():
        field.drift_net.weights[0][0] = 0
        field.drift_net.weights[1][:, 3] = 0
    assert live_units(field) == 3


def test_as_an_option_of_the_estimator_for_every_member_and_through_a_file(tmp_path):
    fits = Ensemble(LatentDynamics(**OPTIONS, prune=0.8), n_members=2).fit(COUNTS)
    assert [m.sparsity_ for m in fits.members_] == pytest.approx([0.8, 0.8], abs=1e-3)
    fits.members_[0].save(tmp_path / "one.safetensors")
    assert load(tmp_path / "one.safetensors").sparsity_ == fits.members_[0].sparsity_
    more = prune(fits, COUNTS, 0.95, rounds=1, max_steps=1)
    assert more.members_[1].sparsity_ == pytest.approx(0.95, abs=1e-3)


def test_noise_that_fades_stays_gone(fitted):
    model = LatentDynamics(**OPTIONS, process_noise="anneal").fit(COUNTS)
    sparse = prune(model, COUNTS, 0.5, rounds=1, max_steps=2)
    assert sparse.diffusion_ is None
    assert sparse.network_.objective == model.network_.objective


def test_wrong_shares_and_fields_are_named(fitted):
    with pytest.raises(ValueError, match="prune=1"):
        prune(fitted, COUNTS, 1)
    with pytest.raises(ValueError, match=r"prune=-0\.1"):
        LatentDynamics(**OPTIONS, prune=-0.1).fit(COUNTS)
    with pytest.raises(ValueError, match="no networks"):
        LatentDynamics(**OPTIONS, prune=0.5, dynamics="ring").fit(COUNTS)


@pytest.mark.slow
def test_most_of_a_bistable_flow_can_go():
    trials = simulate_recording(circuits.make("bistable"), n_units=40, n_trials=150, random_state=0).trials(
        0.02
    )
    model = LatentDynamics(latent_dim=2, max_steps=500, progress=False, random_state=0).fit(trials)
    sparse = prune(model, trials, 0.8, max_steps=100)
    assert sparse.score(trials) > model.score(trials) - 0.01
