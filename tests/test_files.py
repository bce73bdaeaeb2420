"""Files are whole or absent, and as readable as any other new file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurognode.files import atomic_path


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.touch(mode=0o600)
    (tmp_path / "b.txt").touch()
    assert os.stat(tmp_path / "a.txt").st_mode == os.stat(tmp_path / "b.txt").st_mode
