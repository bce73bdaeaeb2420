"""Copy units and their electrodes, so that a loading can be traced to a place in the brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode.export.source import Source
from neurognode.loaders.base import Units

_STANDARD = ("x", "y", "z", "imp", "location", "filtering", "group_name", "id")
_NUMBERS = ("x", "y", "z", "imp")


def add_units(file: Any, facts: Source, trials: xr.Dataset) -> Any:
    """Add the units of `trials` to an NWB file, with their spike times and electrodes.

    Returns
    -------
    Units table, or None where the recording has no spike times for them: archives refuse units without.
    """
    placed = _add_electrodes(file, facts)
    ids = trials["unit"].values
    rows = _rows(facts.units, ids)
    if facts.units is None or rows is None:
        return None
    columns = _unit_columns(trials)
    for name in columns:
        file.add_unit_column(name=name, description=f"{name} of the unit in the recording.")
    for k, unit in enumerate(ids):
        given: dict[str, Any] = {name: _plain(values[k]) for name, values in columns.items()}
        spikes = np.sort(facts.units.spikes(rows[k]))
        given["spike_times"] = spikes[np.isfinite(spikes) & (spikes >= 0)]
        intervals = facts.units.intervals(rows[k])
        if intervals is not None:
            given["obs_intervals"] = intervals
        if placed:
            given["electrodes"] = [int(e) for e in facts.units.electrodes(rows[k]) if 0 <= e < placed]
        file.add_unit(id=int(unit) if np.issubdtype(type(unit), np.integer) else k, **given)
    return file.units


def _rows(units: Units | None, ids: np.ndarray) -> list[int] | None:
    """Row of each unit in the recording's table; None unless every id is there once."""
    if units is None:
        return None
    at = {v: i for i, v in enumerate(units.ids.tolist())}
    if len(at) != len(units) or any(v not in at for v in ids.tolist()):
        return None
    return [at[v] for v in ids.tolist()]


def _unit_columns(trials: xr.Dataset) -> dict[str, np.ndarray]:
    """Coordinates on `unit` that can be columns."""
    taken = {
        "unit",
        "id",
        "spike_times",
        "obs_intervals",
        "electrodes",
        "waveform_mean",
        "waveform_sd",
        "waveforms",
    }
    found = {}
    for name, coordinate in trials.coords.items():
        values = coordinate.values
        if coordinate.dims != ("unit",) or str(name) in taken or values.dtype.kind not in "iufbUO":
            continue
        if values.dtype.kind == "f" and not np.isfinite(values).any():
            continue
        if values.dtype.kind in "UO" and not any(str(v) for v in values):
            continue
        found[str(name)] = values
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _add_electrodes(file: Any, facts: Source) -> int:
    """Copy the electrode table; returns its number of rows, 0 where there is none."""
    table = facts.electrodes
    if not table:
        return 0
    n = len(next(iter(table.values())))
    names = [str(v) for v in table["group_name"]] if "group_name" in table else ["electrodes"] * n
    groups: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        about = facts.groups.get(
            name, {"description": "no description", "location": "unknown", "device": "device"}
        )
        device = file.devices.get(about["device"]) or file.create_device(name=about["device"])
        groups[name] = file.create_electrode_group(
            name=name, description=about["description"], location=about["location"], device=device
        )
    extra = [c for c in table if c not in _STANDARD and table[c].dtype.kind in "iufbU"]
    for column in extra:
        file.add_electrode_column(name=column, description=f"{column} of the electrode in the recording.")
    numbers = [c for c in _NUMBERS if c in table and np.isfinite(table[c].astype(float)).all()]
    for i in range(n):
        given = {c: float(table[c][i]) for c in numbers} | {c: _plain(table[c][i]) for c in extra}
        if "filtering" in table:
            given["filtering"] = str(table["filtering"][i])
        place = str(table["location"][i]) if "location" in table else "unknown"
        file.add_electrode(group=groups[names[i]], location=place or "unknown", **given)
    return n
