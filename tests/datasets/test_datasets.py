"""Data sets: location, hash, protocol of each."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode import datasets
from neurognode.datasets.base import drop_samples
from neurognode.errors import RecordingError


@pytest.mark.parametrize("name", datasets.FILES)
def test_files_are_the_ones_that_are_meant(name, data_file):
    folder = data_file(name).parent
    assert datasets.FILES[name].locate(folder, verify=True).name == name


def test_a_missing_file_is_explained(tmp_path, monkeypatch):
    with pytest.raises(RecordingError, match="not there"):
        datasets.walker2d(tmp_path)
    monkeypatch.delenv("NEUROGNODE_DATA", raising=False)
    with pytest.raises(RecordingError, match="NEUROGNODE_DATA"):
        datasets.walker2d()


def test_another_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "walker2d.npz").write_bytes(b"something else")
    with pytest.raises(RecordingError, match="hash differs"):
        datasets.FILES["walker2d.npz"].locate(tmp_path, verify=True)


def test_characters(data_file):
    folder = data_file("character_trajectories.npz").parent
    splits = datasets.character_trajectories(folder, dropped=0.5)
    sizes = [len(splits.train), len(splits.validation), len(splits.test)]
    assert sum(sizes) == 2858
    assert sizes[0] == pytest.approx(0.7 * 2858, abs=15)
    lengths = np.concatenate([part.mask.sum(1) for part in (splits.train, splits.validation, splits.test)])
    assert (lengths.min(), np.median(lengths), lengths.max()) == (95, 155, 204)
    assert len(np.unique(splits.test.targets)) == 20
    repeats = (np.diff(splits.train.inputs, axis=1) == 0).all(axis=2) & splits.train.mask[:, 1:]
    assert repeats.mean() > 0.3


def test_walker_protocol(data_file):
    splits = datasets.walker2d(data_file("walker2d.npz").parent)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [9684, 1272, 1937]
    assert splits.train.inputs.shape[1:] == (64, 17)
    gaps = np.diff(splits.train.times, axis=1)
    assert gaps.min() == 1
    assert gaps.mean() == pytest.approx(1 / 0.9, rel=0.01)
    close = gaps == 1
    np.testing.assert_array_equal(splits.train.targets[:, :-1][close], splits.train.inputs[:, 1:][close])


def test_digits(data_file):
    folder = data_file("spoken_digits.npz").parent
    usual = datasets.spoken_digits(folder)
    assert len(usual.test) == 300
    speaker = datasets.spoken_digits(folder, split="george", stride=2)
    assert len(speaker.test) == 500
    with pytest.raises(ValueError, match="Did you mean 'george'"):
        datasets.spoken_digits(folder, split="georg")


def test_dropping_keeps_time_and_holds_the_last_sample():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 40, 2))
    mask = np.arange(40) < np.array([40, 30, 20, 10, 5])[:, None]
    held, kept = drop_samples(x, mask, 0.7, rng)
    assert (kept.sum(1) == mask.sum(1) - np.floor(0.7 * mask.sum(1))).all()
    for row in range(5):
        value = np.zeros(2)
        for t in range(40):
            value = x[row, t] if kept[row, t] else value
            np.testing.assert_allclose(held[row, t], value * mask[row, t], atol=1e-6)
