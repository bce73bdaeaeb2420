"""Read a URL by ranges, without downloading the whole file; needs the extra ``remote``."""

from __future__ import annotations

from typing import Any

from neurognode.errors import MissingExtraError, RecordingError

_BLOCK = 1 << 20


def open_url(url: str, *, block_size: int = _BLOCK, **options: Any) -> Any:
    """A file object over a URL that fetches the blocks it needs and keeps the latest.

    Parameters
    ----------
    url : str
        Any address that fsspec knows (http, https, s3, gs ...).
    block_size : int
        Bytes fetched at a time.
    **options
        For fsspec, such as credentials.

    Raises
    ------
    RecordingError
        If the server does not answer, does not have the file, or does not serve ranges.
    MissingExtraError
        If fsspec, or what it needs for this kind of address, is not installed.
    """
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("fsspec", "remote") from error
    try:
        stream = fsspec.open(url, "rb", block_size=block_size, cache_type="blockcache", **options).open()
        if not stream.seekable():
            raise RecordingError(
                "The server does not serve parts of files",
                where=url,
                hint="Download the file and open it from disk.",
            )
        return stream
    except ImportError as error:
        raise MissingExtraError(
            str(error).split("'")[1] if "'" in str(error) else "aiohttp", "remote"
        ) from error
    except RecordingError:
        raise
    except FileNotFoundError as error:
        raise RecordingError(
            "The server does not answer, or has no such file", where=url, hint="Check the address."
        ) from error
    except Exception as error:
        raise RecordingError(
            f"The address cannot be opened: {type(error).__name__} {error}".rstrip(), where=url
        ) from error
