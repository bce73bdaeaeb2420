"""Colours that read on white and on black, and axes to draw on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#3d86d8", "#e07b28", "#35a06f", "#c2579f", "#c29a1b", "#2fa3bd", "#d5504c", "#8a70dc")
"""Eight colours of middle lightness; told apart by most colour-blind readers in the first four."""

TURN = ("#3d86d8", "#2fa3bd", "#35a06f", "#c29a1b", "#e07b28", "#d5504c", "#c2579f", "#8a70dc", "#3d86d8")
"""The same around a circle, for angles."""

NEUTRAL = "#8b909a"


@dataclass(frozen=True, eq=False)
class Colours:
    """One colour per trial, and what they mean.

    Attributes
    ----------
    per_trial : list of str, length n_trials
        Hexadecimal colours.
    legend : list of (label, colour)
        Groups in order; empty when there is one group only. For a column of many numbers, its two ends.
    groups : int array of shape (n_trials,)
        Group of each trial, for averaging; -1 where the value is missing.
    """

    per_trial: list[str]
    legend: list[tuple[str, str]]
    groups: np.ndarray


def new_axes(ax: Axes | None, size: tuple[float, float] = (4.6, 3.4), projection: str | None = None) -> Axes:
    """Return `ax`, or new axes in a new pyplot figure if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, made = plt.subplots(figsize=size, subplot_kw={"projection": projection}, layout="constrained")
    return made


def condition_colours(values: Sequence[Any] | np.ndarray | None, n_trials: int | None = None) -> Colours:
    """Choose a colour for every trial from its condition.

    Few distinct values get one palette colour each; many numbers get a colour map, cyclic if they look like
    angles in radians (a range beyond pi, all within two turns).

    Parameters
    ----------
    values : sequence of shape (n_trials,), or None
        A trial column. None gives all trials one colour.
    n_trials : int, optional
        Needed when `values` is None.

    Examples
    --------
    >>> from neurognode.plot import condition_colours
    >>> condition_colours(["left", "right", "left"]).legend
    [('left', '#3d86d8'), ('right', '#e07b28')]
    """
    if values is None:
        n = int(n_trials or 0)
        return Colours([PALETTE[0]] * n, [], np.zeros(n, int))
    array = np.asarray(values)
    missing = np.array([v is None or v != v for v in array.tolist()], bool)
    names, groups = np.unique(array[~missing], return_inverse=True)
    index = np.full(len(array), -1)
    index[~missing] = groups
    if len(names) <= len(PALETTE) or array.dtype.kind not in "fiu":
        chosen = [PALETTE[i % len(PALETTE)] for i in range(len(names))]
        legend = [(str(name), colour) for name, colour in zip(names, chosen)] if len(names) > 1 else []
        return Colours([NEUTRAL if i < 0 else chosen[i] for i in index], legend, index)
    return _continuous(array.astype(float), missing)


def _continuous(array: np.ndarray, missing: np.ndarray) -> Colours:
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    low, high = array[~missing].min(), array[~missing].max()
    is_angle = np.pi < high - low <= 2 * np.pi + 1e-6 and np.abs(array[~missing]).max() <= 2 * np.pi + 1e-6
    turn = LinearSegmentedColormap.from_list("turn", TURN)
    scale = turn if is_angle else matplotlib.colormaps["viridis"]
    part = np.clip((array - low) / (2 * np.pi if is_angle else high - low), 0, 1)
    colours = [NEUTRAL if gone else to_hex(scale(p)) for p, gone in zip(part, missing)]
    groups = np.where(missing, -1, np.minimum((np.nan_to_num(part) * 8).astype(int), 7))
    ends = [(f"{low:.3g}", to_hex(scale(0.0))), (f"{high:.3g}", to_hex(scale(1.0)))]
    return Colours(colours, ends, groups)


def add_legend(ax: Axes, colours: Colours) -> None:
    """Put the legend of `colours` on the axes if it says anything."""
    from matplotlib.lines import Line2D

    if colours.legend:
        handles = [Line2D([], [], color=c, lw=2, label=label) for label, c in colours.legend[:12]]
        ax.legend(handles=handles, frameon=False, fontsize="small", loc="best")
