from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurognode import make_trials
from neurognode.errors import RunError
from neurognode.runs.config import Split
from neurognode.runs.partition import Partition, partition


def trials_with(**columns: list) -> xr.Dataset:
    n = len(next(iter(columns.values())))
    starts = np.arange(n) * 10.0
    return make_trials(np.ones((n, 5, 8)), bin_size=0.1, columns=columns, absolute_start=starts)


def test_same_seed_same_parts() -> None:
    trials = trials_with(side=[0, 1] * 10)
    first, second = (partition(trials, Split(seed=3)) for _ in range(2))
    assert (first.is_test == second.is_test).all()
    assert (first.is_held_out == second.is_held_out).all()
    assert not (first.is_test == partition(trials, Split(seed=4)).is_test).all()


def test_conditions_are_spread_evenly() -> None:
    trials = trials_with(side=[0] * 10 + [1] * 10)
    parts = partition(trials, Split(test=0.2), "side")
    assert trials.side.values[parts.is_test].tolist() == [0, 0, 1, 1]


def test_whole_values_of_a_column_go_to_one_side() -> None:
    trials = trials_with(run=[1] * 4 + [2] * 4 + [3] * 4 + [4] * 4)
    parts = partition(trials, Split(test=0.25, by="run"))
    assert len(set(trials.run.values[parts.is_test])) == 1
    assert not set(trials.run.values[parts.is_test]) & set(trials.run.values[~parts.is_test])


def test_a_stored_split_is_kept() -> None:
    trials = trials_with(split=["train"] * 6 + ["valid"] * 2)
    assert partition(trials, Split(test=0.5)).is_test.tolist() == [False] * 6 + [True] * 2


def test_nothing_left_to_fit_is_said() -> None:
    with pytest.raises(ValueError, match="at least"):
        partition(trials_with(side=[0, 1]), Split(test=0.5))
    with pytest.raises(ValueError, match="none for the encoder"):
        partition(trials_with(side=[0] * 9), Split(held_out=0.99))


def test_json_round_trip_and_other_data() -> None:
    trials = trials_with(side=[0, 1] * 5)
    parts = partition(trials, Split())
    again = Partition.from_json(parts.to_json(), trials)
    assert (again.is_test == parts.is_test).all()
    with pytest.raises(RunError, match="same recording"):
        Partition.from_json(parts.to_json(), trials.isel(trial=slice(4)))
