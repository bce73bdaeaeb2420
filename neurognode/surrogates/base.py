"""What the surrogates share: taking the signal out of trials and putting another one in."""

from __future__ import annotations

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
