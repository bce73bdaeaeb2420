"""The `Trials` schema: an `xarray.Dataset` with dims (trial, time, unit) that every room reads.

Data variables: ``counts`` (or ``activity`` for calcium and other continuous signals), and optionally
``inputs (trial, time, input)``, ``behavior (trial, time, covariate)`` and ``observed`` (bool).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

ACTIVITY_KINDS = ("counts", "calcium", "continuous")


def make_trials(
    values: np.ndarray,
    *,
    bin_size: float,
    kind: str = "counts",
    start: float = 0.0,
    observed: np.ndarray | None = None,
    inputs: np.ndarray | None = None,
    input_names: Sequence[str] | None = None,
    behavior: np.ndarray | None = None,
    covariate_names: Sequence[str] | None = None,
    absolute_start: np.ndarray | None = None,
    units: Mapping[str, Any] | None = None,
    columns: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build a valid `Trials` dataset from arrays.

    Parameters
    ----------
    values : array of shape (trial, time, unit)
        Spike counts per bin, or a continuous signal.
    bin_size : float
        Width of a bin in seconds.
    kind : {"counts", "calcium", "continuous"}
        What `values` are.
    start : float
        Time of the left edge of the first bin, in seconds from the event.
    observed : bool array, (trial, time) or (trial, time, unit), optional
        False where nothing was recorded. A bin that was not recorded is not a silent bin.
    inputs : array of shape (trial, time, input), optional
        External inputs, held constant over each bin.
    behavior : array of shape (trial, time, covariate), optional
        Behaviour on the same bins.
    input_names, covariate_names : sequence of str, optional
        Names along those axes.
    absolute_start : array of shape (trial,), optional
        Time of each trial's event in the file's own clock, in seconds.
    units, columns : mapping, optional
        One value per unit (``unit`` itself for ids), one value per trial (conditions, outcomes ...).
    attrs : mapping, optional
        ``event``, ``window``, ``source``, ``source_hash`` and anything else worth keeping.

    Returns
    -------
    xarray.Dataset
        Coordinate ``time`` holds the left edges of the bins.

    Raises
    ------
    ValueError
        As in `validate`.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.trials import make_trials
    >>> trials = make_trials(np.zeros((4, 10, 3), int), bin_size=0.02, columns={"choice": [0, 1, 0, 1]})
    >>> dict(trials.sizes)
    {'trial': 4, 'time': 10, 'unit': 3}
    """
    values = np.asarray(values)
    if values.ndim != 3:
        raise ValueError(f"values must have shape (trial, time, unit), got {values.shape}.")
    n_trials, n_bins, n_units = values.shape
    name = "counts" if kind == "counts" else "activity"
    units = dict(units or {})
    time = start + np.arange(n_bins) * bin_size
    event_time = np.zeros(n_trials) if absolute_start is None else np.asarray(absolute_start, float)
    data: dict[str, Any] = {name: (("trial", "time", "unit"), values)}
    coords: dict[str, Any] = {
        "trial": np.arange(n_trials),
        "time": time,
        "unit": np.asarray(units.pop("unit", np.arange(n_units))),
        "absolute_time": (("trial", "time"), event_time[:, None] + time[None, :]),
    }
    coords |= {key: ("unit", np.asarray(value)) for key, value in units.items()}
    coords |= {key: ("trial", np.asarray(value)) for key, value in (columns or {}).items()}
    for key, axis, array, labels in (
        ("inputs", "input", inputs, input_names),
        ("behavior", "covariate", behavior, covariate_names),
    ):
        if array is not None:
            data[key] = (("trial", "time", axis), np.asarray(array))
            coords[axis] = (
                list(labels) if labels is not None else [f"{axis}_{i}" for i in range(array.shape[2])]
            )
    if observed is not None:
        mask = np.asarray(observed, bool)
        data["observed"] = (("trial", "time", "unit")[: mask.ndim], mask)
    meta: dict[str, Any] = {
        "event": "",
        "window": [start, start + n_bins * bin_size],
        "source": "",
        "source_hash": "",
    }
    meta |= dict(attrs or {})
    meta |= {"bin_size": float(bin_size), "activity_kind": kind}
    dataset = xr.Dataset(data, coords, meta)
    dataset["time"].attrs["units"] = "s"
    dataset["absolute_time"].attrs["units"] = "s"
    return validate(dataset)


