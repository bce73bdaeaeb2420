"""Which trials test a fit and which units are held out of its encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurognode import splits
from neurognode.errors import RunError
from neurognode.runs.config import Split

TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("valid", "validation", "test")


@dataclass(frozen=True, eq=False)
class Partition:
    """Positions of test trials and of held-out units.

    Attributes
    ----------
    is_test : bool array of shape (trial,)
        Trials never used for fitting or choosing.
    is_held_out : bool array of shape (unit,)
        Units the encoder never sees.
    """

    is_test: np.ndarray
    is_held_out: np.ndarray

    def train(self, trials: xr.Dataset) -> xr.Dataset:
        """The trials to fit."""
        return trials.isel(trial=np.flatnonzero(~self.is_test))

    def test(self, trials: xr.Dataset) -> xr.Dataset | None:
        """The trials to score, None if none were kept back."""
        return trials.isel(trial=np.flatnonzero(self.is_test)) if self.is_test.any() else None

    def to_json(self) -> dict[str, list[int]]:
        """Positions, for the run folder."""
        return {
            "test_trials": np.flatnonzero(self.is_test).tolist(),
            "held_out_units": np.flatnonzero(self.is_held_out).tolist(),
            "sizes": [len(self.is_test), len(self.is_held_out)],
        }

    @classmethod
    def from_json(cls, stored: dict[str, list[int]], trials: xr.Dataset) -> Partition:
        """What `to_json` gave, for the same trials.

        Raises
        ------
        RunError
            If the trials are not those of the fit any more.
        """
        sizes = [trials.sizes["trial"], trials.sizes["unit"]]
        if list(stored["sizes"]) != sizes:
            raise RunError(
                f"Aligning the recording now gives {sizes[0]} trials of {sizes[1]} units; the run was "
                f"fitted on "
                f"{stored['sizes'][0]} of {stored['sizes'][1]}. Is it the same recording?"
            )
        is_test, is_held_out = (np.zeros(n, bool) for n in sizes)
        is_test[stored["test_trials"]] = True
        is_held_out[stored["held_out_units"]] = True
        return cls(is_test, is_held_out)


def partition(trials: xr.Dataset, split: Split, condition: str | None = None) -> Partition:
    """Draw test trials and held-out units from a seed.

    Trials that come with a column ``split`` keep it. Otherwise `split.by` names a column whose whole values
    go to one side (runs, blocks), or ``"time"`` for blocks of time; without it trials are drawn evenly over
    the values of `condition`.

    Parameters
    ----------
    trials : Dataset
        All trials.
    split : Split
        Shares and seed.
    condition : str, optional
        Trial column to draw evenly over.

    Raises
    ------
    ValueError
        If a column is unknown, or a share leaves nothing to fit or to see.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.runs.config import Split
    >>> from neurognode.runs.partition import partition
    >>> trials = make_trials(np.ones((10, 5, 8)), bin_size=0.1, columns={"side": [0, 1] * 5})
    >>> parts = partition(trials, Split(test=0.2, held_out=0.25), "side")
    >>> parts.is_test.sum(), parts.is_held_out.sum(), set(trials.side.values[parts.is_test].tolist())
    (np.int64(2), np.int64(2), {0, 1})
    """
    rng = np.random.default_rng(split.seed)
    n_trials, n_units = trials.sizes["trial"], trials.sizes["unit"]
    units = rng.permutation(n_units)
    is_held_out = np.zeros(n_units, bool)
    is_held_out[units[: round(split.held_out * n_units)]] = True
    if is_held_out.all():
        raise ValueError(f"Holding out {split.held_out:.0%} of {n_units} units leaves none for the encoder.")
    stored = _stored_split(trials)
    if stored is not None:
        return Partition(stored, is_held_out)
    is_test = _drawn(trials, split, condition)
    if is_test.all() or (~is_test).sum() < 2:
        raise ValueError(
            f"{n_trials} trials with {split.test:.0%} for testing leave {int((~is_test).sum())} to fit; "
            f"at least two "
            "are needed. Use more trials or a smaller --test."
        )
    return Partition(is_test, is_held_out)


def _stored_split(trials: xr.Dataset) -> np.ndarray | None:
    if "split" not in trials.coords or trials["split"].dims != ("trial",):
        return None
    names = np.array([str(v).lower() for v in trials["split"].values])
    known = np.isin(names, TRAIN_NAMES + TEST_NAMES)
    is_test = np.isin(names, TEST_NAMES)
    return is_test if known.all() and is_test.any() and not is_test.all() else None


def _drawn(trials: xr.Dataset, split: Split, condition: str | None) -> np.ndarray:
    is_test = np.zeros(trials.sizes["trial"], bool)
    if split.test > 0:
        shares = {"train": 1 - split.test, "test": split.test}
        if split.by == "time":
            parts = splits.by_time(trials, shares, random_state=split.seed)
        elif split.by:
            parts = splits.by_condition(trials, split.by, shares, random_state=split.seed)
        else:
            parts = splits.by_trial(trials, shares, stratify=condition, random_state=split.seed)
        is_test[parts["test"]] = True
    return is_test
