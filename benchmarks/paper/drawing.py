"""Markdown tables, means with errors, and figures written whole."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from neurognode.files import atomic_path

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def mean_error(values: list[float], digits: int = 4) -> str:
    """Mean ± standard error; seeds without a finite value are counted, not averaged."""
    a = np.asarray(values, float)
    if not np.isfinite(a).all() and np.isfinite(a).any():
        lost = int((~np.isfinite(a)).sum())
        return f"{mean_error(a[np.isfinite(a)].tolist(), digits)} ({lost} of {len(a)} seeds diverged on test trials)"
    error = f" ± {a.std(ddof=1) / len(a) ** 0.5:.{digits}f}" if len(a) > 1 else ""
    return f"{a.mean():.{digits}f}{error}"


def save(figure: plt.Figure, path: Path, top: float = 1.0) -> None:
    """Write a figure; what is above `top` is left to a legend of all panels."""
    figure.tight_layout(rect=(0, 0, 1, top))
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
