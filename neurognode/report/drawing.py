"""Matplotlib figures as inline SVG that follows the reader's light or dark page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

INK, RULE = "#010203", "#040506"
"""Stand-ins for the page's own colours; they are replaced in the finished SVG."""

_RC = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.transparent": True,
}


def svg(
    draw: Callable[..., Any], *, size: tuple[float, float] = (4.4, 3.3), name: str, label: str = ""
) -> str:
    """Draw on fresh axes and return the picture as SVG text for an HTML page.

    Parameters
    ----------
    draw : callable
        Called as ``draw(ax=axes)``.
    size : (width, height)
        Inches; the page scales it to the column.
    name : str
        Unique on the page: element ids are made from it.
    label : str
        What the picture shows, for readers who cannot see it.

    Examples
    --------
    >>> from neurognode.report.drawing import svg
    >>> text = svg(lambda ax: ax.plot([0, 1]), name="line", label="A line.")
    >>> text.startswith("<svg"), "currentColor" in text, 'aria-label="A line."' in text
    (True, True, True)
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {**_RC, "svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained", dpi=144)
        FigureCanvasSVG(figure)
        draw(ax=figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(buffer.getvalue(), label)


def _themed(text: str, label: str) -> str:
    from html import escape

    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace(INK, "currentColor").replace(RULE, "var(--soft)")
    text = re.sub(r"(\d+\.\d{2})\d+", r"\1", text)
    text = text.replace(' xmlns="http://www.w3.org/2000/svg"', "").replace(
        ' xmlns:xlink="http://www.w3.org/1999/xlink"', ""
    )
    text = text.replace("xlink:href", "href")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1).strip()
