"""Writing files so that a crash never leaves half of one, and hashing what was read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    Parameters
    ----------
    path : path
        Where the finished file shall be.

    Yields
    ------
    pathlib.Path
        Where to write; it has the same suffix and does not exist yet.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from neurognode.files import atomic_path
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        temporary = Path(folder) / target.name
        yield temporary
        _as_any_new_file(temporary)
        os.replace(temporary, target)


def _as_any_new_file(path: Path) -> None:
    """Give `path` the permissions of a new file here; some writers keep theirs to the owner."""
    if path.is_file():
        ordinary = path.with_name(f"{path.name}.mode")
        ordinary.touch()
        path.chmod(ordinary.stat().st_mode)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text; read in pieces, so that any size fits in memory."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
