"""Data that come already cut into trials: select, aggregate, and keep the truth apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import RecordingError, listing
from neurognode.loaders.alignment.align import Request
from neurognode.loaders.alignment.grid import check_positive, whole_bins
from neurognode.loaders.alignment.query import select
from neurognode.loaders.alignment.signal import pick_units
from neurognode.loaders.base import Aligned, Contents
from neurognode.loaders.guard import check_bytes
from neurognode.trials import make_trials

_UNUSED = ("offset", "table", "signal", "behavior")


def align_cut(aligned: Aligned, request: Request, event: Any = None) -> xr.Dataset:
    """`Trials` from data that are already trials.

    `bin_size` is the width of the file's bins where the file does not give it; otherwise a multiple of it,
    over which counts are summed and other signals averaged. `window` keeps a part of each trial.

    Raises
    ------
    ValueError
        If the width of a bin is not known and not given, or does not fit.
    """
    if event not in (None, aligned.event, "trial_start", "start_time"):
        names = [aligned.event, "trial_start"]
        raise ValueError(
            f"The trials are already cut, at {aligned.event!r}: leave out event={event!r}. "
            f"{listing(event, names)}"
        )
    ignored = [k for k in _UNUSED if getattr(request, k)]
    if ignored:
        raise ValueError(
            f"{ignored[0]}= cannot be used: this recording is already cut into trials and has no clock."
        )
    own, wide = _width(aligned, request.bin_size)
    check_bytes(
        int(np.prod(aligned.shape, dtype=object)) * 8, aligned.event, what=f"trials of shape {aligned.shape}"
    )
    parts = {"values": aligned.load(), **aligned.extras()}
    start, parts = _crop(aligned, parts, request.window, own)
    parts = _aggregate(parts, aligned.kind, wide)
    trials = make_trials(
        parts.pop("values"), bin_size=round(own * wide, 12), kind=aligned.kind, start=start,
        attrs={"event": aligned.event, "signal": "aligned", **parts.pop("attrs", {})}, **parts,
    )  # fmt: skip
    trials.attrs["window"] = [start, round(start + trials.sizes["time"] * own * wide, 9)]
    return _choose(trials, request)


def _width(aligned: Aligned, wanted: float | str | None) -> tuple[float, int]:
    """Width of the file's bins in seconds, and how many to put together."""
    if wanted in (None, "native"):
        if aligned.bin_size is None:
            raise ValueError(
                "bin_size is needed: the file does not say how wide its bins are. Give seconds, such as 0.01."
            )
        return aligned.bin_size, 1
    width = check_positive(wanted, "bin_size")  # type: ignore[arg-type]
    if aligned.bin_size is None:
        return width, 1
    factor = round(width / aligned.bin_size)
    if factor < 1 or abs(width / aligned.bin_size - factor) > 1e-3:
        own = aligned.bin_size
        near = max(factor, 1)
        raise ValueError(
            f"bin_size={width:g} s: the file's bins are {own:g} s wide, so give a whole number of those, "
            f"such as {own * near:g} or {own * (near + 1):g} s."
        )
    return aligned.bin_size, factor


_OVER_TIME = ("values", "observed", "inputs", "behavior")


def _crop(aligned: Aligned, parts: dict[str, Any], window: Any, own: float) -> tuple[float, dict[str, Any]]:
    if window is None:
        return aligned.start, parts
    low, high = (float(w) for w in window)
    first = (low - aligned.start) / own
    n = whole_bins(high - low, own)
    if abs(first - round(first)) > 1e-3 or round(first) < 0 or round(first) + n > aligned.shape[1]:
        end = aligned.start + aligned.shape[1] * own
        raise ValueError(
            f"window={window!r} must lie on the file's bins, between {aligned.start:g} and {end:g} s."
        )
    cut = slice(round(first), round(first) + n)
    return low, {k: v[:, cut] if k in _OVER_TIME and v is not None else v for k, v in parts.items()}


def _aggregate(parts: dict[str, Any], kind: str, factor: int) -> dict[str, Any]:
    if factor == 1:
        return parts
    n = parts["values"].shape[1]
    if n % factor:
        raise ValueError(
            f"{n} bins of the file cannot be put together {factor} at a time; {n // factor * factor} could."
        )
    out = dict(parts)
    for key in _OVER_TIME:
        array = parts.get(key)
        if array is None:
            continue
        grouped = array.reshape(array.shape[0], n // factor, factor, *array.shape[2:])
        if key == "observed":
            out[key] = grouped.all(axis=2)
        else:
            out[key] = grouped.sum(axis=2) if key == "values" and kind == "counts" else grouped.mean(axis=2)
    return out


def _choose(trials: xr.Dataset, request: Request) -> xr.Dataset:
    """Trials and units that the queries keep, and the conditions."""
    if request.trials is not None:
        columns = {str(k): c.values for k, c in trials.coords.items() if c.dims == ("trial",)}
        rows = np.flatnonzero(select(request.trials, columns, trials.sizes["trial"], "trials"))
        if not len(rows):
            raise ValueError(f"trials={request.trials!r} leaves no trial of {trials.sizes['trial']}.")
        trials = trials.isel(trial=rows)
    if request.units is not None:
        values = trials["counts" if "counts" in trials else "activity"]
        columns = {str(k): c.values for k, c in trials.coords.items() if c.dims == ("unit",)}
        columns["n_spikes"] = values.sum(("trial", "time")).values
        columns["rate"] = values.mean(("trial", "time")).values / trials.attrs["bin_size"]
        trials = trials.isel(unit=pick_units(trials["unit"].values, columns, request.units))
    if request.inputs is not None:
        wanted = [request.inputs] if isinstance(request.inputs, str) else list(request.inputs)
        have = [] if "inputs" not in trials else [str(v) for v in trials["input"].values]
        for name in wanted:
            if name not in have:
                raise ValueError(f"inputs: there is no input {name!r}. {listing(name, have)}")
        trials = trials.sel(input=wanted)
    if request.conditions:
        names = [request.conditions] if isinstance(request.conditions, str) else list(request.conditions)
        for name in names:
            if name not in trials.coords:
                raise ValueError(
                    f"conditions: there is no column {name!r}. {listing(name, map(str, trials.coords))}"
                )
        parts = [[str(v) for v in trials[name].values] for name in names]
        trials = trials.assign_coords(condition=("trial", [", ".join(p) for p in zip(*parts)]))
    return trials


def truth(contents: Contents, split: str | None = None) -> xr.Dataset:
    """See `neurognode.loaders.Recording.truth`."""
    aligned = contents.aligned
    if aligned is None or aligned.truth is None:
        raise RecordingError("The recording carries no truth", hint="Only simulated data do.")
    found = aligned.truth()
    data: dict[str, Any] = {}
    if "rates" in found:
        data["rates"] = (("trial", "time", "unit"), found["rates"])
    if "latents" in found:
        data["latents"] = (("trial", "time", "latent"), found["latents"])
    columns = {k: ("trial", np.asarray(v)) for k, v in aligned.extras().get("columns", {}).items()}
    dataset = xr.Dataset(data, {"trial": np.arange(aligned.shape[0]), **columns}, {"rates_unit": "spikes/s"})
    if split is None:
        return dataset
    if "split" not in dataset.coords or split not in dataset["split"].values:
        have = sorted(set(dataset["split"].values.tolist())) if "split" in dataset.coords else []
        raise ValueError(f"split={split!r} is not in the recording. {listing(split, have)}")
    return dataset.isel(trial=np.flatnonzero(dataset["split"].values == split))
