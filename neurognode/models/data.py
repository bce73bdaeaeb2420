"""Trials as tensors: what the network sees of them, checked once at the door."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neurognode import trials as schema
from neurognode.errors import listing
from neurognode.models.draws import Share


class Batch(NamedTuple):
    """Some trials of one session.

    Attributes
    ----------
    values : Tensor, (B, T, U)
        The signal, zero where not observed.
    observed : Tensor or None, (B, T, U)
        1 where recorded, 0 elsewhere; None if everything was.
    lengths : Tensor or None, (B,)
        Bins of each trial, None if all have T.
    inputs : Tensor or None, (B, T, I)
        External inputs.
    when : Tensor or None, (B,)
        Place of the trial in the session, 0 (its start) to 1 (its end).
    session : int
        Index of the session.
    share : Share or None
        What of a whole batch this is, if it is a part.
    """

    values: Tensor
    observed: Tensor | None
    lengths: Tensor | None
    inputs: Tensor | None
    when: Tensor | None
    session: int = 0
    share: Share | None = None


def valid_bins(batch: Batch) -> Tensor:
    """1 within a trial, 0 after its end, (B, T)."""
    n_bins, device = batch.values.shape[1], batch.values.device
    if batch.lengths is None:
        return batch.values.new_ones(len(batch.values), n_bins)
    inside = torch.arange(n_bins, device=device)[None] < batch.lengths.to(device)[:, None]
    return inside.to(batch.values.dtype)


@dataclass
class TrialTensors:
    """All trials of one session as tensors; `batch` hands out some of them."""

    values: Tensor
    observed: Tensor | None
    lengths: Tensor | None
    inputs: Tensor | None
    when: Tensor | None
    session: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, indices: Tensor, device: torch.device | str = "cpu", rows: slice | None = None) -> Batch:
        """The trials at `indices`, cut to the longest of them; with `rows` only those, as a part of the whole."""
        lengths = None if self.lengths is None else self.lengths[indices]
        n_bins = self.values.shape[1] if lengths is None else max(int(lengths.max()), 1)
        share = None
        if rows is not None:
            bins = len(indices) * n_bins if lengths is None else int(lengths.sum())
            share = Share(rows, len(indices), float(bins))
            indices, lengths = indices[rows], None if lengths is None else lengths[rows]

        def take(tensor: Tensor | None, cut: bool = True) -> Tensor | None:
            if tensor is None:
                return None
            return (tensor[indices][:, :n_bins] if cut else tensor[indices]).to(device)

        values = take(self.values)
        assert values is not None
        return Batch(
            values,
            take(self.observed),
            lengths,
            take(self.inputs),
            take(self.when, cut=False),
            self.session,
            share,
        )


class SessionTensors:
    """The trials of several sessions, counted through from the first to the last."""

    def __init__(self, sessions: Sequence[TrialTensors]) -> None:
        self.sessions = list(sessions)
        self.starts = np.cumsum([0, *(len(s) for s in self.sessions)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def batch(self, indices: Tensor, device: torch.device | str = "cpu") -> list[Batch]:
        """The trials at `indices`, one batch for each session that has any."""
        found = []
        for session, start, stop in zip(self.sessions, self.starts[:-1], self.starts[1:]):
            own = indices[(indices >= start) & (indices < stop)] - int(start)
            if len(own):
                found.append(session.batch(own, device))
        return found


def as_trials(data: Any, bin_size: float, kind: str = "counts") -> xr.Dataset:
    """`Trials` from `Trials`, or from an array of shape (trial, time, unit) binned at `bin_size` seconds.

    Raises
    ------
    ValueError
        If the data are neither, or do not keep the schema.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models.data import as_trials
    >>> dict(as_trials(np.zeros((2, 5, 3)), 0.01).sizes)
    {'trial': 2, 'time': 5, 'unit': 3}
    """
    if isinstance(data, xr.Dataset):
        return schema.validate(data)
    array = np.asarray(data)
    if array.ndim != 3:
        raise ValueError(
            f"Expected Trials (xarray.Dataset) or an array of shape (trial, time, unit), got "
            f"{array.shape}. See neurognode.make_trials."
        )
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"The array must hold real numbers, got dtype {array.dtype}.")
    return schema.make_trials(array, bin_size=bin_size, kind=kind)


def select_units(trials: xr.Dataset, units: np.ndarray, needed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal and mask (trial, time, unit) of the fitted `units`, in order; absent ones are not observed.

    Raises
    ------
    ValueError
        If units that the encoder needs (`needed`, bool) are missing.
    """
    values, mask = schema.filled(trials)
    present = {unit: index for index, unit in enumerate(trials["unit"].values.tolist())}
    wanted = units.tolist()
    missing = [unit for unit, need in zip(wanted, needed) if need and unit not in present]
    if missing:
        raise ValueError(
            f"{len(missing)} units that the model was fitted with are not in these trials, the first is "
            f"{missing[0]!r}. {listing(missing[0], map(str, present))}"
        )
    if wanted == list(present):
        return values, mask
    chosen = np.array([present.get(unit, 0) for unit in wanted])
    there = np.array([unit in present for unit in wanted])
    return values[:, :, chosen] * there, mask[:, :, chosen] & there


