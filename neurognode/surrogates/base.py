"""What the surrogates share: taking the signal out of trials and putting another one in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from neurognode import trials as schema

RandomState = int | np.random.Generator | None


def with_signal(trials: xr.Dataset, values: np.ndarray, name: str) -> xr.Dataset:
    """Trials with another signal (trial, time, unit); the attribute ``surrogate`` says which."""
    variable = schema.signal(trials)
    out = trials.copy()
    out[variable.name] = variable.copy(data=values)
    out.attrs["surrogate"] = name
    return out


def with_mask(trials: xr.Dataset, mask: np.ndarray) -> xr.Dataset:
    """Trials with the mask (trial, time, unit) that belongs to a rearranged signal."""
    if not mask.all() or "observed" in trials:
        return trials.drop_vars("observed", errors="ignore").assign(
            observed=(("trial", "time", "unit"), mask)
        )
    return trials


def runs(mask: np.ndarray) -> np.ndarray:
    """Indices of the observed bins of one series (time,)."""
    return np.flatnonzero(mask)


def equal_runs(mask: np.ndarray, shortest: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Series with the same number of observed bins, so that they can be worked on together.

    Parameters
    ----------
    mask : bool array (trial, time, unit)
        What was observed.
    shortest : int
        Series with fewer observed bins are left out.

    Yields
    ------
    trial, bins, unit : int arrays (n, 1), (n, length), (n, 1)
        Index with them together: ``values[trial, bins, unit]`` is (n, length).
    """
    if mask.all() and mask.shape[1] >= shortest:
        n_trials, n_bins, n_units = mask.shape
        trial, unit = np.divmod(np.arange(n_trials * n_units), n_units)
        yield trial[:, None], np.broadcast_to(np.arange(n_bins), (len(trial), n_bins)), unit[:, None]
        return
    series = mask.transpose(0, 2, 1).reshape(-1, mask.shape[1])
    length = series.sum(axis=1)
    for n_bins in np.unique(length[length >= shortest]):
        chosen = np.flatnonzero(length == n_bins)
        bins = np.nonzero(series[chosen])[1].reshape(len(chosen), n_bins)
        trial, unit = np.divmod(chosen, mask.shape[2])
        yield trial[:, None], bins, unit[:, None]
