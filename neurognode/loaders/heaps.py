"""A known way in which a damaged HDF5 file hangs its library, found before the library sees it.

Text of variable length lies in global heaps. A free block of size 0 inside one sends the library (seen in HDF5
1.14) round in a loop that Python cannot interrupt. Such heaps are looked for in the bytes; a file that has one is
first read in a process of its own, which can be stopped.
"""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

from neurognode.errors import RecordingError

_LARGEST = 64 << 20
_SECONDS = 5.0
_MARK = b"GCOL\x01\x00\x00\x00"
_READ = """
import sys, h5py
def look(item):
    for key in item.attrs:
        item.attrs[key]
    if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
        item[()]
with h5py.File(sys.argv[1], "r") as file:
    look(file)
    file.visititems(lambda name, item: look(item))
"""


def check_heaps(path: Path) -> None:
    """Refuse a file whose text cannot be read without hanging.

    Files over 64 MB are not looked at.

    Raises
    ------
    RecordingError
        If a process that reads all text of the file does not come to an end.
    """
    if path.stat().st_size > _LARGEST or not suspicious(path):
        return
    try:
        done = subprocess.run(
            [sys.executable, "-c", _READ, str(path)], timeout=_SECONDS, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode < 0:
        raise RecordingError(
            "The file is damaged: its text cannot be read", where=str(path), hint="Copy or download it again."
        )


def suspicious(path: Path) -> bool:
    """Whether some global heap of an HDF5 file holds a free block of size 0 before its end."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_MARK)
        while at >= 0:
            if _has_empty_block(data, at):
                return True
            at = data.find(_MARK, at + 8)
    return False


def _has_empty_block(data: mmap.mmap, at: int) -> bool:
    size = int.from_bytes(data[at + 8 : at + 16], "little")
    end = min(at + size, len(data))
    place = at + 16
    while place + 16 <= end:
        index = int.from_bytes(data[place : place + 2], "little")
        length = int.from_bytes(data[place + 8 : place + 16], "little")
        if index == 0 and length == 0:
            return True
        place += length if index == 0 else 16 + (length + 7) // 8 * 8
    return False
