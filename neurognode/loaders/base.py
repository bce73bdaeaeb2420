"""What a recording is made of, whatever file it came from; the contract that every reader fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.errors import RecordingError, one_of
from neurognode.loaders.nodes import Node, labels, strings
from neurognode.loaders.timeline import Timeline

if TYPE_CHECKING:
    from neurognode.loaders.probe import Probe

_MAX_EVENTS = 1_000_000
ROLES = ("counts", "calcium", "electrical", "behavior", "events", "image", "other")


class Units(ABC):
    """Spike times of many units, read one unit at a time.

    Attributes
    ----------
    ids : array of shape (n,)
        Identifiers as in the file.
    where : str
        File and path, for messages.
    """

    ids: np.ndarray
    where: str

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def counts(self) -> np.ndarray:
        """Spikes of each unit, shape (n,), without reading them."""

    @abstractmethod
    def spikes(self, index: int) -> np.ndarray:
        """Spike times of one unit in file seconds, as stored."""

    def ends(self, index: int) -> tuple[float, float]:
        """First and last spike of a unit that has any, in file seconds."""
        times = self.spikes(index)
        return float(times[0]), float(times[-1])

    def intervals(self, index: int) -> np.ndarray | None:
        """When the unit was observed, shape (k, 2) in file seconds; None where the file does not say."""
        return None

    def columns(self) -> dict[str, np.ndarray]:
        """What is known of each unit, one value per unit under every name."""
        return {}

    def electrodes(self, index: int) -> np.ndarray:
        """Rows of the electrode table that the unit was recorded on."""
        return np.empty(0, int)


class ListUnits(Units):
    """Units whose spike times are arrays in memory.

    Examples
    --------
    >>> from neurognode.loaders.base import ListUnits
    >>> len(ListUnits([[0.1, 0.2], [0.3]]))
    2
    """

    def __init__(
        self,
        spikes: list[Any],
        *,
        ids: Any = None,
        intervals: list[Any] | None = None,
        columns: Mapping[str, Any] | None = None,
        where: str = "arrays",
    ) -> None:
        self._spikes = [np.asarray(s, dtype=np.float64).reshape(-1) for s in spikes]
        self.ids = np.arange(len(spikes)) if ids is None else np.asarray(ids)
        self._intervals, self._columns, self.where = intervals, dict(columns or {}), where

    def counts(self) -> np.ndarray:
        return np.array([len(s) for s in self._spikes], dtype=np.int64)

    def spikes(self, index: int) -> np.ndarray:
        return self._spikes[index]

    def intervals(self, index: int) -> np.ndarray | None:
        return None if self._intervals is None else np.asarray(self._intervals[index], float).reshape(-1, 2)

    def columns(self) -> dict[str, np.ndarray]:
        return {k: np.asarray(v) for k, v in self._columns.items()}


@dataclass
class Series:
    """A signal over time: binned counts, fluorescence, position, licks ...

    Attributes
    ----------
    name, path : str
        Short unique name, and path inside the file.
    kind : str
        The type the file gives it (``RoiResponseSeries`` ...).
    role : str
        What it can serve as; one of `ROLES`.
    shape : tuple of int
        (samples, ...) with time first.
    unit : str
        Unit of the values after scaling.
    read_rows : callable
        Rows of the file (a slice or an array of indices) to an array with time first.
    make_timeline : callable
        Builds the timeline when it is first needed.
    angle : bool
        Whether the values are angles in the given unit.
    channels : dict
        What is known of each column, one value each.
    """

    name: str
    path: str
    kind: str
    role: str
    shape: tuple[int, ...]
    dtype: np.dtype
    unit: str
    read_rows: Callable[[Any], np.ndarray]
    make_timeline: Callable[[], Timeline]
    description: str = ""
    angle: bool = False
    channels: dict[str, np.ndarray] = field(default_factory=dict)
    problem: str = ""
    scale: float | np.ndarray = 1.0
    shift: float = 0.0
    summary: dict[str, Any] | None = None

    @cached_property
    def timeline(self) -> Timeline:
        """Times of the samples."""
        return self.make_timeline()

    @property
    def n_channels(self) -> int:
        """Columns of the series; 1 for a single signal."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) if len(self.shape) > 1 else 1

    @property
    def usable(self) -> bool:
        """Whether it can be aligned: it has samples, times, numbers and at most two axes."""
        return not self.problem and len(self.shape) <= 2 and 0 not in self.shape and self.dtype.kind in "fiub"

    @property
    def is_events(self) -> bool:
        """Whether its stamps are moments to align to: one axis, few enough to be a table."""
        known = self.role == "events" and not self.problem.startswith("it has") and len(self.shape) == 1
        return known and 0 < self.shape[0] <= _MAX_EVENTS

    def as_table(self) -> Table:
        """The stamps and values of a series of events, as a table with columns ``time`` and ``value``."""
        clock = self.timeline

        def values() -> np.ndarray:
            data = np.asarray(self.read_rows(clock.rows(0, clock.n)))
            return labels(strings(data))

        readers = {"time": lambda: np.asarray(clock.at(0, clock.n), float), "value": values}
        return Table(self.name, self.path, clock.n, readers)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples at positions start to stop in order of time, (samples, channels), scaled to `unit`."""
        if not self.usable:
            raise RecordingError(
                f"{self.name} cannot be used: {self.problem or 'its shape or type'}", where=self.path
            )
        rows = self.timeline.rows(start, stop)
        values = self.read_rows(rows)
        values = values.reshape(len(values), -1)
        if np.all(self.scale == 1.0) and self.shift == 0.0:
            return values
        return values * np.asarray(self.scale, float) + self.shift


class Table:
    """A table with one row per trial, epoch or event; columns are read when first asked for.

    Attributes
    ----------
    name, path : str
        Name, and path inside the file.
    names : list of str
        Columns with one value per row.
    """

    def __init__(
        self,
        name: str,
        path: str,
        n: int,
        readers: Mapping[str, Callable[[], np.ndarray]],
        *,
        descriptions: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.path, self.n = name, path, int(n)
        self._readers, self._cache = dict(readers), {}  # type: ignore[var-annotated]
        self.descriptions = dict(descriptions or {})
        self.notes: list[str] = []

    def __len__(self) -> int:
        return self.n

    @property
    def names(self) -> list[str]:
        return list(self._readers)

    def column(self, name: str) -> np.ndarray:
        """One column, shape (rows,).

        Raises
        ------
        ValueError
            If there is no such column; lists those there are.
        """
        one_of(name, self._readers, f"column of {self.name}")
        if name not in self._cache:
            values = np.asarray(self._readers[name]())
            if len(values) != self.n:
                raise RecordingError(
                    f"Column {name} has {len(values)} rows, the table {self.n}", where=self.path
                )
            self._cache[name] = values
        return self._cache[name]

    @property
    def events(self) -> list[str]:
        """Names of the columns that hold times."""
        return [n for n in self.names if is_time_name(n) and self.column(n).dtype.kind in "fiu"]


def is_time_name(name: str) -> bool:
    """Whether a column name says that it holds a moment.

    Examples
    --------
    >>> from neurognode.loaders.base import is_time_name
    >>> [is_time_name(n) for n in ("cue_start_time", "stimulus_onset", "RT", "times_seen")]
    [True, True, False, False]
    """
    low = name.lower()
    endings = ("_time", "_times", "_onset", "_offset", "_timestamp", ".time")
    return low.endswith(endings) or low in (
        "time",
        "times",
        "onset",
        "offset",
        "start",
        "stop",
        "timestamp",
        "timestamps",
    )


@dataclass
class Aligned:
    """Data that come already cut into trials (LFADS files, FINDR files, arrays, our own netCDF).

    Attributes
    ----------
    load : callable
        Gives the values, shape (trial, time, unit).
    shape : tuple of int
        Their shape, known before they are read.
    kind : str
        ``counts``, ``calcium`` or ``continuous``.
    bin_size : float or None
        Seconds; None where the file does not say.
    start : float
        Time of the first bin in seconds from the event.
    extras : callable
        Gives the other arguments of `neurognode.make_trials`: observed, inputs, behavior, columns, units ...
    truth : callable or None
        Gives the simulated truth: ``rates`` (trial, time, unit) and ``latents`` (trial, time, latent).
    """

    load: Callable[[], np.ndarray]
    shape: tuple[int, int, int]
    kind: str
    bin_size: float | None
    start: float = 0.0
    extras: Callable[[], dict[str, Any]] = dict
    truth: Callable[[], dict[str, np.ndarray]] | None = None
    event: str = "trial start"
    columns: tuple[str, ...] = ()


@dataclass
class Contents:
    """Everything a reader found; nothing large is read yet."""

    format: str
    version: str = ""
    units: Units | None = None
    series: dict[str, Series] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    aligned: Aligned | None = None
    session: dict[str, str] = field(default_factory=dict)
    subject: dict[str, str] = field(default_factory=dict)
    electrodes: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None
    datasets: list[str] = field(default_factory=list)
    root: Node | None = None
    guess: dict[str, Any] = field(default_factory=dict)


class Loader(ABC):
    """A reader of one format; what a plug-in in the group ``neurognode.loaders`` provides.

    A loader must define `name`, `recognises` and `read`. `recognises` judges by content, never by the ending
    of a file name, and reads as little as it can. `read` opens lazily and raises `RecordingError`, never a
    bare exception of a file library.
    """

    name: str = ""
    options: tuple[str, ...] = ()
    """Names of the keyword arguments of `open_recording` that `read` takes."""

    @abstractmethod
    def recognises(self, probe: Probe) -> bool:
        """Whether this source is in this format."""

    @abstractmethod
    def read(self, probe: Probe, **options: Any) -> Contents:
        """What the source holds."""
