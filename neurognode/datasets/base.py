"""Where a data set is, whether it is the right file, and where it came from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurognode.errors import RecordingError
from neurognode.files import sha256

VARIABLE = "NEUROGNODE_DATA"


@dataclass(frozen=True)
class DatasetFile:
    """A file that a data set is read from.

    Attributes
    ----------
    name : str
        File name.
    sha256 : str
        Of its bytes.
    source : str
        Where the bytes came from.
    licence : str
    citation : str
    """

    name: str
    sha256: str
    source: str
    licence: str
    citation: str

    def locate(self, folder: str | os.PathLike[str] | None = None, *, verify: bool = False) -> Path:
        """Path of the file; nothing is downloaded.

        Parameters
        ----------
        folder : path, optional
            Where to look; by default the folder in the environment variable ``NEUROGNODE_DATA``.
        verify : bool
            Compare the bytes with the known hash.

        Raises
        ------
        RecordingError
            If the file is not there, or not the file that is meant.
        """
        where = folder if folder is not None else os.environ.get(VARIABLE)
        if where is None:
            raise RecordingError(
                f"No folder was given for {self.name}",
                hint=f"Pass folder=, or set {VARIABLE} to the folder that holds it. Source: {self.source}.",
            )
        path = Path(where) / self.name
        if not path.exists():
            raise RecordingError("The data set is not there", where=str(path), hint=f"Source: {self.source}.")
        if verify and sha256(path) != self.sha256:
            raise RecordingError(
                "The file is not the one these results are about (its hash differs)", where=str(path)
            )
        return path


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of one part of a data set, padded at the end.

    Attributes
    ----------
    inputs : float32 array (sequence, time, channel)
        Channels are standardised where the protocol says so; padding is zero.
    targets : array
        Classes (sequence,), or values (sequence, time, channel).
    mask : bool array (sequence, time)
        False where there was no sample, or after the end.
    times : array (sequence, time)
        Time of every step, in steps of the original sampling.
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set: to fit, to choose with, and to report."""

    train: Sequences
    validation: Sequences
    test: Sequences


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an npz file, without unpickling anything."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def drop_samples(
    inputs: np.ndarray, mask: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Forget a share of the samples of each sequence; the last sample before takes their place.

    The time axis stays: what was dropped is a longer wait, not a shorter sequence.

    Returns
    -------
    inputs : array of the same shape
        Held at the last kept sample (zero before the first).
    kept : bool array (sequence, time)

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.datasets.base import drop_samples
    >>> x = np.arange(1.0, 7).reshape(1, 6, 1)
    >>> held, kept = drop_samples(x, np.ones((1, 6), bool), 0.5, np.random.default_rng(1))
    >>> int(kept.sum()), bool((held[kept] == x[kept]).all())
    (3, True)
    """
    n_bins = inputs.shape[1]
    order = rng.random(mask.shape)
    order[~mask] = np.inf
    rank = order.argsort(axis=1).argsort(axis=1)
    kept = mask & (rank >= np.floor(share * mask.sum(axis=1))[:, None])
    last = np.maximum.accumulate(np.where(kept, np.arange(n_bins), -1), axis=1)
    held = np.take_along_axis(inputs, np.maximum(last, 0)[..., None], axis=1)
    return np.where((last >= 0)[..., None] & mask[..., None], held, 0).astype(np.float32), kept


def standardise(parts: list[Sequences]) -> list[Sequences]:
    """Zero mean and unit variance of every channel over the samples of the first part; padding stays zero."""
    seen = parts[0].inputs[parts[0].mask]
    centre, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-8
    found = []
    for part in parts:
        values = np.where(part.mask[..., None], (part.inputs - centre) / scale, 0).astype(np.float32)
        found.append(Sequences(values, part.targets, part.mask, part.times))
    return found


def thirds(n_items: int, labels: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """70 % to fit, 15 % to choose with, 15 % to report, stratified by label."""
    parts: list[list[int]] = [[], [], []]
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        first, second = round(0.7 * len(own)), round(0.85 * len(own))
        for part, piece in zip(parts, (own[:first], own[first:second], own[second:])):
            part.extend(piece.tolist())
    return [np.array(sorted(part)) for part in parts]
