"""Surrogates passed through fitted models: which are drawn, of how many trials, and what they give."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode import make_trials
from neurognode.hypotheses import Hypothesis, compare, views_of
from neurognode.hypotheses.base import above
from neurognode.hypotheses.judging import holm
from neurognode.hypotheses.nulls import refitted, rescored
from neurognode.hypotheses.passing import passed, some_trials
from neurognode.hypotheses.refitting import refit
from neurognode.models import Ensemble, LatentDynamics
from neurognode.surrogates import circular_shift


@pytest.fixture(scope="module")
def trials():
    counts = np.random.default_rng(0).poisson(0.5, size=(40, 30, 8))
    observed = np.ones((40, 30), bool)
    observed[3, 20:] = False
    return make_trials(counts, bin_size=0.02, observed=observed, columns={"choice": np.arange(40) % 4 == 0})


@pytest.fixture(scope="module")
def fits(trials):
    model = LatentDynamics(
        latent_dim=2, max_steps=5, progress=False, random_state=0, encode_units=list(range(6))
    )
    return Ensemble(model, 2).fit(trials)


def test_passing_is_transform_and_score(trials, fits) -> None:
    member = fits.members_[0]
    member.n_samples = 0
    other = circular_shift(trials, 0)
    paths, explained = passed(member, [trials, other])
    for one, path, share in zip((trials, other), paths, explained):
        np.testing.assert_allclose(path, member.transform(one).values, atol=1e-5)
        assert share == pytest.approx(max(0.0, member.score(one)), abs=1e-5)


def test_trials_are_left_out_in_proportion_and_the_null_says_so(trials, fits, monkeypatch) -> None:
    assert some_trials(trials, 0).tolist() == list(range(40))
    kept = some_trials(trials, 0, 20)
    assert trials.choice.values[kept].sum() == 5
    assert kept.tolist() == some_trials(trials, 0, 20).tolist() != some_trials(trials, 1, 20).tolist()
    monkeypatch.setattr("neurognode.hypotheses.nulls.some_trials", lambda trials, seed: kept)
    from neurognode.hypotheses.judging import hypotheses_named

    view = views_of(fits, trials, depth="quick")[0]
    named = hypotheses_named(["discrete_attractors", "rotation"])
    nulls = rescored(fits.members_[0], view, trials, named, 6, 0, lambda *told: None)
    assert nulls["discrete_attractors"].name == "shuffle_trials, re-scored on 20 of 40 trials"
    assert len(nulls["discrete_attractors"].sample) == 6
    assert nulls["rotation"].name.endswith("of latents on 20 of 40 trials")


def test_only_what_some_member_speaks_for_is_held_against_surrogates(trials, fits, monkeypatch) -> None:
    drawn = []

    class Claimed(Hypothesis):
        name, null = "claimed", "circular_shift"

        def criteria(self, view):
            return []

        def statistic(self, view):
            return 1.0

        def signature(self, view):
            return 1.0

    class Denied(Claimed):
        name, null = "denied", "phase_randomize"

        def criteria(self, view):
            return [above(0.0, 1.0, 0.5, "No.")]

    both = {"claimed": Claimed(), "denied": Denied()}
    monkeypatch.setattr("neurognode.hypotheses.comparison.hypotheses_named", lambda names: both)
    told = lambda what, done, total: drawn.append((what, total))  # noqa: E731
    verdicts = compare(fits, trials, n_rescored=8, progress=told)
    assert ("re-scored surrogates", 8) in drawn
    assert verdicts["denied"].null == "not tested"
    assert np.isfinite(verdicts["claimed"].p)


def test_p_values_are_corrected_for_hypotheses_that_were_rejected_before() -> None:
    assert holm(np.array([0.01, np.nan]), 2).tolist()[0] == 0.02


def test_what_could_not_be_measured_is_said_in_words() -> None:
    text = above(float("nan"), 1.0, 0.5, "Noise moves only {value:.0%} of states.").text
    assert "nan" not in text
    assert "unknown" in text


def test_surrogates_are_refitted_together_as_alone(trials, fits) -> None:
    model = fits.members_[0]
    others = [circular_shift(trials, k) for k in range(2)]
    together = refit(model, others, 4, [3, 4])
    alone = refit(model, others[1:], 4, [4])
    np.testing.assert_allclose(
        together[1].transform(trials).values, alone[0].transform(trials).values, atol=1e-3
    )
    assert not np.allclose(together[1].transform(trials).values, model.transform(trials).values, atol=1e-3)


def test_verdicts_say_that_surrogates_were_refitted(trials, fits) -> None:
    class Claimed(Hypothesis):
        name, null = "claimed", "circular_shift"

        def criteria(self, view):
            return []

        def statistic(self, view):
            return view.numbers["spread_end"]

    view = views_of(fits, trials, depth="quick")[0]
    nulls = refitted(fits.members_[0], view, trials, {"claimed": Claimed()}, 5, 2, 0, lambda *told: None)
    assert nulls["claimed"].name == "circular_shift, refitted for 2 steps"
    assert len(nulls["claimed"].sample) == 5
