"""Character Trajectories: which of 20 letters a pen wrote, with samples dropped at random."""

from __future__ import annotations

import os

import numpy as np

from neurognode.datasets.base import (
    DatasetFile,
    Sequences,
    Splits,
    drop_samples,
    load_arrays,
    standardise,
    thirds,
)

FILE = DatasetFile(
    name="character_trajectories.npz",
    sha256="d0e202a8a3916adb59829a425a9c2c85a20799af878b548f1a2fa5c3d4d004f8",
    source="UCI Machine Learning Repository, dataset 175 (archive.ics.uci.edu/dataset/175)",
    licence="that of the UCI page; not verified",
    citation="Williams, Toussaint and Storkey, ICANN 2006 and NIPS 2008",
)


def character_trajectories(
    folder: str | os.PathLike[str] | None = None,
    *,
    dropped: float = 0.0,
    stride: int = 1,
    random_state: int | np.random.Generator | None = 0,
) -> Splits:
    """2,858 characters of 20 letters, three channels at 200 Hz, split 70 / 15 / 15 by letter.

    Parameters
    ----------
    folder : path, optional
        See `DatasetFile.locate`.
    dropped : float
        Share of the samples of each character that is dropped at random; 0, 0.3, 0.5, 0.7 in the literature.
        Dropping comes before `stride`.
    stride : int
        Keep every so many-th time step.
    random_state : int, Generator or None
        Of the split and of what is dropped.

    Returns
    -------
    Splits
        `targets` are numbers of letters in alphabetical order; dropped samples are held from the last one.
    """
    arrays = load_arrays(FILE.locate(folder))
    values, letters = arrays["X"].astype(np.float32), arrays["y"]
    rng = np.random.default_rng(random_state)
    lengths = _lengths(values)
    mask = np.arange(values.shape[1]) < lengths[:, None]
    _, labels = np.unique(letters, return_inverse=True)
    parts = thirds(len(values), labels, rng)
    if dropped:
        values, _ = drop_samples(values, mask, dropped, rng)
    times = np.broadcast_to(np.arange(values.shape[1], dtype=float), mask.shape)
    pick = slice(None, None, stride)
    found = [
        Sequences(values[rows][:, pick], labels[rows], mask[rows][:, pick], times[rows][:, pick])
        for rows in parts
    ]
    return Splits(*standardise(found))


def _lengths(values: np.ndarray) -> np.ndarray:
    """The true length is not stored: it is the last row that is not zero."""
    some = (values != 0).any(axis=2)
    return values.shape[1] - np.argmax(some[:, ::-1], axis=1)
