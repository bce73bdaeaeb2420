from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from neurognode.report import Code, Figure, Page, Section, Table, svg

VOID = {"meta", "link", "img", "br", "input", "hr", "path", "use", "image"}


class Checker(HTMLParser):
    """Collects what a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href") and not str(value).startswith(("#", "data:")):
                self.outside.append(str(value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def check(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    return checker


def test_the_finished_report_stands_alone(small_run: Path) -> None:
    text = (small_run / "report.html").read_text(encoding="utf-8")
    checker = check(text)
    assert checker.outside == [], "the page must need no network"
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)
    assert len(checker.ids) == len(set(checker.ids)), "element ids must be unique"
    assert len(text) < 4_000_000
    for title in (
        "Verdicts",
        "How well it fits",
        "Latents",
        "Rates",
        "Flow",
        "What could not be told",
        "Repeat this run",
    ):
        assert f"<h2>{title}</h2>" in text
    for sentence in (
        "in both directions",
        "smoothing and Poisson regression",
        "neurognode fit",
        "time constants (ms)",
    ):
        assert sentence in text


def test_everything_given_is_escaped() -> None:
    bad = "<script>alert(1)</script>"
    page = Page(
        bad,
        bad,
        tiles=[{"value": bad, "name": bad}],
        sections=[
            Section(
                "a", bad, bad, notes=[bad], paragraphs=[bad], code=[Code(bad, bad)],
                verdicts=[{"status": "supported", "name": bad, "reason": bad, "numbers": bad}],
                tables=[Table((bad,), [(bad,)], bad, bad)],
                figures=[Figure(bad, space={"names": [bad], "paths": []}, legend=[(bad, bad)])],
            )
        ],
        footer=bad,
    )  # fmt: skip
    text = page.to_html()
    assert "<script>alert" not in text
    check(text)


def test_svg_labels_are_escaped_and_ids_differ() -> None:
    first = svg(lambda ax: ax.set_title("<b>&amp;"), name="one", label='"><script>')
    assert "<script>" not in first
    assert "<b>" not in first
    second = svg(lambda ax: ax.plot([0, 1], marker="o"), name="two")
    ids = [
        re.findall(r'id="([^"]+)"', text)
        for text in (svg(lambda ax: ax.plot([0, 1], marker="o"), name="one"), second)
    ]
    assert not set(ids[0]) & set(ids[1])


def test_drawings_follow_the_theme_and_repeat_to_the_byte() -> None:
    texts = [svg(lambda ax: ax.plot([0, 1]), name="line") for _ in range(2)]
    assert texts[0] == texts[1]
    assert "currentColor" in texts[0]
    assert "#010203" not in texts[0]


def test_saving_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    Page("old").save(path)
    before = path.read_text()
    monkeypatch.setattr(Page, "to_html", lambda self: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        Page("new").save(path)
    assert path.read_text() == before
