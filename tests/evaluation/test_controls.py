"""Control fits: what a shuffle destroys, a model can no longer use."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from neurognode.evaluation import SmoothingGLM, controls
from neurognode.metrics import bits_per_spike, mean_counts
from neurognode.synthetic import circuits, simulate_recording
from neurognode.trials import filled


class Smoother(BaseEstimator):
    """Co-smoothing by the classical baseline, as an estimator."""

    def fit(self, trials):
        self.seen_ = np.arange(trials.sizes["unit"]) < 30
        self.model_ = SmoothingGLM(widths=(0.08,), alphas=(1e-2,)).fit(trials, self.seen_)
        self.null_ = mean_counts(*filled(trials))[~self.seen_]
        return self

    def score(self, trials):
        counts, _ = filled(trials)
        return bits_per_spike(self.model_.predict(trials), counts[..., ~self.seen_], self.null_)


@pytest.fixture(scope="module")
def scores():
    trials = simulate_recording(circuits.make("bistable"), n_units=40, n_trials=80, random_state=0).trials(
        0.02
    )
    model = Smoother()
    found = controls(model, trials.isel(trial=slice(60)), trials.isel(trial=slice(60, None)))
    assert not hasattr(model, "model_")
    return {name: entry["score"] for name, entry in found.items()}


@pytest.mark.parametrize(("name", "left"), [("units", 0.1), ("time", 0.8), ("trials", 0.1)])
def test_every_shuffle_costs_score(scores, name, left):
    # Units of one bin still go together when only the order of bins is lost.
    assert scores["intact"] > 0.05
    assert scores[name] < left * scores["intact"]


def test_unknown_controls_are_refused():
    trials = simulate_recording(circuits.make("ring"), n_units=40, n_trials=4).trials(0.1)
    with pytest.raises(ValueError, match="which='phase'"):
        controls(Smoother(), trials, trials, which=("phase",))
