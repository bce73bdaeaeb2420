"""Spoken digits: which of ten digits was said, from MFCC frames."""

from __future__ import annotations

import os

import numpy as np

from neurognode.datasets.base import DatasetFile, Sequences, Splits, load_arrays, standardise
from neurognode.errors import one_of

FILE = DatasetFile(
    name="spoken_digits.npz",
    sha256="b117e6b8a3f206f0fe379f34d747744c8863b62d2521811c85ba40eb08dd9d94",
    source="github.com/Jakobovski/free-spoken-digit-dataset, as 20 MFCC every 10 ms",
    licence="CC BY-SA 4.0",
    citation="Jackson et al., Free Spoken Digit Dataset, 2018",
)


def spoken_digits(
    folder: str | os.PathLike[str] | None = None,
    *,
    split: str = "takes",
    stride: int = 1,
    max_frames: int = 100,
    random_state: int | np.random.Generator | None = 0,
) -> Splits:
    """3,000 recordings of ten digits by six speakers.

    Parameters
    ----------
    folder : path, optional
        See `DatasetFile.locate`.
    split : str
        ``"takes"``: takes 0 to 4 of every speaker and digit are for testing (10 %). Or the name of a
        speaker, all of whose recordings are for testing; much harder.
    stride : int
        Keep every so many-th frame.
    max_frames : int
        Longer recordings are cut.
    random_state : int, Generator or None
        For the 10 % of the rest that are kept for validation.

    Returns
    -------
    Splits
        `targets` are the digits; channels are standardised.
    """
    arrays = load_arrays(FILE.locate(folder))
    speakers = arrays["speaker"].astype(str)
    one_of(split, ["takes", *np.unique(speakers)], "split")
    held = arrays["take"] < 5 if split == "takes" else speakers == split
    rest = np.random.default_rng(random_state).permutation(np.flatnonzero(~held))
    n_validation = len(rest) // 10
    values, mask = _padded(arrays["mfcc"], arrays["lengths"], max_frames)
    values, mask = values[:, ::stride], mask[:, ::stride]
    times = np.broadcast_to(np.arange(values.shape[1], dtype=float) * stride, mask.shape)
    parts = (rest[n_validation:], rest[:n_validation], np.flatnonzero(held))
    digit = arrays["digit"].astype(int)
    return Splits(*standardise([Sequences(values[r], digit[r], mask[r], times[r]) for r in parts]))


def _padded(frames: np.ndarray, lengths: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    edges = np.concatenate([[0], np.cumsum(lengths)])
    kept = np.minimum(lengths, longest)
    values = np.zeros((len(lengths), int(kept.max()), frames.shape[1]), np.float32)
    for row, (first, n) in enumerate(zip(edges[:-1], kept)):
        values[row, :n] = frames[first : first + n]
    return values, np.arange(values.shape[1]) < kept[:, None]
