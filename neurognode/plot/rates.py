"""Inferred rates against what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurognode.plot.style import add_legend, condition_colours, new_axes
from neurognode.trials import observed, signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _average(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over trials of what was observed, and its standard error, both (time,)."""
    seen = mask.sum(0)
    mean = np.where(mask, values, 0).sum(0) / np.maximum(seen, 1)
    spread = np.sqrt((np.where(mask, values - mean, 0) ** 2).sum(0) / np.maximum(seen - 1, 1))
    return np.where(seen > 0, mean, np.nan), np.where(seen > 1, spread / np.sqrt(np.maximum(seen, 1)), np.nan)


def psth(
    rates: xr.DataArray,
    trials: xr.Dataset,
    unit: int = 0,
    *,
    condition: Sequence[Any] | np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a unit's condition means: the recording (band of one standard error) and the model's rate (line).

    Parameters
    ----------
    rates : DataArray of shape (trial, time, unit)
        What ``model.predict(trials)`` returns: spikes/s for counts, the signal's own scale otherwise.
    trials : Dataset
        The same trials.
    unit : int
        Position of the unit.
    condition : sequence of shape (trial,), optional
        Values that group the trials.

    Examples
    --------
    >>> import matplotlib, numpy as np, xarray as xr
    >>> matplotlib.use("agg")
    >>> from neurognode import make_trials
    >>> from neurognode.plot import psth
    >>> trials = make_trials(np.random.default_rng(0).poisson(1.0, (9, 20, 2)), bin_size=0.1)
    >>> rates = xr.DataArray(np.full((9, 20, 2), 10.0), dims=("trial", "time", "unit"))
    >>> psth(rates, trials, 1).get_title()
    'unit 1'
    """
    ax = new_axes(ax)
    scale = 1 / trials.attrs["bin_size"] if trials.attrs["activity_kind"] == "counts" else 1.0
    values, mask = signal(trials).values[..., unit] * scale, observed(trials)[..., unit]
    model = rates.transpose("trial", "time", "unit").values[..., unit]
    colours, time = condition_colours(condition, len(values)), trials["time"].values
    centre = time + trials.attrs["bin_size"] / 2
    for group in np.unique(colours.groups[colours.groups >= 0]):
        rows = colours.groups == group
        colour = colours.per_trial[int(np.argmax(rows))]
        mean, error = _average(values[rows], mask[rows])
        ax.fill_between(centre, mean - error, mean + error, color=colour, alpha=0.3, lw=0)
        ax.plot(centre, _average(model[rows], mask[rows] & np.isfinite(model[rows]))[0], color=colour, lw=1.8)
    if time[0] < 0 < time[-1]:
        ax.axvline(0, color=ax.xaxis.label.get_color(), lw=0.8, ls=":")
    label = "rate (spikes/s)" if trials.attrs["activity_kind"] == "counts" else "signal"
    ax.set(xlabel="time (s)", ylabel=label, xlim=(time[0], centre[-1]))
    ax.set_title(f"unit {trials['unit'].values[unit]}", fontsize="medium")
    add_legend(ax, colours)
    return ax


def raster(trials: xr.Dataset, trial: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw one trial's signal as an image, units ordered by when they are most active.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("agg")
    >>> from neurognode import make_trials
    >>> from neurognode.plot import raster
    >>> raster(make_trials(np.ones((1, 20, 5)), bin_size=0.1)).get_ylabel()
    'unit (sorted)'
    """
    ax = new_axes(ax)
    values = np.where(observed(trials)[trial], signal(trials).values[trial], np.nan).astype(float)
    weights = np.nan_to_num(values)
    moment = (weights * np.arange(len(values))[:, None]).sum(0) / (weights.sum(0) + 1e-9)
    time = trials["time"].values
    extent = (time[0], time[-1] + trials.attrs["bin_size"], 0, values.shape[1])
    ax.imshow(
        values[:, np.argsort(moment)].T, aspect="auto", origin="lower", extent=extent, interpolation="nearest"
    )
    ax.set(xlabel="time (s)", ylabel="unit (sorted)")
    return ax
