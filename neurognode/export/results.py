"""What a fit says about trials: latents, rates and the spread over members, from a model or from arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

_DIMS = ("trial", "time", "latent")


@dataclass
class Results:
    """Latents of some trials, and rates where a model gives them.

    Attributes
    ----------
    latents : DataArray (trial, time, latent)
    rates : DataArray (trial, time, unit) or None
        Spikes/s, or the signal's own unit.
    spread : array (trial, time, latent) or None
        Standard deviation over the members of an ensemble.
    weight, bias : arrays (unit, latent) and (unit,), or None
        Linear readout.
    link : str
        What turns the readout into a rate.
    members : int
        Fits that were averaged.
    """

    latents: xr.DataArray
    rates: xr.DataArray | None = None
    spread: np.ndarray | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    link: str = ""
    members: int = 1


def collect(fits: Any, trials: xr.Dataset) -> Results:
    """Results of a fitted model (anything with `transform`), or of a DataArray of latents.

    Parameters
    ----------
    fits : model, ensemble, or DataArray (trial, time, latent)
        Where the latents come from.
    trials : Dataset
        The `Trials` they belong to.

    Raises
    ------
    ValueError
        If the latents do not have the trials and bins of `trials`.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode import make_trials
    >>> from neurognode.export.results import collect
    >>> trials = make_trials(np.zeros((2, 5, 3), int), bin_size=0.1)
    >>> collect(xr.DataArray(np.zeros((2, 5, 1)), dims=("trial", "time", "latent")), trials).members
    1
    """
    latents = fits if isinstance(fits, xr.DataArray) else getattr(fits, "transform", _refuse(fits))(trials)
    if latents.dims != _DIMS:
        raise ValueError(f"latents must have dims {_DIMS}, got {latents.dims}.")
    size = (trials.sizes["trial"], trials.sizes["time"])
    if latents.shape[:2] != size:
        raise ValueError(f"latents have {latents.shape[:2]} trials and bins, trials have {size}.")
    spread = latents.coords["std"].values if "std" in latents.coords else None
    found = Results(latents, spread=spread if spread is not None and spread.shape == latents.shape else None)
    if isinstance(fits, xr.DataArray):
        return found
    found.rates = fits.predict(trials) if hasattr(fits, "predict") else None
    found.members = len(getattr(fits, "members_", [fits]))
    readout = getattr(fits, "readout_", None)
    weight, bias = getattr(readout, "weight", None), getattr(readout, "bias", None)
    if (
        weight is not None
        and bias is not None
        and tuple(weight.shape) == (trials.sizes["unit"], latents.shape[2])
    ):
        found.weight, found.bias = (np.asarray(p.detach().cpu(), dtype=float) for p in (weight, bias))
        found.link = str(getattr(readout, "link", ""))
    return found


def _refuse(fits: Any) -> Any:
    def fail(trials: Any) -> Any:
        raise ValueError(
            f"fits must be a fitted model or a DataArray of latents {_DIMS}, got {type(fits).__name__}."
        )

    return fail
