"""What an estimator remembers of the recordings it was fitted to, and how trials are matched to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.models import data


@dataclass(eq=False)
class Recorded:
    """One recording of a fit.

    Attributes
    ----------
    units : array, (unit,)
        Ids of its units.
    active : array of bool, (unit,)
        Units that change in the training trials; the others are kept out of the fit.
    seen : array of bool, (unit,)
        Units the encoder may see.
    mean : array, (unit,)
        Mean signal in a bin of the training trials, with half an event for units that were silent.
    span : tuple of float
        Times of the first and last trial, in file seconds.
    """

    units: np.ndarray
    active: np.ndarray
    seen: np.ndarray
    mean: np.ndarray
    span: tuple[float, float]

    @classmethod
    def of(cls, trials: xr.Dataset, encode_units: Sequence[Any] | None) -> Recorded:
        """Look at the training trials of one recording."""
        values, mask = schema.filled(trials)
        units = trials["unit"].values
        seen = seen_units(encode_units, units)
        return cls(units, ~data.silent_units(values, mask), seen, _means(values, mask), _span(trials))

    def tensors(
        self, trials: xr.Dataset, names: Sequence[str], *, drift: bool, session: int
    ) -> data.TrialTensors:
        """The active units of some trials, with external inputs `names` and the place in the session."""
        values, mask = data.select_units(trials, self.units, self.seen & self.active)
        inputs = data.external_inputs(trials, names, schema.observed(trials))
        when = data.session_place(trials, self.span) if drift else None
        active = self.active
        return data.tensors(values[:, :, active], mask[:, :, active], inputs, when, session)

    def describe(self) -> dict[str, Any]:
        """A JSON-able copy."""
        arrays = {name: getattr(self, name).tolist() for name in ("units", "active", "seen", "mean")}
        return {**arrays, "span": list(self.span)}

    @classmethod
    def restore(cls, described: dict[str, Any]) -> Recorded:
        """The inverse of `describe`."""
        arrays = {name: np.array(described[name]) for name in ("units", "active", "seen", "mean")}
        return cls(**arrays, span=(described["span"][0], described["span"][1]))


def seen_units(encode_units: Sequence[Any] | None, units: np.ndarray) -> np.ndarray:
    """Which units the encoder may see, bool (unit,), from ids or a mask.

    Raises
    ------
    ValueError
        If a name is not among the units, or a mask has the wrong length.
    """
    if encode_units is None:
        return np.ones(len(units), bool)
    wanted = np.asarray(encode_units)
    if wanted.dtype == bool:
        if len(wanted) != len(units):
            raise ValueError(
                f"encode_units as a mask has {len(wanted)} entries; there are {len(units)} units."
            )
        return wanted
    known = set(units.tolist())
    unknown = [w for w in wanted.tolist() if w not in known]
    if unknown:
        raise ValueError(
            f"encode_units names {unknown[0]!r}, which is not among the units {units.tolist()[:10]} ..."
        )
    return np.isin(units, wanted)


def _means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    seen = mask.sum(axis=(0, 1))
    total = np.where(mask, values, 0).sum(axis=(0, 1), dtype=float)
    return np.where(total == 0, 0.5, total) / np.maximum(seen, 1)


def _span(trials: xr.Dataset) -> tuple[float, float]:
    if "absolute_time" not in trials.coords:
        return 0.0, 1.0
    start = trials["absolute_time"].values[:, 0]
    return float(np.nanmin(start)), float(np.nanmax(start))
