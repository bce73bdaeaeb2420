"""Members fitted in processes of their own are those fitted in turn."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from sklearn.base import clone

from neurognode.models import Ensemble, LatentGNODE, parallel
from neurognode.synthetic import circuits, simulate_recording


@pytest.fixture(scope="module")
def trials():
    return simulate_recording(circuits.make("bistable"), n_units=12, n_trials=20).trials(0.04)


def test_the_same_members_come_back(trials) -> None:
    heard = []
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    try:
        model = LatentGNODE(2, max_steps=4, progress=False, random_state=3)
        model.set_params(callbacks=[lambda step, total, metrics: heard.append((step, total))])
        together = Ensemble(model, n_members=2, n_jobs=2).fit(trials)
        in_turn = Ensemble(model, n_members=2).fit(trials)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(together.predict(trials), in_turn.predict(trials), rtol=1e-4)
    assert heard.count((4, 4)) == 4


def test_a_problem_of_a_member_is_told_as_if_it_were_here(trials) -> None:
    negative = trials.copy(deep=True)
    negative["counts"][0, 0, 0] = -1
    model = LatentGNODE(2, max_steps=2, progress=False, random_state=0)
    with pytest.raises(ValueError, match="whole numbers"):
        Ensemble(model, n_members=2, n_jobs=2).fit(negative)


def test_what_cannot_be_handed_over_is_fitted_here(trials) -> None:
    model = LatentGNODE(2, max_steps=2, progress=False, random_state=np.random.default_rng(0))
    assert not parallel.can_fit([model], trials)
    assert not parallel.can_fit([LatentGNODE(2, random_state=0)], [trials, trials])
    with pytest.raises(ValueError, match="n_jobs=0"):
        Ensemble(model, n_jobs=0).fit(trials)


def test_a_process_trains_several_members_together(trials, tmp_path) -> None:
    model = LatentGNODE(2, max_steps=4, progress=False, random_state=3)
    model.set_params(checkpoint=str(tmp_path / "state"))
    dealt = Ensemble(model, n_members=3, n_jobs=2).fit(trials)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.0-1", "state.2"]
    here = Ensemble(clone(model).set_params(checkpoint=None), n_members=3).fit(trials)
    np.testing.assert_allclose(dealt.predict(trials), here.predict(trials), rtol=1e-4)
    again = Ensemble(clone(model).set_params(resume=True), n_members=3, n_jobs=2).fit(trials)
    assert np.array_equal(again.predict(trials), dealt.predict(trials))
