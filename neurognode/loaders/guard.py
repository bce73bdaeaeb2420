"""Reading what others wrote: a failure becomes one sentence; no memory is taken before it is checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from neurognode.errors import NeurognodeError, RecordingError

MAX_COMPRESSION = 1200
"""Most that HDF5's deflate filter can compress (1032:1), with a margin; more is a false shape."""
FREE_BYTES = 64 << 20
"""Reads smaller than this are never questioned."""


@contextlib.contextmanager
def reading(where: str, what: str = "", only: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turn whatever a file library raises into a `RecordingError` that says where.

    Parameters
    ----------
    where : str
        File, and path inside it.
    what : str
        What was being read, for the message.
    only : tuple of exception types
        Others pass as they are.

    Raises
    ------
    RecordingError
        For every exception that is not already one of neurognode's.

    Examples
    --------
    >>> from neurognode.loaders.guard import reading
    >>> with reading("a.nwb:/units", "spike times"):
    ...     {}["spike_times"]
    Traceback (most recent call last):
    ...
    neurognode.errors.RecordingError: Cannot read spike times: 'spike_times' [a.nwb:/units].
    """
    try:
        yield
    except NeurognodeError:
        raise
    except MemoryError as error:
        raise RecordingError(f"Not enough memory to read {what or 'this'}", where=where) from error
    except only as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise RecordingError(f"Cannot read {what or 'this'}: {text}", where=where) from error


def memory_limit() -> int:
    """Bytes that one result may take: half of the memory that is free now, at least 256 MB."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as lines:
            free = next(int(s.split()[1]) * 1024 for s in lines if s.startswith("MemAvailable"))
    except (ValueError, OSError, AttributeError, StopIteration):
        free = 8 << 30
    return max(free // 2, 256 << 20)


def check_bytes(wanted: int, where: str, *, stored: int | None = None, what: str = "data") -> None:
    """Refuse a read that cannot be meant: larger than memory, or than what is stored can hold.

    Parameters
    ----------
    wanted : int
        Bytes that the read would take.
    where : str
        File and path, for the message.
    stored : int, optional
        Bytes that the file really stores for it.
    what : str
        What is read, for the message.

    Raises
    ------
    RecordingError
        Before any memory is taken.

    Examples
    --------
    >>> from neurognode.loaders.guard import check_bytes
    >>> check_bytes(10**12, "a.nwb:/units/spike_times", stored=100)
    Traceback (most recent call last):
    ...
    neurognode.errors.RecordingError: The data claim 1,000 GB but the file stores 100 bytes of them [a.nwb:/units/spike_times]. The shape is wrong: the file is damaged or was never filled.
    """  # noqa: E501
    if wanted <= FREE_BYTES:
        return
    if stored is not None and wanted > MAX_COMPRESSION * stored:
        raise RecordingError(
            f"The {what} claim {wanted / 1e9:,.0f} GB but the file stores {stored:,} bytes of them",
            where=where,
            hint="The shape is wrong: the file is damaged or was never filled.",
        )
    limit = memory_limit()
    if wanted > limit:
        raise RecordingError(
            f"The {what} would take {wanted / 1e9:,.1f} GB of memory and {limit / 1e9:,.1f} GB may be used",
            where=where,
            hint="Use a shorter window, wider bins, or fewer trials and units.",
        )