def validate(trials: xr.Dataset) -> xr.Dataset:
    """Check that a dataset keeps the `Trials` contract and return it.

    Raises
    ------
    ValueError
        Says which variable, dimension or attribute is wrong and what is expected.

    Examples
    --------
    >>> import xarray as xr
    >>> from neurognode.trials import validate
    >>> validate(xr.Dataset())
    Traceback (most recent call last):
    ...
    ValueError: Trials need a variable 'counts' or 'activity' with dims ('trial', 'time', 'unit'); found none.
    """
    if not isinstance(trials, xr.Dataset):
        raise ValueError(
            f"Trials must be an xarray.Dataset, got {type(trials).__name__}. See neurognode.make_trials."
        )
    present = [n for n in ("counts", "activity") if n in trials]
    if len(present) != 1:
        found = "none" if not present else "both"
        raise ValueError(
            f"Trials need a variable 'counts' or 'activity' with dims ('trial', 'time', 'unit'); found {found}."
        )
    expected: dict[str, list[tuple[str, ...]]] = {
        present[0]: [("trial", "time", "unit")],
        "inputs": [("trial", "time", "input")],
        "behavior": [("trial", "time", "covariate")],
        "observed": [("trial", "time"), ("trial", "time", "unit")],
    }
    for name, dims in expected.items():
        if name in trials and trials[name].dims not in dims:
            raise ValueError(f"{name} must have dims {dims[-1]}, got {trials[name].dims}.")
    if 0 in trials.sizes.values():
        raise ValueError(f"Trials are empty: {dict(trials.sizes)}.")
    bin_size = trials.attrs.get("bin_size")
    if not (isinstance(bin_size, (int, float, np.number)) and bin_size > 0):
        raise ValueError(f"attrs['bin_size'] must be a positive number of seconds, got {bin_size!r}.")
    if trials.attrs.get("activity_kind") not in ACTIVITY_KINDS:
        raise ValueError(f"attrs['activity_kind'] must be one of {ACTIVITY_KINDS}.")
    steps = np.diff(trials["time"].values)
    if len(steps) and not np.allclose(steps, bin_size, rtol=1e-3, atol=1e-9):
        raise ValueError(
            f"time must step by bin_size={bin_size} s, got steps of {steps.min():g} to {steps.max():g} s."
        )
    if "observed" in trials and trials["observed"].dtype != bool:
        raise ValueError(f"observed must be bool, got {trials['observed'].dtype}.")
    return trials


def signal(trials: xr.Dataset) -> xr.DataArray:
    """The recorded signal, ``counts`` or ``activity``, with dims (trial, time, unit)."""
    return trials["counts"] if "counts" in trials else trials["activity"]


def observed(trials: xr.Dataset) -> np.ndarray:
    """Which entries were recorded, as a bool array of the signal's full shape (trial, time, unit).

    NaN entries of the signal count as not observed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.trials import make_trials, observed
    >>> bool(observed(make_trials(np.zeros((1, 2, 3)), bin_size=0.1)).all())
    True
    """
    values = signal(trials)
    mask = np.ones(values.shape, bool)
    if "observed" in trials:
        given = trials["observed"].values
        mask &= given if given.ndim == 3 else given[:, :, None]
    if values.dtype.kind == "f":
        mask &= np.isfinite(values.values)
    return mask


def not_finite(trials: xr.Dataset) -> np.ndarray:
    """How many bins of each unit hold NaN or infinity although nothing says that they were not recorded, (unit,).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.trials import make_trials, not_finite
    >>> not_finite(make_trials(np.array([[[0.0, np.nan], [1.0, 2.0]]]), bin_size=0.1)).tolist()
    [0, 1]
    """
    values = signal(trials)
    if values.dtype.kind != "f":
        return np.zeros(values.shape[2], int)
    bad = ~np.isfinite(values.values)
    if "observed" in trials:
        given = trials["observed"].values
        bad &= given if given.ndim == 3 else given[:, :, None]
    return bad.sum(axis=(0, 1))


def filled(trials: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Signal as float32 with zeros where nothing was observed, and the mask, both (trial, time, unit)."""
    mask = observed(trials)
    return np.where(mask, signal(trials).values, 0).astype(np.float32), mask


def lengths(trials: xr.Dataset) -> np.ndarray:
    """Number of bins of each trial up to the last in which any unit was observed, shape (trial,)."""
    seen: np.ndarray = np.any(observed(trials), axis=2)
    return np.where(np.any(seen, axis=1), seen.shape[1] - np.argmax(seen[:, ::-1], axis=1), 0)
