"""What every loader must keep: it knows its own sources, opens them lazily, and aligns without losing a spike."""

from __future__ import annotations

import json
from typing import Any

from neurognode import registry
from neurognode.loaders import open_recording
from neurognode.loaders.base import Loader
from neurognode.trials import validate


def check_loader(name: str, source: Any, *, align: dict[str, Any] | None = None) -> None:
    """Check one loader of the registry on a source that it should read.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("loaders")``.
    source : object
        A path or object in its format.
    align : dict, optional
        Arguments of `Recording.align` that should work on it.

    Raises
    ------
    AssertionError
        If it does not recognise the source, cannot describe it as JSON, or its trials are not valid.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from neurognode.testing import check_loader
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "session.npz"
    >>> np.savez(path, spikes=np.zeros((4, 10, 3), int), lengths=np.full(4, 10), externalinputs=np.zeros((4, 10, 1)))
    >>> check_loader("npz", path)
    """
    kind = registry.resolve("loaders", name)
    assert issubclass(kind, Loader), f"{name} is not a Loader"
    recording = open_recording(source)
    assert recording.contents.format, f"{name}: Contents.format is empty"
    chosen = open_recording(source, format=name)
    assert chosen.contents.format == recording.contents.format, f"{name} does not recognise its own source"
    json.dumps(recording.describe())
    assert str(recording).strip(), f"{name}: print(recording) shows nothing"
    if align is not None:
        trials = validate(recording.align(**align))
        assert trials.sizes["trial"] > 0, f"{name}: align gave no trial"
