"""The fixed splits on which the published baselines of our recordings were measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr


class BenchmarkSplit(NamedTuple):
    """Indices of held-in and held-out units, train and test trials."""

    held_in: np.ndarray
    held_out: np.ndarray
    train: np.ndarray
    test: np.ndarray


def benchmark_split(
    n_units: int, n_trials: int, *, held_out: float = 0.25, test: float = 0.2, seed: int = 0
) -> BenchmarkSplit:
    """Units and trials to hold out: a quarter of the units, then a fifth of the trials, from one generator.

    Parameters
    ----------
    n_units, n_trials : int
        Of the whole recording.
    held_out, test : float
        Shares.
    seed : int

    Returns
    -------
    BenchmarkSplit
        Sorted index arrays.

    Examples
    --------
    >>> from neurognode.evaluation import benchmark_split
    >>> split = benchmark_split(61, 112)
    >>> len(split.held_out), len(split.test)
    (15, 22)
    """
    rng = np.random.default_rng(seed)
    units, trials = rng.permutation(n_units), rng.permutation(n_trials)
    n_out, n_test = round(held_out * n_units), round(test * n_trials)
    return BenchmarkSplit(
        np.sort(units[n_out:]), np.sort(units[:n_out]), np.sort(trials[n_test:]), np.sort(trials[:n_test])
    )


def held_out_units(trials: xr.Dataset, encode_units: object) -> np.ndarray:
    """Which units an encoder that sees `encode_units` does not see, as a bool array (unit,).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.trials import make_trials
    >>> from neurognode.evaluation.splits import held_out_units
    >>> held_out_units(make_trials(np.zeros((1, 2, 3)), bin_size=0.1), [0, 2]).tolist()
    [False, True, False]
    """
    if encode_units is None:
        return np.zeros(trials.sizes["unit"], bool)
    return ~np.isin(trials["unit"].values, np.asarray(encode_units))
