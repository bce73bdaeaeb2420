"""Eigenvalues of the flow: in the complex plane, and along a manifold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurognode.plot.style import PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def eigenvalues(
    values: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    outside: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw eigenvalues in the complex plane; left of zero decays, right of zero grows.

    Parameters
    ----------
    values : complex array of shape (n_points, N)
        Eigenvalues in 1/s, one row per fixed point.
    labels : sequence of str, optional
        A name per fixed point.
    outside : bool array of shape (n_points,), optional
        Points outside the visited region, drawn hollow.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import eigenvalues
    >>> eigenvalues(np.array([[-1 + 2j, -1 - 2j], [3.0, -4.0]])).get_xlabel()
    'growth rate (1/s)'
    """
    ax = new_axes(ax)
    values = np.atleast_2d(np.asarray(values, complex))
    hollow = np.zeros(len(values), bool) if outside is None else np.asarray(outside, bool)
    for k, row in enumerate(values):
        colour = PALETTE[k % len(PALETTE)]
        name = labels[k] if labels is not None else f"point {k + 1}"
        face = "none" if hollow[k] else colour
        ax.scatter(row.real, row.imag / (2 * np.pi), s=42, c=face, edgecolors=colour, label=name, zorder=3)
    reach = 1.15 * max(np.abs(values.real).max(initial=0), 1e-3)
    high = 1.15 * max(np.abs(values.imag).max(initial=0) / (2 * np.pi), 0.1 * reach / (2 * np.pi))
    ax.axvspan(0, reach, color=PALETTE[6], alpha=0.08, lw=0)
    ax.axvline(0, color=ax.xaxis.label.get_color(), lw=0.8)
    ax.set(xlim=(-reach, reach), ylim=(-high, high), xlabel="growth rate (1/s)", ylabel="frequency (Hz)")
    if len(values) <= 8:
        ax.legend(frameon=False, fontsize="small")
    return ax


def spectrum_along(
    rates: np.ndarray, *, position: np.ndarray | None = None, name: str = "position along the manifold",
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the growth rates at every point of a manifold: a continuum shows one flat line at zero.

    Parameters
    ----------
    rates : complex array of shape (n_points, N)
        Eigenvalues in 1/s at points in order along the manifold.
    position : array of shape (n_points,), optional
        Where each point lies (an angle, a length); by default its number.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import spectrum_along
    >>> len(spectrum_along(np.array([[0.0, -5.0], [0.1, -4.0]])).lines)
    3
    """
    ax = new_axes(ax)
    rates = np.sort(np.asarray(rates).real, axis=1)[:, ::-1]
    where = np.arange(len(rates)) if position is None else np.asarray(position)
    order = np.argsort(where)
    for k in range(rates.shape[1]):
        ax.plot(where[order], rates[order, k], color=PALETTE[k % len(PALETTE)], lw=1.6)
    ax.axhline(0, color=ax.xaxis.label.get_color(), lw=0.8)
    ax.set(xlabel=name, ylabel="growth rate (1/s)")
    return ax
