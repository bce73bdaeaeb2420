"""Flow fields: one latent as a curve, more latents as streamlines in a plane, with what the data visited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.plot.plane import Plane
from neurognode.plot.style import NEUTRAL, PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {
    "stable": {"marker": "o", "facecolors": "#1d8a55", "edgecolors": "white"},
    "saddle": {"marker": "X", "facecolors": "#d08a1d", "edgecolors": "white"},
    "unstable": {"marker": "o", "facecolors": "none", "edgecolors": "#d5504c", "linewidths": 1.8},
    "marginal": {"marker": "D", "facecolors": "#8a70dc", "edgecolors": "white"},
}
"""How fixed points are marked, by kind; a slow point is marked as marginal."""


def velocities(field: Any, points: np.ndarray, inputs: np.ndarray | None = None) -> np.ndarray:
    """Flow of a field or map at states (..., N), as float64; its input is held at `inputs` (I,), or zero."""
    import torch

    like = next(field.parameters(), torch.zeros((), dtype=torch.float64))
    state = torch.as_tensor(np.asarray(points, float)).to(like)
    given = None
    if getattr(field, "input_dim", 0):
        constant = np.zeros(field.input_dim) if inputs is None else np.asarray(inputs, float)
        given = torch.as_tensor(constant).to(like).expand(*state.shape[:-1], -1)
    with torch.no_grad():
        return field(state, given).cpu().double().numpy()


def visited_mask(points: np.ndarray, states: np.ndarray, radius: float | None = None) -> np.ndarray:
    """Which points (..., 2) lie within `radius` (4 % of the region's diameter) of a visited state (n, 2)."""
    from scipy.spatial import cKDTree

    if radius is None:
        low, high = np.percentile(states, [0.5, 99.5], axis=0)
        radius = 0.04 * float(np.linalg.norm(high - low))
    return cKDTree(states).query(points)[0] <= max(radius, 1e-12)


def flow_field(
    field: Any,
    states: np.ndarray,
    *,
    fixed_points: np.ndarray | None = None,
    kinds: Sequence[str] | None = None,
    separatrices: Sequence[np.ndarray] = (),
    trials: Sequence[np.ndarray] = (),
    colours: Sequence[str] | None = None,
    inputs: np.ndarray | None = None,
    plane: Plane | None = None,
    nullclines: bool = False,
    resolution: int = 48,
    ax: Axes | None = None,
) -> Axes:
    """Draw the flow: arrows for direction, shading for speed, grey where the data never were.

    With more than two latents the flow is drawn in the plane of most latent variance, each grid point lifted
    to where the visited states lie.

    Parameters
    ----------
    field : VectorField or Map
        The fitted field.
    states : array of shape (n, N)
        Visited states.
    fixed_points : array of shape (P, N), optional
        Fixed or slow points to mark.
    kinds : sequence of str, length P, optional
        Each one of `KINDS`.
    separatrices : sequence of arrays (m, N), optional
        Curves drawn dashed.
    trials : sequence of arrays (T, N), optional
        Trials drawn over the flow, in `colours`.
    inputs : array of shape (I,), optional
        Constant input to the field; zero by default.
    plane : Plane, optional
        Where to look.
    nullclines : bool
        Draw where each of two latents stands still (fields of two latents only).
    resolution : int
        Grid points along each axis.

    Examples
    --------
    >>> import matplotlib, numpy as np, torch
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import flow_field
    >>> states = np.random.default_rng(0).normal(size=(500, 2))
    >>> class Decay(torch.nn.Module):
    ...     def forward(self, h, x=None):
    ...         return -h
    >>> flow_field(Decay(), states, fixed_points=np.zeros((1, 2)), kinds=["stable"]).get_xlabel()
    'latent 0'
    """
    states = np.asarray(states, float)
    states = states[np.isfinite(states).all(1)]
    if states.shape[1] == 1:
        return flow_line(field, states, fixed_points=fixed_points, kinds=kinds, inputs=inputs, ax=ax)
    ax, plane = new_axes(ax, (4.8, 4.2)), plane or Plane.through(states)
    flat = plane.project(states)
    grid, axes = _grid(flat, resolution)
    flow = velocities(field, plane.lift_onto(grid, states), inputs)
    seen = visited_mask(grid, flat)
    _draw_flow(ax, axes, plane.turn(flow), np.linalg.norm(flow, axis=-1), seen)
    if nullclines and states.shape[1] == 2:
        for k in range(2):
            ax.contour(*axes, flow[..., k], levels=[0.0], colors=[PALETTE[3 + k]], linewidths=1.2)
    for k, path in enumerate(trials):
        where = plane.project(path)
        colour = PALETTE[0] if colours is None else colours[k]
        ax.plot(where[:, 0], where[:, 1], color=colour, lw=0.8, alpha=0.75)
    for curve in separatrices:
        where = plane.project(np.asarray(curve))
        ax.plot(where[:, 0], where[:, 1], color=PALETTE[6], lw=1.6, ls="--")
    if fixed_points is not None and len(fixed_points):
        mark_points(ax, plane.project(fixed_points), kinds)
    (left, right), (low, high) = (axes[0][[0, -1]], axes[1][[0, -1]])
    ax.set(xlim=(left, right), ylim=(low, high), xlabel=plane.names[0], ylabel=plane.names[1])
    return ax


def _grid(flat: np.ndarray, resolution: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    low, high = np.percentile(flat, [0.2, 99.8], axis=0)
    pad = 0.12 * np.maximum(high - low, 1e-9)
    axes = tuple(np.linspace(a, b, resolution) for a, b in zip(low - pad, high + pad))
    return np.stack(np.meshgrid(*axes), -1), axes  # type: ignore[return-value]


def _draw_flow(
    ax: Axes, axes: tuple[np.ndarray, np.ndarray], flow: np.ndarray, speed: np.ndarray, seen: np.ndarray
) -> None:
    logged = np.log10(np.maximum(speed, 1e-12))
    shown = np.where(seen, logged, np.nan)
    if np.isfinite(shown).any():
        low, high = np.nanpercentile(shown, [2, 98])
        image = ax.pcolormesh(
            *axes,
            shown,
            cmap="cividis",
            alpha=0.45,
            vmin=low,
            vmax=max(high, low + 1e-6),
            rasterized=True,
            lw=0,
        )
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.045, pad=0.02)
        bar.set_label("log10 speed (latent units/s)", fontsize="small")
        bar.ax.tick_params(labelsize="small")
        bar.outline.set_visible(False)  # type: ignore[operator]
    finite = np.where(np.isfinite(flow), flow, 0.0)
    for mask, colour, width in ((~seen, NEUTRAL, 0.4), (seen, ax.xaxis.label.get_color(), 0.8)):
        part = np.ma.array(finite, mask=np.repeat(~mask[..., None], 2, -1))
        if mask.sum() > 3 and np.abs(finite[mask]).max() > 0:
            ax.streamplot(
                *axes, part[..., 0], part[..., 1], color=colour, linewidth=width, density=1.1,
                arrowsize=0.7, broken_streamlines=True,
            )  # fmt: skip


def mark_points(
    ax: Axes, points: np.ndarray, kinds: Sequence[str] | None = None, legend: bool = True
) -> None:
    """Mark fixed points (P, 2) by kind, see `KINDS`."""
    names = ["marginal"] * len(points) if kinds is None else list(kinds)
    for kind, style in KINDS.items():
        mine = np.array([n == kind for n in names])
        if mine.any():
            marked = ax.scatter(*points[mine].T, s=70, zorder=5, label=kind, **style)  # type: ignore[arg-type, misc]
            marked.set_clip_on(True)
    if legend:
        ax.legend(frameon=True, fontsize="small", framealpha=0.6, edgecolor="none", loc="best")


def flow_line(
    field: Any,
    states: np.ndarray,
    *,
    fixed_points: np.ndarray | None = None,
    kinds: Sequence[str] | None = None,
    inputs: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a one-latent flow as a curve: above zero it moves right; the band shows where the data were.

    Examples
    --------
    >>> import matplotlib, numpy as np, torch
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import flow_line
    >>> class Decay(torch.nn.Module):
    ...     def forward(self, h, x=None):
    ...         return -h
    >>> flow_line(Decay(), np.random.default_rng(0).normal(size=(500, 1))).get_ylabel()
    'flow (1/s)'
    """
    ax = new_axes(ax)
    low, high = np.percentile(states, [0.2, 99.8])
    pad = 0.12 * max(high - low, 1e-9)
    line = np.linspace(low - pad, high + pad, 400)
    flow = velocities(field, line[:, None], inputs)[:, 0]
    ax.plot(line, flow, color=PALETTE[0], lw=1.8)
    ax.axhline(0, color=ax.xaxis.label.get_color(), lw=0.8)
    count, edges = np.histogram(states, bins=60, range=(line[0], line[-1]))
    bottom, top = ax.get_ylim()
    band = count / max(count.max(), 1) * 0.18 * (top - bottom)
    ax.fill_between(edges[:-1], bottom, bottom + band, step="post", color=NEUTRAL, alpha=0.4, lw=0)
    ax.set(xlim=(line[0], line[-1]), ylim=(bottom, top), xlabel="latent 0", ylabel="flow (1/s)")
    if fixed_points is not None and len(fixed_points):
        mark_points(ax, np.column_stack([np.asarray(fixed_points)[:, 0], np.zeros(len(fixed_points))]), kinds)
    return ax


def gates(
    field: Any, states: np.ndarray, *, plane: Plane | None = None, inputs: np.ndarray | None = None,
    resolution: int = 48, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Shade the mean gate over the plane: where it is near 0 the state is held by closed gates.

    Raises
    ------
    ValueError
        If the field has no gate.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("agg")
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.plot import gates
    >>> gates(GNODE(2), np.random.default_rng(0).normal(size=(200, 2))).get_title()
    'mean gate'
    """
    import torch

    if not hasattr(field, "gate"):
        raise ValueError(f"{type(field).__name__} has no gate to draw; use plot.flow_field.")
    ax, plane = new_axes(ax, (4.8, 4.2)), plane or Plane.through(states)
    grid, axes = _grid(plane.project(states), resolution)
    like = next(field.parameters())
    points = torch.as_tensor(plane.lift_onto(grid, states)).to(like)
    constant = np.zeros(getattr(field, "input_dim", 0)) if inputs is None else np.asarray(inputs, float)
    given = torch.as_tensor(constant).to(like).expand(*points.shape[:-1], -1) if len(constant) else None
    with torch.no_grad():
        opening = field.gate(points, given).mean(-1).cpu().numpy()
    image = ax.pcolormesh(*axes, opening, cmap="viridis", vmin=0, vmax=1, rasterized=True)
    ax.figure.colorbar(image, ax=ax, fraction=0.045, pad=0.02)
    ax.set(xlabel=plane.names[0], ylabel=plane.names[1])
    ax.set_title("mean gate", fontsize="medium")
    return ax
