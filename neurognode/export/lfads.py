"""HDF5 in the layout of LFADS, with a fit's latents and rates beside the counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode.export.results import collect
from neurognode.files import atomic_path
from neurognode.splits import by_trial
from neurognode.trials import filled, validate


def to_lfads_hdf5(
    path: str | os.PathLike[str],
    fits: Any,
    trials: xr.Dataset | None = None,
    verdicts: Any = None,
    portrait: Any = None,
    source: Any = None,
    *,
    valid_fraction: float = 0.2,
    random_state: int | np.random.Generator | None = 0,
) -> Path:
    """Write ``{train,valid}_data`` (trial, time, unit), ``_inds``, and ``_rates`` and ``_latents`` of a fit.

    The trials' coordinate ``split`` decides which are ``train`` and ``valid``; without it they are drawn.
    Bins that were not observed hold 0 in ``_data`` and False in ``_observed``. The width of a bin is the
    attribute ``bin_size``.

    Parameters
    ----------
    path : path
        The new file.
    fits : model, DataArray of latents, Trials, or None
        With None (or `Trials` alone) only the data are written.
    trials : Dataset, optional
        The `Trials`.
    verdicts, portrait, source : optional
        Have no place in this format.
    valid_fraction : float
        Share of trials in ``valid`` where there is no coordinate ``split``.
    random_state : int or Generator
        Seed of that draw.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> import neurognode as ng
    >>> trials = ng.make_trials(np.ones((10, 5, 3), int), bin_size=0.1)
    >>> written = ng.export.to_lfads_hdf5(pathlib.Path(tempfile.mkdtemp()) / "a.h5", None, trials)
    >>> ng.open_recording(written).align().sizes["trial"]
    10
    """
    import h5py

    if trials is None and isinstance(fits, xr.Dataset):
        fits, trials = None, fits
    if trials is None:
        raise ValueError("to_lfads_hdf5 needs the trials to write.")
    validate(trials)
    values, mask = filled(trials)
    arrays = {"data": values, "inds": np.arange(trials.sizes["trial"])}
    if not mask.all():
        arrays["observed"] = mask
    for key, name in (("inputs", "ext_input"), ("behavior", "behavior")):
        if key in trials:
            arrays[name] = trials[key].values
    if fits is not None:
        results = collect(fits, trials)
        arrays["inferred_latents"] = results.latents.values
        if results.rates is not None:
            arrays["inferred_rates"] = results.rates.values
    parts = _parts(trials, valid_fraction, random_state)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["bin_size"] = float(trials.attrs["bin_size"])
        for split, rows in parts.items():
            for name, array in arrays.items():
                file.create_dataset(f"{split}_{name}", data=array[rows], compression="gzip", shuffle=True)
    return Path(path)


def _parts(trials: xr.Dataset, fraction: float, random_state: Any) -> dict[str, np.ndarray]:
    if "split" in trials.coords:
        labels = trials["split"].values.astype(str)
        found = {s: np.flatnonzero(labels == s) for s in dict.fromkeys(labels.tolist())}
        if set(found) <= {"train", "valid", "test", "eval"}:
            return found
    return by_trial(trials, {"train": 1 - fraction, "valid": fraction}, random_state=random_state)
