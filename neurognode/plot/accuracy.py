"""How well something can be read from the latents, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurognode.plot.style import NEUTRAL, PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decoding_over_time(
    time: np.ndarray,
    accuracy: np.ndarray,
    *,
    error: np.ndarray | None = None,
    chance: float | None = None,
    name: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draw decoding accuracy over time with its error and the level of chance.

    Parameters
    ----------
    time, accuracy : arrays of shape (n,)
        Seconds from the event; share of test trials decoded rightly.
    error : array of shape (n,), optional
        Standard error.
    chance : float, optional
        What guessing reaches.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import decoding_over_time
    >>> decoding_over_time(np.array([0.0, 0.1]), np.array([0.5, 1.0]), chance=0.5).get_title()
    ''
    """
    ax = new_axes(ax)
    if error is not None:
        ax.fill_between(time, accuracy - error, accuracy + error, color=PALETTE[0], alpha=0.25, lw=0)
    ax.plot(time, accuracy, color=PALETTE[0], lw=1.8)
    if chance is not None:
        ax.axhline(chance, color=NEUTRAL, lw=1, ls="--", label=f"chance ({chance:.2f})")
        ax.legend(frameon=False, fontsize="small")
    if time[0] < 0 < time[-1]:
        ax.axvline(0, color=ax.xaxis.label.get_color(), lw=0.8, ls=":")
    low = float(np.nanmin(accuracy)) if len(accuracy) else 0.0
    ax.set(xlabel="time (s)", ylabel=name, ylim=(min(low, chance or 0, 0.4) - 0.02, 1.02))
    return ax
