"""Tell one file from another without reading all of a large one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from neurognode.files import sha256

_WHOLE = 64 << 20
_BLOCKS = 64
_BLOCK = 64 << 10


def fingerprint(source: str) -> str:
    """SHA-256 of a file; of one over 64 MB only of its size and 64 blocks; "" of what is no local file.

    Examples
    --------
    >>> from neurognode.loaders.fingerprint import fingerprint
    >>> fingerprint("https://example.org/a.nwb")
    ''
    """
    try:
        path = Path(source)
        if not path.is_file():
            return ""
        size = path.stat().st_size
        if size <= _WHOLE:
            return sha256(path)
        digest = hashlib.sha256(str(size).encode())
        with open(path, "rb") as stream:
            for k in range(_BLOCKS):
                stream.seek(k * (size - _BLOCK) // (_BLOCKS - 1), os.SEEK_SET)
                digest.update(stream.read(_BLOCK))
        return f"sampled-{digest.hexdigest()}"
    except (OSError, ValueError):
        return ""
