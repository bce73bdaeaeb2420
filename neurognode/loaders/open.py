"""Open any recording: recognise it by its content and hand it to the reader of its format."""

from __future__ import annotations

import warnings
from typing import Any

from neurognode import registry
from neurognode.errors import NeurognodeError, RecordingError, listing
from neurognode.loaders.base import Contents, Loader
from neurognode.loaders.guard import reading
from neurognode.loaders.probe import Probe
from neurognode.loaders.recording import Recording


def open_recording(
    source: Any,
    *,
    format: str | None = None,
    mapping: Any = None,
    allow_external: bool = False,
    **options: Any,
) -> Recording:
    """Open a recording, whatever holds it.

    Parameters
    ----------
    source : path, URL, arrays or object
        A file (NWB, LFADS or MATLAB v7.3 or any other HDF5, npz, netCDF; an NWB folder in Zarr), a URL, a
        mapping of arrays, an array of shape (trial, time, unit), an `xarray.Dataset` of `Trials`, or what a
        plug-in reads (pynapple's objects with neurognode-pynapple).
    format : str, optional
        Name of a loader; by default the content decides, never the ending of the name.
    mapping : path or mapping, optional
        For HDF5 and MATLAB files of any layout: which dataset is what. See
        `neurognode.loaders.formats.mapped`.
    allow_external : bool
        Follow links to other files. Off, because a file from elsewhere may point anywhere.
    **options
        For the format's reader, such as ``bin_size=0.01`` for files that do not give it.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file is missing, damaged, or in no format that is known.
    ValueError
        If the format asked for is unknown.

    Examples
    --------
    >>> import neurognode as ng
    >>> ng.open_recording({"spike_times": [[0.1, 0.2], [0.3]]}).format
    'arrays'
    """
    if isinstance(source, Recording):
        return source
    probe = Probe(source, allow_external=allow_external, mapping=mapping, options=options)
    try:
        chosen = _named(format) if format is not None else None
        with reading(probe.name, "the recording", only=_caught(probe)):
            loader = chosen or _recognise(probe)
            for name in probe.options:
                if name not in loader.options:
                    raise ValueError(
                        f"{name!r} is no option of the format {loader.name}. {listing(name, loader.options)}"
                    )
            contents = loader.read(probe, **probe.options)
    except BaseException:
        probe.close()
        raise
    if not isinstance(contents, Contents):
        raise RecordingError(
            f"The loader {loader.name!r} gave {type(contents).__name__}, not Contents", where=probe.name
        )
    return Recording(contents, probe.name)


def _caught(probe: Probe) -> tuple[type[Exception], ...]:
    """Exceptions that speak of the file; where the user described its layout, ValueError speaks of that."""
    described = probe.mapping is not None or probe.options or (probe.path is None and not probe.url)
    return (OSError, RuntimeError, LookupError, TypeError, ArithmeticError) if described else (Exception,)


def _named(format: str) -> Loader:
    names = registry.names("loaders")
    if format not in names:
        raise ValueError(f"format={format!r} is not known. {listing(format, names)}")
    return registry.resolve("loaders", format)()


def _recognise(probe: Probe) -> Loader:
    """The first loader that recognises the source; plug-ins come after the built-in ones."""
    if probe.mapping is not None:
        return _named("hdf5")
    for name in registry.names("loaders"):
        try:
            loader: Loader = registry.resolve("loaders", name)()
            if loader.recognises(probe):
                return loader
        except NeurognodeError:
            raise
        except ImportError as error:
            if name in registry.BUILTINS["loaders"]:
                raise
            warnings.warn(f"Skipped: {error}", RuntimeWarning, stacklevel=4)
    raise RecordingError(*_unknown(probe)[:1], where=probe.name, hint=_unknown(probe)[1])


def _unknown(probe: Probe) -> tuple[str, str]:
    if probe.path is None and not probe.url:
        hint = "Give a path, arrays, or Trials."
        if type(probe.value).__module__.startswith("pynapple"):
            hint = "Install the plug-in neurognode-pynapple, which reads pynapple's objects."
        return f"Nothing reads a {type(probe.value).__name__}", hint
    if probe.is_hdf5:
        names: list[str] = []
        probe.root.walk(lambda node: names.append(node.path) if len(names) < 12 else None)
        shown = ", ".join(names) or "none"
        return (
            "The HDF5 file has a layout that is not known",
            f"Say which dataset is what by mapping=...; its datasets are: {shown}.",
        )
    if probe.path is not None and probe.path.is_dir():
        return "The folder is not a recording in Zarr", "Give the file inside it."
    if probe.head.startswith(b"MATLAB 5.0"):
        return (
            "The file is MATLAB's older format (v5 to v7)",
            "Save it again in MATLAB with save(..., '-v7.3').",
        )
    kind = "text" if all(9 <= b < 127 for b in probe.head[:64]) else "not HDF5, npz or netCDF"
    return (
        f"The file is no recording that can be read: it is {kind}",
        "Export it as NWB or HDF5, or give arrays.",
    )
