"""A first look at a source: its first bytes, and its HDF5 root where it has one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from neurognode.errors import RecordingError
from neurognode.loaders.hdf5 import H5Node, open_hdf5
from neurognode.loaders.heaps import check_heaps

_HDF5 = b"\x89HDF\r\n\x1a\n"


class Probe:
    """What loaders look at to recognise their format.

    Parameters
    ----------
    source : path, URL or object
        What the user gave.
    allow_external : bool
        Whether links to other files may be followed.
    mapping : mapping, optional
        A declarative mapping (see `neurognode.loaders.formats.mapped`).
    options : dict
        Anything else the user gave to `open_recording`.

    Attributes
    ----------
    path : pathlib.Path or None
        Where the source is a local file or folder.
    url : str
        Where it is remote.
    head : bytes
        First 1024 bytes of a file.
    name : str
        How messages name the source.
    """

    def __init__(
        self,
        source: Any,
        *,
        allow_external: bool = False,
        mapping: Any = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.value, self.allow_external, self.mapping = source, allow_external, mapping
        self.options = dict(options or {})
        self.path: Path | None = None
        self.url, self.head = "", b""
        self._root: H5Node | None = None
        self._stream: Any = None
        if isinstance(source, (str, os.PathLike)):
            text = os.fspath(source)
            if "://" in text and urlparse(text).scheme not in ("file", ""):
                self._open_remote(text)
            else:
                self._open_local(Path(text.removeprefix("file://")).expanduser())
        self.name = self.url or str(self.path or type(source).__name__)

    def _open_local(self, path: Path) -> None:
        if not path.exists():
            hint = "Check the spelling."
            near = _nearest(path)
            if near:
                hint = f"Did you mean {near}?"
            raise RecordingError("There is no such file", where=str(path), hint=hint)
        self.path = path
        if path.is_file():
            try:
                with open(path, "rb") as stream:
                    self.head = stream.read(1024)
            except OSError as error:
                raise RecordingError(f"Cannot read the file: {error.strerror}", where=str(path)) from error
            if not self.head:
                raise RecordingError("The file is empty", where=str(path), hint="Copy or download it again.")

    def _open_remote(self, url: str) -> None:
        from neurognode.loaders.remote import open_url

        self.url = url
        self._stream = open_url(url, **self.options.pop("remote", {}))
        self.head = self._stream.read(1024)
        self._stream.seek(0)

    @property
    def is_hdf5(self) -> bool:
        """Whether the bytes are HDF5, with or without a block of the user's before it."""
        if self.head.startswith(_HDF5) or self.head[512:520] == _HDF5:
            return True
        if self.path is None or not self.path.is_file():
            return False
        with open(self.path, "rb") as stream:
            for offset in (1024, 2048, 4096):
                stream.seek(offset)
                if stream.read(8) == _HDF5:
                    return True
        return False

    @property
    def root(self) -> H5Node:
        """Root of the HDF5 file, opened once."""
        if self._root is None:
            if self.path is not None:
                check_heaps(self.path)
            source = self._stream if self._stream is not None else str(self.path)
            self._root = open_hdf5(source, self.name, allow_external=self.allow_external)
        return self._root

    def close(self) -> None:
        """Close whatever was opened."""
        if self._root is not None:
            self._root.close()
        if self._stream is not None:
            self._stream.close()


def _nearest(path: Path) -> str:
    import difflib

    try:
        names = os.listdir(path.parent)
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return str(path.parent / near[0]) if near else ""
