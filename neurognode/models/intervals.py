"""Intervals for latents, rates and the flow field."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray as xr

from neurognode.dynamics import VectorField
from neurognode.errors import one_of

BOUNDS = ("lower", "upper")


class Intervals:
    """Credible intervals of an estimator that has `sample`."""

    def interval(
        self, trials: Any, level: float = 0.9, *, what: str = "rates", n_samples: int = 100, session: int = 0
    ) -> xr.DataArray:
        """Central interval of the posterior, (bound, trial, time, unit or latent), bounds ``lower`` and ``upper``.

        An ensemble's interval covers what its members disagree about too.

        Parameters
        ----------
        trials : Trials or array
            Which trials.
        level : float
            Probability inside, between 0 and 1.
        what : {"rates", "latents", "signal"}
            Of what. ``"signal"`` is where a recording should lie, its noise included.
        n_samples : int
            Posterior draws behind it.
        session : int
            Which of the fitted sessions the trials belong to.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        one_of(what, ("rates", "latents", "signal"), "what")
        drawn = self.sample(trials, n_samples, what=what, session=session)  # type: ignore[attr-defined]
        return bounds(drawn, "sample", level)


def bounds(drawn: xr.DataArray, dim: str, level: float) -> xr.DataArray:
    """The central quantiles that enclose `level` of the draws along `dim`, as a first axis ``bound``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode.models.intervals import bounds
    >>> bounds(xr.DataArray(np.arange(101.0), dims="sample"), "sample", 0.9).values.round(6).tolist()
    [5.0, 95.0]
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} must lie between 0 and 1.")
    axis = drawn.dims.index(dim)
    tails = [(1 - level) / 2, (1 + level) / 2]
    found = np.quantile(drawn.values, tails, axis=axis)
    keep = {name: coord for name, coord in drawn.coords.items() if dim not in coord.dims}
    dims = ("bound", *(name for name in drawn.dims if name != dim))
    return xr.DataArray(found, dims=dims, coords={**keep, "bound": list(BOUNDS)}, name=drawn.name)


def moved_field(field: VectorField, linear: np.ndarray, offset: np.ndarray, states: np.ndarray) -> np.ndarray:
    """A field (M, ) in the space of ``h -> h @ linear + offset``, at `states` (n, M) of that space, per second."""
    own = (states - offset) @ np.linalg.pinv(linear)
    reference = next(field.parameters())
    with torch.no_grad():
        velocity = field(torch.as_tensor(own, dtype=reference.dtype, device=reference.device))
    return velocity.cpu().numpy() @ linear
