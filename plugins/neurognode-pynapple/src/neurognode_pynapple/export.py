"""Latents as a `TsdFrame` in file time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode.export.continuous import continuous
from neurognode.export.results import collect
from neurognode.files import atomic_path


def to_tsdframe(fits: Any, trials: xr.Dataset) -> Any:
    """Latents of `trials` as one `TsdFrame`, with the trials as its time support.

    Parameters
    ----------
    fits : fitted model, Ensemble, or DataArray (trial, time, latent)
        Where the latents come from.
    trials : Dataset
        The `Trials`; their ``absolute_time`` gives the time stamps, in seconds. Padding is left out.

    Returns
    -------
    pynapple.TsdFrame
        Columns ``latent_0`` ...

    Examples
    --------
    >>> from neurognode.testing.exporters import known_latents
    >>> from neurognode_pynapple import to_tsdframe
    >>> trials, latents = known_latents()
    >>> to_tsdframe(latents, trials).shape
    (120, 2)
    """
    import pynapple as nap

    results = collect(fits, trials)
    order = continuous(trials)
    values = order.take(np.asarray(results.latents.transpose("trial", "time", "latent").values))
    half = trials.attrs["bin_size"] / 2
    first = np.r_[True, np.diff(order.times) > 3 * half]
    last = np.r_[first[1:], True]
    support = nap.IntervalSet(start=order.times[first] - half / 2, end=order.times[last] + half / 2)
    names = [f"latent_{i}" for i in range(values.shape[1])]
    return nap.TsdFrame(t=order.times, d=values, columns=names, time_support=support)


def to_pynapple(path: str | os.PathLike[str], fits: Any, trials: xr.Dataset, *_: Any, **__: Any) -> Path:
    """Write the latents as an npz file that ``pynapple.load_file`` reads.

    Parameters
    ----------
    path : path
        The new file, ending in ``.npz``.
    fits, trials
        As for `to_tsdframe`; what other exporters also take (verdicts, portraits) has no place in the format.

    Returns
    -------
    pathlib.Path
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"path={str(target)!r} must end in '.npz', which is how pynapple knows its files.")
    with atomic_path(target) as temporary:
        to_tsdframe(fits, trials).save(str(temporary))
    return target