def external_inputs(trials: xr.Dataset, names: Sequence[str] | None, mask: np.ndarray) -> np.ndarray | None:
    """External inputs (trial, time, input) in the order of `names`, zero where nothing was recorded.

    Raises
    ------
    ValueError
        If inputs are missing, or not finite in bins that were recorded.
    """
    if names is None or len(names) == 0:
        return None
    if "inputs" not in trials:
        raise ValueError(f"The model takes the inputs {list(names)}, but these trials have none.")
    have = [str(name) for name in trials["inputs"]["input"].values]
    for name in names:
        if name not in have:
            raise ValueError(
                f"The model takes an input {name!r}, which these trials lack. {listing(name, have)}"
            )
    values = trials["inputs"].values[:, :, [have.index(name) for name in names]].astype(np.float32)
    bad = ~np.all(np.isfinite(values), axis=2)
    wrong = np.flatnonzero(np.any(bad & np.any(mask, axis=2), axis=1))
    if len(wrong):
        raise ValueError(
            f"Inputs are missing (not finite) in {len(wrong)} trials, the first is trial {wrong[0]}. "
            "Drop those trials, or fill the inputs with what was really given."
        )
    return np.where(bad[:, :, None], 0, values).astype(np.float32)


def session_place(trials: xr.Dataset, span: tuple[float, float]) -> np.ndarray:
    """Where each trial lies in the session, 0 to 1 between the times of `span` (file seconds), (trial,)."""
    start = (
        trials["absolute_time"].values[:, 0]
        if "absolute_time" in trials.coords
        else np.zeros(trials.sizes["trial"])
    )
    width = max(span[1] - span[0], 1e-9)
    return np.clip((np.nan_to_num(start) - span[0]) / width, 0.0, 1.0).astype(np.float32)


def tensors(
    values: np.ndarray, mask: np.ndarray, inputs: np.ndarray | None, when: np.ndarray | None, session: int = 0
) -> TrialTensors:
    """Put arrays into tensors, leaving out masks and lengths where there is nothing to mask."""
    seen = np.any(mask, axis=2)
    lengths = np.where(np.any(seen, axis=1), seen.shape[1] - np.argmax(seen[:, ::-1], axis=1), 0)
    return TrialTensors(
        torch.from_numpy(np.ascontiguousarray(values, np.float32)),
        None if mask.all() else torch.from_numpy(mask.astype(np.float32)),
        None if (lengths == mask.shape[1]).all() else torch.from_numpy(lengths.astype(np.int64)),
        None if inputs is None else torch.from_numpy(np.ascontiguousarray(inputs, np.float32)),
        None if when is None else torch.from_numpy(when),
        session,
    )


def silent_units(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which units never change (all-silent counts, constant signals) or were never observed, bool (unit,)."""
    low = np.where(mask, values, np.inf).min(axis=(0, 1))
    high = np.where(mask, values, -np.inf).max(axis=(0, 1))
    return ~(high > low)


def warn_silent(units: np.ndarray) -> None:
    """Say which units are kept out because they never change."""
    if len(units):
        warnings.warn(
            f"{len(units)} units never change in the training trials and do not enter the fit: {_some(units)}.",
            UserWarning,
            stacklevel=3,
        )


def warn_missing(units: np.ndarray, counts: np.ndarray) -> None:
    """Say how many bins of which units count as not recorded because they hold NaN or infinity."""
    said = said_missing(units, counts)
    if said:
        warnings.warn(
            f"{said} If that is meant, say so with observed= of make_trials; then this is not said.",
            UserWarning,
            stacklevel=3,
        )


def said_missing(units: np.ndarray, counts: np.ndarray) -> str:
    """One sentence about bins that are not finite, by unit, as `neurognode.trials.not_finite` counts them; "" for none.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models.data import said_missing
    >>> said_missing(np.array(["a", "b"]), np.array([0, 3]))
    '3 bins of 1 unit hold NaN or infinity and count as not recorded: b (3).'
    """
    some = [f"{unit} ({count})" for unit, count in zip(units, counts) if count]
    if not some:
        return ""
    of = "1 unit hold" if len(some) == 1 else f"{len(some)} units hold"
    return f"{int(counts.sum())} bins of {of} NaN or infinity and count as not recorded: {_some(some)}."


@contextlib.contextmanager
def said_once(before: bool = True) -> Iterator[None]:
    """Keep warnings about the trials back in a block, if they have been given `before`."""
    with warnings.catch_warnings():
        if before:
            warnings.filterwarnings(
                "ignore", message=".*(never change in the training trials|count as not recorded)"
            )
        yield


def _some(names: Sequence[Any] | np.ndarray) -> str:
    """The first ten of some names."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(str(name) for name in names[:10]) + more
