"""Walker2d kinematics: predict the next state of a simulated walker from irregular samples."""

from __future__ import annotations

import os

import numpy as np

from neurognode.datasets.base import DatasetFile, Sequences, Splits, load_arrays

FILE = DatasetFile(
    name="walker2d.npz",
    sha256="30ecb590e6050d7790d3316f06ad93619954c5d8fc419cf34d188986d149664e",
    source="github.com/raminmh/CfC, data/walker, commit 59f6e01",
    licence="Apache-2.0",
    citation="Lechner and Hasani, arXiv:2006.04418, 2020",
)
WINDOW, STRIDE, KEEP = 64, 16, 0.9


def walker2d(folder: str | os.PathLike[str] | None = None) -> Splits:
    """400 rollouts of 17 state variables, cut into windows of 64 kept samples, by the literature's protocol.

    Rollouts are shuffled with a fixed seed; the first 15 % are for testing, the next 10 % for validation.
    Each step is kept with probability 0.9; the target of a kept step is the very next state. Values are not
    rescaled, so that squared errors compare with published ones.

    Parameters
    ----------
    folder : path, optional
        See `DatasetFile.locate`.

    Returns
    -------
    Splits
        `targets` (window, 64, 17); `times` count simulation steps from the first kept sample of the window.
    """
    arrays = load_arrays(FILE.locate(folder))
    edges = np.concatenate([[0], np.cumsum(arrays["lengths"])])
    rollouts = {
        str(name): arrays["observations"][a:b].astype(np.float32)
        for name, a, b in zip(arrays["names"], edges[:-1], edges[1:])
    }
    names = sorted(rollouts)
    np.random.RandomState(125487).shuffle(names)
    n_test, n_validation = int(0.15 * len(names)), int(0.1 * len(names))
    test, rest = names[:n_test], names[n_test:]
    validation, train = rest[:n_validation], rest[n_validation:]
    chance = np.random.RandomState(891374)
    parts = [_windows([rollouts[n] for n in group], chance) for group in (train, validation, test)]
    return Splits(*parts)


def _windows(rollouts: list[np.ndarray], chance: np.random.RandomState) -> Sequences:
    inputs, targets, times = [], [], []
    for states in rollouts:
        kept = np.flatnonzero([chance.rand() <= KEEP for _ in range(len(states) - 1)])
        for first in range(0, len(kept) - WINDOW, STRIDE):
            rows = kept[first : first + WINDOW]
            inputs.append(states[rows])
            targets.append(states[rows + 1])
            times.append(rows - rows[0])
    return Sequences(
        np.stack(inputs),
        np.stack(targets),
        np.ones((len(inputs), WINDOW), bool),
        np.stack(times).astype(float),
    )
