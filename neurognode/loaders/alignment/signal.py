"""What one alignment gives: values on the bins of every window, and where they were observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurognode.errors import RecordingError, listing
from neurognode.loaders.base import Contents, Series


@dataclass
class Block:
    """Values on bins.

    Attributes
    ----------
    values : array of shape (trial, time, column)
    observed : bool array, (trial, time) or (trial, time, column)
    kind : str
        ``counts``, ``calcium`` or ``continuous``.
    columns : dict
        One value per column under every name; ``unit`` holds the ids.
    times : array of shape (trial, time), optional
        True time of each bin in file seconds, where it is not the event plus whole bins.
    notes : list of str
        What was repaired or inferred.
    """

    values: np.ndarray
    observed: np.ndarray
    kind: str
    columns: dict[str, Any] = field(default_factory=dict)
    times: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def choose_signal(contents: Contents, signal: str | None) -> str:
    """Name of the signal to fit: ``units``, or a series.

    Raises
    ------
    RecordingError
        If the recording holds no neural activity.
    ValueError
        If the signal asked for is not there; lists those that are.
    """
    usable = {s.name: s for s in contents.series.values() if s.usable}
    if signal is not None:
        if signal == "units" and contents.units is not None:
            return signal
        if signal in usable:
            return signal
        if signal in contents.series:
            raise RecordingError(f"The series {signal!r} cannot be used: {contents.series[signal].problem}")
        names = (["units"] if contents.units is not None else []) + list(usable)
        raise ValueError(f"signal={signal!r} is not in the recording. {listing(signal, names)}")
    if contents.units is not None and int(contents.units.counts().sum()):
        return "units"
    for role in ("counts", "calcium", "electrical"):
        ranked = sorted((s for s in usable.values() if s.role == role), key=_preference)
        if ranked:
            return ranked[0].name
    raise RecordingError(no_activity(contents), hint=_instead(usable))


def _preference(series: Series) -> tuple[bool, int]:
    """dF/F before raw fluorescence, then more channels."""
    raw = "dff" not in series.name.lower() and "dfoverf" not in series.path.lower()
    return raw, -series.n_channels


def no_activity(contents: Contents) -> str:
    """Why there is nothing to fit, in a sentence."""
    broken = next(
        (n for n in contents.notes if "units cannot be used" in n or "table of units is empty" in n), ""
    )
    if broken:
        return f"The recording has no neural activity that can be used ({broken.rstrip('.')})"
    return (
        "The recording holds no neural activity: no spike times, binned counts, fluorescence or field "
        "potentials"
    )


def _instead(usable: dict[str, Series]) -> str:
    if not usable:
        return ""
    return f"To use one of its other series, name it: signal={next(iter(usable))!r}."


def pick_units(ids: np.ndarray, columns: dict[str, np.ndarray], units: Any) -> np.ndarray:
    """Indices of the units asked for: a query, ids, or a mask.

    Raises
    ------
    ValueError
        If an id is unknown, a mask has the wrong length, or nothing is left.
    """
    from neurognode.loaders.alignment.query import select

    n = len(ids)
    if units is None:
        return np.arange(n)
    if isinstance(units, str):
        chosen = np.flatnonzero(select(units, columns, n, "units"))
        if not len(chosen):
            raise ValueError(f"units={units!r} leaves no unit of {n}.")
        return chosen
    wanted = np.asarray(units)
    if wanted.dtype == bool:
        if wanted.shape != (n,):
            raise ValueError(f"units: the mask has shape {wanted.shape}, there are {n} units.")
        return np.flatnonzero(wanted)
    at = {v: i for i, v in enumerate(ids.tolist())}
    missing = [v for v in wanted.reshape(-1).tolist() if v not in at]
    if missing:
        raise ValueError(
            f"units: there is no unit {missing[0]!r}. {listing(missing[0], map(str, ids.tolist()))}"
        )
    if not wanted.size:
        raise ValueError("units is empty: name at least one unit, or leave it out for all.")
    return np.array([at[v] for v in wanted.reshape(-1).tolist()])
