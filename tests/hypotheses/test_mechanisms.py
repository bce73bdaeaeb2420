"""Hypotheses tried as models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode import make_trials
from neurognode.dynamics import build
from neurognode.hypotheses import Ranking, rank_mechanisms, residual_share
from neurognode.models import LatentDynamics
from neurognode.synthetic import circuits, simulate_recording


def ranking(ring: float, line: float, free: float) -> Ranking:
    rng = np.random.default_rng(0)
    shared, spikes = rng.normal(50, 30, 40), np.full(40, 100.0)
    gains = np.stack([shared + 100 * mean + rng.normal(0, 2, 40) for mean in (ring, line, free)])
    return Ranking(("ring", "line", "gnode"), gains.sum(1) / spikes.sum(), gains, spikes, np.full(3, np.nan))


def test_intervals_are_of_paired_differences() -> None:
    found = ranking(0.3, 0.2, 0.3)
    _, low, high = found.difference("ring", "line")
    assert low < 0.1 < high
    assert high - low < 0.03, "the scatter that trials share must cancel"
    assert found.winner() == "ring"
    assert found.as_good_as_free() == ["ring"]
    assert "better than the mechanisms of other hypotheses" in found.sentence()


def test_no_winner_where_mechanisms_tie() -> None:
    assert ranking(0.2, 0.2, 0.3).winner() is None
    assert "does not suffice" in ranking(0.2, 0.2, 0.3).sentence()


def test_a_ranking_is_saved_and_loaded(tmp_path) -> None:
    found = ranking(0.3, 0.2, 0.3)
    found.save(tmp_path / "ranking.json")
    assert str(Ranking.load(tmp_path / "ranking.json")) == str(found)


def test_the_residual_starts_at_zero_and_its_share_is_measured() -> None:
    counts = np.random.default_rng(0).poisson(0.5, size=(12, 20, 6))
    model = LatentDynamics(2, dynamics="ring+residual", max_steps=1, progress=False, random_state=0).fit(
        counts
    )
    field = model.field_
    with torch.no_grad():
        for parameter in (field.rest.drift_net.weights[-1], field.rest.drift_net.biases[-1]):
            parameter.zero_()
        assert residual_share(model, counts) == 0.0
        before = residual_share(model, counts)
        field.rest.drift_net.biases[-1].fill_(1.0)
    assert residual_share(model, counts) > 0.2 > before
    assert np.isnan(residual_share(LatentDynamics(2, max_steps=1, progress=False).fit(counts), counts))
    state = torch.tensor([0.6, 0.8])
    assert torch.equal(
        build({"kind": "ring+residual", "latent_dim": 2})(state),
        build({"kind": "ring", "latent_dim": 2})(state),
    )


def test_wrong_arguments_are_named() -> None:
    trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(12, 20, 6)), bin_size=0.02)
    model = LatentDynamics(1, max_steps=1, progress=False)
    with pytest.raises(ValueError, match="with 1 latents"):
        rank_mechanisms(trials, model, mechanisms=["ring"])
    with pytest.raises(ValueError, match="ahead="):
        rank_mechanisms(trials, model, ahead=2.0)
    with pytest.raises(ValueError, match="by="):
        rank_mechanisms(trials, model, by="luck")


@pytest.mark.slow
@pytest.mark.parametrize(("circuit", "rival"), [("ring", "line"), ("limit_cycle", "line")])
def test_the_planted_mechanism_beats_another(circuit: str, rival: str) -> None:
    recording = simulate_recording(
        circuits.make(circuit), n_units=30, n_trials=80, mean_rate=15, random_state=0
    )
    model = LatentDynamics(2, max_steps=200, progress=False, random_state=0)
    found = rank_mechanisms(recording.trials(0.04), model, mechanisms=[rival, circuit], residual=False)
    assert found.mechanisms[0] == circuit, str(found)
    assert found.difference(circuit, rival)[1] > 0.05, str(found)
    if circuit == "ring":
        assert found.winner() == "ring", str(found)
