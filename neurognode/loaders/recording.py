"""`Recording`: what a file holds, and the way from it to `Trials`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Contents, Series, Table, Units
from neurognode.loaders.guard import reading

if TYPE_CHECKING:
    import xarray as xr


_FILE_ERRORS = (OSError, MemoryError, RuntimeError)
"""What a file library raises when a file turns out to be damaged only when its data are read."""


class Recording:
    """A recording that is open; print it to see what it holds.

    Made by `neurognode.open_recording`. Nothing large is read before it is needed.

    Parameters
    ----------
    contents : Contents
        What a reader found.
    source : str
        Path, URL or description of where it came from.

    Attributes
    ----------
    units : Units or None
        Spike times.
    series : dict of str to Series
        Every signal over time.
    tables : dict of str to Table
        Every table with a time column.
    session, subject : dict of str to str
        What the file says of them.
    notes : list of str
        What was odd about the file, a sentence each.

    Examples
    --------
    >>> import neurognode as ng
    >>> spikes = [[0.1, 0.2, 1.1], [0.15, 1.25]]
    >>> recording = ng.open_recording({"spike_times": spikes, "trials": {"start_time": [0.0, 1.0]}})
    >>> trials = recording.align("start_time", window=(0.0, 0.3), bin_size=0.1)
    >>> trials["counts"].sel(unit=0).values
    array([[0, 1, 1],
           [0, 1, 0]], dtype=int32)
    """

    def __init__(self, contents: Contents, source: str) -> None:
        self.contents, self.source = contents, source
        self._hash: str | None = None

    @property
    def format(self) -> str:
        """Name of the format it was read from."""
        return self.contents.format

    @property
    def units(self) -> Units | None:
        return self.contents.units

    @property
    def series(self) -> dict[str, Series]:
        return self.contents.series

    @property
    def tables(self) -> dict[str, Table]:
        return self.contents.tables

    @property
    def session(self) -> dict[str, str]:
        return self.contents.session

    @property
    def subject(self) -> dict[str, str]:
        return self.contents.subject

    @property
    def notes(self) -> list[str]:
        return self.contents.notes

    @property
    def events(self) -> list[str]:
        """Names that `align` accepts, those of the main table first."""
        from neurognode.loaders.alignment.moments import event_names

        return event_names(self.contents)

    def align(
        self,
        event: str | Sequence[float] | Mapping[str, Any] | None = None,
        *,
        window: Any = None,
        bin_size: float | str | None = None,
        offset: float = 0.0,
        table: str | None = None,
        trials: str | None = None,
        units: Any = None,
        signal: str | None = None,
        inputs: Any = None,
        behavior: Sequence[str] | str | None = None,
        conditions: Sequence[str] | str | None = None,
        angles: str = "angle",
        event_times: str = "auto",
        beyond_stop: str = "mask",
        presence: str = "auto",
    ) -> Any:
        """Cut the recording into trials about an event.

        Parameters
        ----------
        event : str, sequence of float, mapping, or None
            A time column (``"cue_start_time"``, ``"encoding_table/boundary1_time"``), the name of a series of
            events, times in file seconds, or several alignments at once: a mapping from a name of yours to
            the arguments that differ, such as ``{"cue": {"event": "cue_time", "window": (-1, 1)}}``. None for
            data that come already cut into trials.
        window : pair
            Seconds from the event, such as ``(-0.3, 0.7)``; or the name of a time column, or (column,
            seconds), at either end, which makes the trials ragged: padded, and masked in ``observed``.
        bin_size : float or "native"
            Seconds. Bins are half-open. ``"native"`` (the default of sampled signals) keeps a signal's own
            samples.
        offset : float
            Seconds added to every event.
        table : str, optional
            Table to look for the event in; ``trials`` comes first.
        trials : str, optional
            Which rows, as a query: ``"response == 'correct' and stim_present == 0"``.
        units : str, sequence of ids, or mask, optional
            Which units; a query may use every column of the units and ``rate`` (spikes/s), ``n_spikes``,
            ``observed_time`` (s): ``"rate > 0.5"``.
        signal : str, optional
            ``"units"``, or the series to use as activity. By default units, binned counts, dF/F or
            fluorescence, field potentials, in that order.
        inputs : str, mapping, or sequence of them, optional
            External inputs; see `neurognode.loaders.alignment.inputs.input_block`.
        behavior : str or sequence of str, optional
            Series to put beside the activity.
        conditions : str or sequence of str, optional
            Columns that together make the coordinate ``condition``.
        angles : {"angle", "cos_sin"}
            Give angles of behaviour as angles in radians, or as cosine and sine.
        event_times : {"auto", "absolute", "relative"}
            Whether time columns count from the start of the file or of their row.
        beyond_stop : {"mask", "keep"}
            Whether bins after a trial's ``stop_time`` count as not observed.
        presence : {"auto", "file", "spikes"}
            Where units without ``obs_intervals`` count as observed.

        Returns
        -------
        xarray.Dataset
            `Trials`; a dict of them where `event` is a mapping.

        Raises
        ------
        ValueError
            For a name that is not in the recording (lists those that are), or bins that do not divide the
            window.
        RecordingError
            If the recording holds no activity, or none inside the windows.

        Examples
        --------
        >>> import neurognode as ng
        >>> given = {"spike_times": [[0.1, 0.2, 1.1]], "trials": {"cue_time": [0.5, 1.0]}}
        >>> recording = ng.open_recording(given)
        >>> recording.align("cue_tim", window=(0, 1), bin_size=0.1)
        Traceback (most recent call last):
        ...
        ValueError: There is no event 'cue_tim'. Allowed: 'cue_time'. Did you mean 'cue_time'?
        """
        arguments = {k: v for k, v in locals().items() if k not in ("self", "event")}
        if isinstance(event, Mapping):
            return {name: self.align(**{**arguments, **_alignment(spec)}) for name, spec in event.items()}
        from neurognode.loaders.alignment.align import Request, align
        from neurognode.loaders.alignment.cut import align_cut

        request = Request(**arguments)
        whole = self.contents.aligned is not None and (event is None or event not in self.contents.tables)
        with self._named():
            if whole and self.contents.aligned is not None:
                cut = align_cut(self.contents.aligned, request, event)
            elif event is None:
                raise ValueError(_which_event(self))
            else:
                cut = align(self.contents, event, request)
        return self._stamp(cut, {"event": event, **arguments})

    def chop(
        self,
        window: float,
        *,
        bin_size: float | str | None = None,
        step: float | None = None,
        within: Any = None,
        units: Any = None,
        signal: str | None = None,
        inputs: Any = None,
        behavior: Sequence[str] | str | None = None,
        angles: str = "angle",
        presence: str = "auto",
        min_observed: float = 0.5,
    ) -> xr.Dataset:
        """Cut a continuous recording into windows of equal length.

        Windows never cross a gap of a sampled signal, nor the ends of what `within` names. What is left over
        at the end of a stretch, shorter than a window, is not used.

        Parameters
        ----------
        window : float
            Length in seconds.
        bin_size : float or "native"
            Seconds, as in `align`.
        step : float, optional
            Seconds from one window to the next; default `window`, so that they do not overlap.
        within : str, pair, or sequence of pairs, optional
            A table whose rows bound the windows (runs, epochs), or stretches of time in file seconds.
        min_observed : float
            Windows of which a smaller share of bins was observed are dropped.
        units, signal, inputs, behavior, angles, presence
            As in `align`.

        Returns
        -------
        xarray.Dataset
            `Trials`, with the columns of `within`'s table on each window, and ``segment``.

        Examples
        --------
        >>> import numpy as np, neurognode as ng
        >>> recording = ng.open_recording({"spike_times": [np.arange(0, 10, 0.05)]})
        >>> dict(recording.chop(2.0, bin_size=0.1).sizes)
        {'trial': 4, 'time': 20, 'unit': 1}
        """
        arguments = {k: v for k, v in locals().items() if k != "self"}
        from neurognode.loaders.alignment.chop import chop

        with self._named():
            trials = chop(self.contents, **arguments)
        return self._stamp(trials, arguments, verb="chop")

    def truth(self, split: str | None = None) -> xr.Dataset:
        """The simulated truth that a file carries, never part of what `align` gives.

        Parameters
        ----------
        split : str, optional
            Only the trials of one split, ``"train"`` or ``"valid"``.

        Returns
        -------
        xarray.Dataset
            ``rates (trial, time, unit)`` in spikes/s and ``latents (trial, time, latent)``, those the file
            has.

        Raises
        ------
        RecordingError
            If it carries none.
        """
        from neurognode.loaders.alignment.cut import truth

        with self._named():
            return truth(self.contents, split)

    def describe(self) -> dict[str, Any]:
        """What the recording holds, ready for JSON; what ``neurognode inspect --json`` prints."""
        from neurognode.loaders.describe import describe

        return describe(self)

    @property
    def source_hash(self) -> str:
        """SHA-256 of the file; of files over 64 MB, ``sampled-`` and that of its size and 64 blocks of it."""
        if self._hash is None:
            from neurognode.loaders.fingerprint import fingerprint

            self._hash = fingerprint(self.source)
        return self._hash

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Name the recording in errors that do not say where."""
        try:
            with reading(self.source, "the recording", only=_FILE_ERRORS):
                yield
        except RecordingError as error:
            if error.where:
                raise
            raise RecordingError(error.what, where=self.source, hint=error.hint) from error

    def _stamp(self, trials: xr.Dataset, arguments: dict[str, Any], verb: str = "align") -> xr.Dataset:
        trials.attrs["source"] = self.source
        trials.attrs["source_hash"] = self.source_hash
        plain = {k: v for k, v in arguments.items() if v is not None}
        trials.attrs["alignment"] = json.dumps({"verb": verb, **plain}, default=_plain)
        return trials

    def close(self) -> None:
        """Close the file; what was aligned stays usable."""
        self.contents.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        from neurognode.loaders.describe import as_text, describe

        return as_text(describe(self))


