"""What a sweep found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.plot.style import PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scores_over(
    rows: Sequence[Mapping[str, Any]], name: str, *, score: str = "score", ax: Axes | None = None
) -> Axes:
    """Draw scores over one setting; fits that were stopped early are pale.

    Parameters
    ----------
    rows : sequence of mappings
        With ``steps``, the score, and the setting; as `neurognode.runs.sweep` gives them.
    name : str
        Which setting.
    score : str
        Which score.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from neurognode.plot import scores_over
    >>> rows = [{"steps": 9, "score": 0.2, "rate": 0.1}, {"steps": 3, "score": 0.1, "rate": 1}]
    >>> scores_over(rows, "rate").get_xlabel()
    'rate'
    """
    ax = new_axes(ax)
    values = [row[name] for row in rows]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    labels = sorted({str(v) for v in values})
    x = np.array([float(v) if numeric else labels.index(str(v)) for v in values])
    longest = max(row["steps"] for row in rows)
    whole = np.array([row["steps"] == longest for row in rows])
    y = np.array([row[score] for row in rows], float)
    for mask, alpha in ((~whole, 0.3), (whole, 0.95)):
        ax.scatter(x[mask], y[mask], s=28, color=PALETTE[0], alpha=alpha, linewidths=0)
    if numeric and x.min() > 0 and x.max() > 20 * x.min():
        ax.set_xscale("log")
    if not numeric:
        ax.set_xticks(range(len(labels)), labels)
    ax.set(xlabel=name, ylabel="validation score" if score == "score" else score)
    return ax
