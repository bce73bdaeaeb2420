"""How a fit went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.errors import listing
from neurognode.plot.style import PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history(
    rows: Sequence[dict[str, Any]], metric: str = "loss", *, name: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw one measure over training steps, a line a member.

    Parameters
    ----------
    rows : sequence of dict
        Records with ``step`` (or ``epoch``), perhaps ``member``, and `metric`; those without it are skipped.
    metric : str
        Which measure.
    name : str, optional
        Label of the axis.

    Raises
    ------
    ValueError
        If no record holds the measure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import history
    >>> history([{"step": 0, "loss": 3.0}, {"step": 10, "loss": 2.0}]).get_xlabel()
    'training step'
    """
    kept = [r for r in rows if _number(r.get(metric)) is not None]
    if not kept:
        known = sorted({k for r in rows for k in r})
        raise ValueError(f"metric={metric!r} is in no record. {listing(metric, known)}")
    ax = new_axes(ax)
    clock = "step" if "step" in kept[0] else "epoch"
    members = sorted({r.get("member", 0) for r in kept})
    for k, member in enumerate(members):
        mine = [r for r in kept if r.get("member", 0) == member]
        points = np.array([[float(r[clock]), _number(r[metric])] for r in mine])
        mark = "o" if len(points) == 1 else None
        label = f"member {member}" if len(members) > 1 else None
        ax.plot(points[:, 0], points[:, 1], color=PALETTE[k % len(PALETTE)], lw=1.4, marker=mark, label=label)
    ax.set(xlabel=f"training {clock}", ylabel=name or metric)
    if 1 < len(members) <= 8:
        ax.legend(frameon=False, fontsize="small")
    return ax


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
