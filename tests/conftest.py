"""Shared fixtures: where the real recordings are, and quiet threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NEUROGNODE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture
def data_file() -> Callable[[str], Path]:
    """Path of a real recording; skips where the recordings are not there."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"recording {name} is not in {DATA} (set NEUROGNODE_DATA)")
        return path

    return find
