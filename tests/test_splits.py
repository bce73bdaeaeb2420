"""Splits: disjoint, seeded, stratified, never by order, never across shared time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurognode import make_trials, splits


def trials_of(n: int, spacing: float = 1.0, bins: int = 5, n_units: int = 3, **columns: Any) -> xr.Dataset:
    return make_trials(
        np.zeros((n, bins, n_units), int),
        bin_size=0.1,
        absolute_start=np.arange(n) * spacing,
        columns=columns,
    )


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(10, 200), share=st.floats(0.15, 0.85), kinds=st.integers(1, 4), seed=st.integers(0, 2**31)
)
def test_trials_are_shared_out_once_and_evenly(n: int, share: float, kinds: int, seed: int) -> None:
    side = np.random.default_rng(seed).integers(0, kinds, n)
    trials = trials_of(n, side=side)
    found = splits.by_trial(trials, {"a": share, "b": 1 - share}, stratify="side", random_state=seed)
    together = np.concatenate(list(found.values()))
    assert sorted(together.tolist()) == list(range(n))
    assert abs(len(found["a"]) - n * share) <= 1 + 1e-9
    for kind in range(kinds):
        members = (side == kind).sum()
        assert abs((side[found["a"]] == kind).sum() - members * share) <= 2


def test_the_seed_decides_and_the_order_does_not() -> None:
    trials = trials_of(100)
    one, same, other = (splits.by_trial(trials, random_state=s)["test"].tolist() for s in (0, 0, 1))
    assert one == same
    assert one != other
    assert max(one) - min(one) > 60


def test_windows_that_share_time_stay_on_one_side() -> None:
    trials = trials_of(60, spacing=0.3)
    trials = trials.isel(trial=[k for k in range(60) if k % 6 < 4])
    groups = splits.overlapping(trials)
    assert len(np.unique(groups)) == 10
    for seed in range(5):
        found = splits.by_trial(trials, random_state=seed)
        assert not set(groups[found["train"]]) & set(groups[found["test"]])
    with pytest.raises(ValueError, match="too few"):
        splits.by_trial(trials_of(20, spacing=0.3), random_state=0)


def test_blocks_of_time_keep_their_distance() -> None:
    trials = trials_of(200)
    found = splits.by_time(trials, {"train": 0.6, "test": 0.4}, blocks=10, gap=3.0, random_state=0)
    start = trials["absolute_time"].values[:, 0]
    distance = np.abs(start[found["train"]][:, None] - start[found["test"]][None, :]) - 0.5
    assert distance.min() >= 3.0 - 1e-9
    assert len(np.flatnonzero(np.diff(found["test"]) > 1)) >= 1
    assert 200 - sum(map(len, found.values())) < 40
    with pytest.raises(ValueError, match="gap=1000"):
        splits.by_time(trials, gap=1000.0, random_state=0)


def test_conditions_are_held_out_whole() -> None:
    angle = np.tile(np.arange(8), 10)
    trials = trials_of(80, angle=angle)
    found = splits.by_condition(trials, "angle", {"train": 0.75, "test": 0.25}, random_state=3)
    assert len(set(angle[found["test"]])) == 2
    assert not set(angle[found["train"]]) & set(angle[found["test"]])
    with pytest.raises(ValueError, match="Did you mean 'angle'"):
        splits.by_condition(trials, "angel")


def test_units_are_held_out_by_area() -> None:
    area = np.repeat(["a", "b"], [12, 8])
    trials = make_trials(np.zeros((3, 4, 20), int), bin_size=0.1, units={"area": area})
    found = splits.by_unit(trials, 0.25, stratify="area", random_state=0)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(20))
    assert [(area[found["held_out"]] == a).sum() for a in "ab"] == [3, 2]


@pytest.mark.parametrize("by", ["trial", "time", "condition"])
def test_folds_test_every_trial_once(by: str) -> None:
    trials = trials_of(50, angle=np.tile(np.arange(10), 5))
    how: dict[str, Any] = {"condition": "angle"} if by == "condition" else {}
    parts = list(splits.folds(trials, 5, by=by, random_state=0, **how))
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == list(range(50))
    for train, test in parts:
        assert not set(train) & set(test)


def test_folds_of_time_leave_a_gap() -> None:
    trials = trials_of(60)
    start = trials["absolute_time"].values[:, 0]
    for train, test in splits.folds(trials, 3, by="time", gap=2.0, random_state=1):
        assert (np.abs(start[train][:, None] - start[test]) - 0.5).min() >= 2.0 - 1e-9


def test_nested_folds_stay_inside_train() -> None:
    trials = trials_of(40, side=np.tile([0, 1], 20))
    outer = list(splits.nested(trials, 4, 3, stratify="side", random_state=7))
    again = list(splits.nested(trials, 4, 3, stratify="side", random_state=7))
    assert len(outer) == 4
    for (train, test, within), (_, same, _) in zip(outer, again):
        assert test.tolist() == same.tolist()
        assert sorted(np.concatenate([b for _, b in within]).tolist()) == train.tolist()
        for a, b in within:
            assert not (set(a) | set(b)) & set(test)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: splits.by_trial(t, {"a": 0.9, "b": 0.5}), "at most 1"),
        (lambda t: splits.by_trial(t, {}), "at most 1"),
        (lambda t: splits.by_unit(t, 1.5), "between 0 and 1"),
        (lambda t: list(splits.folds(t, 1)), "at least 2"),
        (lambda t: list(splits.folds(t, 2, by="trail")), "Did you mean 'trial'"),
        (lambda t: list(splits.folds(t, 2, by="condition")), "needs condition="),
        (lambda t: splits.by_time(t, blocks=99), "more than there are trials"),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(trials_of(10))