def _alignment(spec: Any) -> dict[str, Any]:
    """One of several alignments: a mapping of arguments, an event, or (event, window)."""
    if isinstance(spec, Mapping):
        return dict(spec)
    if isinstance(spec, (list, tuple)) and len(spec) == 2 and isinstance(spec[0], str):
        return {"event": spec[0], "window": spec[1]}
    return {"event": spec}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _which_event(recording: Recording) -> str:
    events = recording.events
    if not events:
        return "align needs an event, and this recording has none: use chop(window, bin_size), or give times."
    return f"align needs an event. Allowed: {', '.join(map(repr, events[:30]))}."


def span_text(contents: Contents) -> str:
    """The recording's span for messages."""
    from neurognode.loaders.alignment.spikes import activity_columns, span_of

    low, high = span_of(contents)
    if contents.units is not None:
        ends = activity_columns(contents)
        low = float(np.nanmin([low, *ends["first_spike"]]))
        high = float(np.nanmax([high, *ends["last_spike"]]))
    return f"{low:g} to {high:g} s" if np.isfinite([low, high]).all() else "nothing with a time"


def local_path(source: str) -> Path | None:
    """The source as a path, if it is a local file."""
    path = Path(source)
    try:
        return path if path.exists() else None
    except OSError as error:
        raise RecordingError(f"Cannot look at {source}: {error.strerror}") from error
