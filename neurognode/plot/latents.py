"""Single-trial latents: over time, and as paths in two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurognode.plot.plane import Plane
from neurognode.plot.style import Colours, add_legend, condition_colours, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_TRIALS = 150
"""Trials drawn one by one; above that an even selection is drawn, and averages still use all."""


def _chosen(n_trials: int) -> np.ndarray:
    return np.unique(np.linspace(0, n_trials - 1, min(n_trials, MAX_TRIALS)).astype(int))


def latent_traces(
    latents: xr.DataArray,
    latent: int = 0,
    *,
    condition: Sequence[Any] | np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one latent over time: a thin line a trial, a thick line a condition mean.

    Parameters
    ----------
    latents : DataArray of shape (trial, time, latent)
        What ``model.transform(trials)`` returns.
    latent : int
        Which latent.
    condition : sequence of shape (trial,), optional
        Values that colour the trials.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> import numpy as np, xarray as xr, matplotlib
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import latent_traces
    >>> zeros = np.zeros((4, 10, 2))
    >>> values = xr.DataArray(zeros, dims=("trial", "time", "latent"), coords={"time": range(10)})
    >>> latent_traces(values, 1).get_ylabel()
    'latent 1'
    """
    ax = new_axes(ax)
    values = latents.transpose("trial", "time", "latent").values[..., latent]
    colours, chosen = condition_colours(condition, len(values)), _chosen(len(values))
    time = latents["time"].values
    _draw_lines(ax, [np.column_stack([time, values[k]]) for k in chosen], colours, chosen)
    for group in np.unique(colours.groups[colours.groups >= 0]):
        rows = values[colours.groups == group]
        seen = np.isfinite(rows).sum(0)
        mean = np.where(seen > 0, np.nansum(rows, 0) / np.maximum(seen, 1), np.nan)
        ax.plot(time, mean, color=colours.per_trial[int(np.argmax(colours.groups == group))], lw=2.2)
    if time[0] < 0 < time[-1]:
        ax.axvline(0, color=ax.xaxis.label.get_color(), lw=0.8, ls=":")
    ax.autoscale_view()
    ax.set(xlabel="time (s)", ylabel=f"latent {latent}", xlim=(time[0], time[-1]))
    add_legend(ax, colours)
    return ax


def trajectories(
    latents: xr.DataArray,
    *,
    condition: Sequence[Any] | np.ndarray | None = None,
    dims: Sequence[int] | None = None,
    plane: Plane | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw every trial as a path through latent space; a dot marks its start.

    Parameters
    ----------
    latents : DataArray of shape (trial, time, latent)
        Trials to draw.
    condition : sequence of shape (trial,), optional
        Values that colour the trials.
    dims : two or three ints, optional
        Which latents. Three draw in 3-D. By default the plane of most variance.
    plane : Plane, optional
        Project on this plane instead.

    Examples
    --------
    >>> import numpy as np, xarray as xr, matplotlib
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import trajectories
    >>> walk = np.random.default_rng(0).normal(size=(4, 10, 3)).cumsum(1)
    >>> trajectories(xr.DataArray(walk, dims=("trial", "time", "latent")), dims=(0, 1, 2)).name
    '3d'
    """
    values = latents.transpose("trial", "time", "latent").values
    if dims is not None and len(dims) not in (2, 3):
        raise ValueError(f"dims must name two or three latents, got {tuple(dims)}.")
    if dims is None:
        plane = plane or Plane.through(values.reshape(-1, values.shape[-1]))
        values, names = plane.project(values), list(plane.names)
    else:
        values, names = values[..., list(dims)], [f"latent {d}" for d in dims]
    ax = new_axes(ax, projection="3d" if len(names) == 3 else None)
    colours, chosen = condition_colours(condition, len(values)), _chosen(len(values))
    _draw_lines(ax, [values[k] for k in chosen], colours, chosen)
    starts = values[chosen, 0]
    ax.scatter(*starts.T, s=8, c=[colours.per_trial[k] for k in chosen], linewidths=0)  # type: ignore[misc]
    ax.autoscale_view()
    ax.set(**dict(zip(("xlabel", "ylabel", "zlabel"), names)))
    add_legend(ax, colours)
    return ax


def _draw_lines(ax: Axes, lines: list[np.ndarray], colours: Colours, trials: np.ndarray) -> None:
    from matplotlib.collections import LineCollection
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    kind: Any = Line3DCollection if lines[0].shape[1] == 3 else LineCollection
    alpha = float(np.clip(6 / np.sqrt(len(lines) + 1), 0.25, 0.8))
    many = sum(map(len, lines)) > 20_000
    wanted = [colours.per_trial[k] for k in trials]
    collection = kind(lines, colors=wanted, linewidths=0.7, alpha=alpha, rasterized=many)
    if lines[0].shape[1] == 3:
        ax.add_collection3d(collection, autolim=False)  # type: ignore[attr-defined]
        points = np.concatenate(lines)
        ax.auto_scale_xyz(*points[np.isfinite(points).all(1)].T)  # type: ignore[attr-defined]
    else:
        ax.add_collection(collection)
