"""The parts of a report page, and how they become one self-contained HTML file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from neurognode.files import atomic_path


@dataclass
class Figure:
    """A drawing with its caption: `svg` text, or `space` (paths in three dimensions) for the turning view."""

    caption: str
    svg: str = ""
    space: dict[str, Any] | None = None
    size: str = ""
    legend: Sequence[tuple[str, str]] = ()


@dataclass
class Table:
    """A table; `text` lists the columns that hold words, `ours` the rows to stress."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    text: Sequence[int] = (0,)
    ours: Sequence[int] = ()


@dataclass
class Code:
    """Something to copy; folded away if long."""

    title: str
    text: str
    folded: bool = False


@dataclass
class Section:
    """A part of the page, with its link in the bar on top."""

    id: str
    title: str
    lead: str = ""
    notes: Sequence[str] = ()
    verdicts: Sequence[dict[str, str]] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    figures_first: bool = False
    paragraphs: Sequence[str] = ()
    code: Sequence[Code] = ()


@dataclass
class Page:
    """A report.

    Examples
    --------
    >>> from neurognode.report import Page, Section
    >>> text = Page("A fit", sections=[Section("a", "Part <one>")]).to_html()
    >>> "Part &lt;one&gt;" in text, "http" in text
    (True, False)
    """

    title: str
    lead: str = ""
    tiles: Sequence[dict[str, str]] = ()
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""

    def to_html(self) -> str:
        """The page as one HTML text that needs no network; everything given is escaped."""
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup

        here = files("neurognode.report")
        sections = [_prepared(section, Markup) for section in self.sections]
        template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
            (here / "page.html").read_text(encoding="utf-8")
        )
        return template.render(
            title=self.title,
            lead=self.lead,
            tiles=self.tiles,
            sections=sections,
            footer=self.footer,
            css=Markup((here / "style.css").read_text(encoding="utf-8")),
            script=Markup((here / "viewer.js").read_text(encoding="utf-8")),
            has_space=any(f["space"] for s in sections for f in s["figures"]),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, whole or not at all."""
        text = self.to_html()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _prepared(section: Section, markup: Any) -> dict[str, Any]:
    """A section as the template wants it: drawings and data marked as safe to insert."""
    figures = []
    for figure in section.figures:
        space = None
        if figure.space is not None:
            text = json.dumps(figure.space, separators=(",", ":"), allow_nan=False)
            space = markup(text.replace("<", "\\u003c"))
        figures.append({**vars(figure), "svg": markup(figure.svg), "space": space})
    return {**vars(section), "figures": figures}
