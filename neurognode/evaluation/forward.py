"""Forward prediction: the end of a trial from its beginning."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray as xr

from neurognode import trials as schema
from neurognode.dynamics import integrate
from neurognode.metrics import bits_per_spike, mean_counts


def forecast(model: Any, trials: xr.Dataset, seconds: float) -> np.ndarray:
    """Expected counts of the last bins of trials, by the fitted field from the last state inferred before.

    The encoder sees only the bins before; known inputs of the last bins are used; process noise is left out.

    Parameters
    ----------
    model : LatentDynamics
        Fitted to counts, without inferred inputs.
    trials : Trials
    seconds : float
        How much of the end to predict.

    Returns
    -------
    array (trial, n_bins, unit)
        Expected spikes per bin of every fitted unit.
    """
    bin_size = float(trials.attrs["bin_size"])
    n_last = round(seconds / bin_size)
    n_bins = trials.sizes["time"]
    if not 0 < n_last < n_bins:
        raise ValueError(f"forecast={seconds:g} s must be shorter than the trials ({n_bins * bin_size:g} s).")
    start = model.transform(trials.isel(time=slice(0, n_bins - n_last))).values[:, -1]
    field = model.field_
    names = list(getattr(model, "input_names_", []))
    if field.input_dim > len(names):
        raise ValueError(
            "A model with inferred inputs cannot be run forward: its inputs are not known ahead."
        )
    inputs = None
    if names:
        drive = trials["inputs"].sel(input=names).values[:, n_bins - n_last - 1 :]
        inputs = torch.as_tensor(np.nan_to_num(drive), dtype=torch.float32)
    state = torch.as_tensor(np.nan_to_num(start), dtype=torch.float32)
    times = torch.arange(n_last + 1) * bin_size
    with torch.no_grad():
        stepping = {"method": model.network_.path.method, "substeps": model.network_.path.substeps}
        path = integrate(field, state, times, inputs, **stepping)[:, 1:]
        expected = model.network_.likelihood.expected(model.network_.location(path)).numpy()
    rates = np.broadcast_to(model.mean_, (*expected.shape[:2], len(model.mean_))).astype(float)
    rates[..., model.active_] = expected
    return np.where(np.isfinite(start).all(axis=1)[:, None, None], rates, np.nan)


def forecast_bits(model: Any, train: xr.Dataset, test: xr.Dataset, seconds: float) -> float:
    """Bits per spike of `forecast` over the train trials' mean rates, all units; members of an ensemble averaged."""
    members = getattr(model, "members_", [model])
    expected = np.mean([forecast(member, test, seconds) for member in members], axis=0)
    counts, mask = schema.filled(test)
    last = slice(counts.shape[1] - expected.shape[1], None)
    mask = mask[:, last] & np.isfinite(expected)
    return bits_per_spike(np.nan_to_num(expected), counts[:, last], mean_counts(*schema.filled(train)), mask)
