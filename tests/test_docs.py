"""Every relative link in the documentation leads somewhere, and every command it shows exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from neurognode import commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands(page: Path) -> None:
    app = typer.Typer()
    commands.register(app)
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    code = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(), flags=re.M | re.S))
    shown = set(re.findall(r"^neurognode ([a-z]+)", code, flags=re.M))
    assert shown <= known, f"unknown commands: {shown - known}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    makes = set(re.findall(r"^make ([a-z-]+)", code, flags=re.M))
    makes |= set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    assert makes <= targets, f"unknown make targets: {makes - targets}"
