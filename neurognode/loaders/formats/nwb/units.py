"""Units of an NWB file: spike times read one unit at a time."""

from __future__ import annotations

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import ListUnits, Units
from neurognode.loaders.formats.nwb.tables import index_bounds, one_per_row
from neurognode.loaders.nodes import Node

_MAX_UNITS = 1_000_000
_NOT_COLUMNS = (
    "spike_times", "obs_intervals", "electrodes", "waveform_mean", "waveform_sd", "waveforms",
    "electrode_group",
)  # fmt: skip


class NwbUnits(Units):
    """Rows of a Units table.

    Raises
    ------
    RecordingError
        If the table and its spikes do not fit together; half of the units is never returned.
    """

    def __init__(self, node: Node, electrodes: dict[str, np.ndarray] | None = None) -> None:
        self.node, self.where = node, node.where
        spikes, index, ids = (node.child(k) for k in ("spike_times", "spike_times_index", "id"))
        if spikes is None or spikes.is_group:
            raise RecordingError("The units have no spike times", where=node.where)
        if spikes.dtype.kind not in "fiu" or len(spikes.shape) != 1:
            raise RecordingError(
                f"The spike times are {spikes.dtype} of shape {spikes.shape}, not a list of numbers",
                where=spikes.where,
            )
        if index is None or index.is_group:
            n = ids.shape[0] if ids is not None and ids.shape else 1
            if n != 1:
                raise RecordingError(
                    "The spike times have no index, so no one can say whose they are", where=node.where
                )
            self._bounds = np.array([[0, spikes.shape[0]]], dtype=np.int64)
        else:
            if index.shape and index.shape[0] > _MAX_UNITS:
                raise RecordingError(f"The table claims {index.shape[0]:,} units", where=index.where)
            self._bounds = index_bounds(index, spikes)
        self._spikes, n = spikes, len(self._bounds)
        self.ids = np.arange(n)
        if ids is not None and not ids.is_group and ids.shape == (n,) and ids.dtype.kind in "iu":
            self.ids = ids.read()
        elif ids is not None and not ids.is_group and ids.shape != (n,):
            raise RecordingError(f"There are {n} units but {ids.shape} ids", where=node.where)
        self._columns: dict[str, np.ndarray] | None = None
        self._table = electrodes or {}
        self._regions = self._ragged("electrodes")
        self._observed = self._ragged("obs_intervals")

    def _ragged(self, name: str) -> tuple[Node, np.ndarray] | None:
        data, index = self.node.child(name), self.node.child(f"{name}_index")
        if data is None or data.is_group or data.dtype.kind not in "iuf":
            return None
        n = len(self._bounds)
        if index is not None and not index.is_group:
            bounds = index_bounds(index, data)
        elif data.shape[:1] == (n,):
            bounds = np.stack([np.arange(n), np.arange(n) + 1], axis=1)
        else:
            return None
        return (data, bounds) if len(bounds) == n else None

    def counts(self) -> np.ndarray:
        return self._bounds[:, 1] - self._bounds[:, 0]

    def spikes(self, index: int) -> np.ndarray:
        start, stop = self._bounds[index]
        return self._spikes.read(slice(int(start), int(stop))).astype(np.float64, copy=False)

    def ends(self, index: int) -> tuple[float, float]:
        start, stop = (int(b) for b in self._bounds[index])
        first = self._spikes.read(slice(start, start + 1))
        return float(first[0]), float(self._spikes.read(slice(stop - 1, stop))[0])

    @property
    def chunk_bytes(self) -> int:
        """Bytes decoded to read one spike."""
        return self._spikes.chunk_bytes

    def intervals(self, index: int) -> np.ndarray | None:
        if self._observed is None:
            return None
        data, bounds = self._observed
        start, stop = bounds[index]
        return data.read(slice(int(start), int(stop))).astype(np.float64).reshape(-1, 2)

    def electrodes(self, index: int) -> np.ndarray:
        if self._regions is None:
            return np.empty(0, int)
        data, bounds = self._regions
        start, stop = bounds[index]
        return data.read(slice(int(start), int(stop))).astype(np.int64).reshape(-1)

    def columns(self) -> dict[str, np.ndarray]:
        if self._columns is None:
            found = one_per_row(self.node, len(self), skip=_NOT_COLUMNS)
            self._columns = {**self._from_electrodes(), **found}
        return self._columns

    def _from_electrodes(self) -> dict[str, np.ndarray]:
        """Location and group of each unit's first electrode."""
        if self._regions is None or not self._table:
            return {}
        size = len(next(iter(self._table.values())))
        first = [next(iter(self.electrodes(i)), -1) for i in range(len(self))]
        if not all(0 <= f < size for f in first):
            return {}
        return {k: self._table[k][first] for k in ("location", "group_name") if k in self._table}


def from_clustering(node: Node) -> ListUnits | None:
    """Units from the old Clustering type: a time and a cluster number per spike."""
    times, numbers = node.child("times"), node.child("num")
    if times is None or numbers is None or times.is_group or numbers.is_group:
        return None
    if times.shape != numbers.shape or len(times.shape) != 1 or numbers.dtype.kind not in "iu":
        return None
    when, who = times.read().astype(float), numbers.read()
    ids = np.unique(who)
    return ListUnits([when[who == i] for i in ids], ids=ids, where=node.where)
