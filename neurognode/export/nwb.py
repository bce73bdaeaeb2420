"""Latents, rates, fixed points and verdicts in a new NWB file."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode import __version__
from neurognode.errors import RecordingError, listing, one_of
from neurognode.export.continuous import Continuous, continuous
from neurognode.export.ecephys import add_units
from neurognode.export.results import Results, collect
from neurognode.export.source import Source, read_source, start_time
from neurognode.export.subject import known_keys, missing_for_dandi
from neurognode.export.tables import dynamic_table, fixed_points, verdict_table
from neurognode.files import atomic_path
from neurognode.trials import validate

_PLACEHOLDER = datetime(2000, 1, 1, tzinfo=timezone.utc)
_SESSION_KEYS = ("description", "start_time", "session_id", "lab", "institution", "experiment")


def to_nwb(
    path: str | os.PathLike[str],
    fits: Any,
    trials: xr.Dataset,
    verdicts: Any = None,
    portrait: Any = None,
    source: Any = None,
    *,
    subject: Mapping[str, str] | None = None,
    session: Mapping[str, str] | None = None,
    incomplete: str = "refuse",
    overwrite: bool = True,
) -> Path:
    """Write results as NWB by the archive's rules; the recording's own file is not touched.

    The file holds, in the processing module ``ecephys`` (``ophys`` for calcium): ``LatentTrajectory`` and
    ``InferredRates`` (TimeSeries, time first, stamps in file seconds at the left edge of each bin), the
    spread over members, and tables of loadings, fixed points and verdicts. Units and electrodes are copied,
    and each loading points to its unit.

    Parameters
    ----------
    path : path
        The new file.
    fits : model, ensemble, or DataArray (trial, time, latent)
        What was fitted.
    trials : Dataset
        The `Trials` to export.
    verdicts : iterable of Verdict, optional
        As `neurognode.hypotheses.compare` gives them.
    portrait : Portrait or sequence of them, optional
        One portrait, or one for each member.
    source : path or Recording, optional
        The recording; by default what ``trials.attrs["source"]`` names.
    subject, session : mapping, optional
        What the recording does not say, such as ``{"age": "P90D"}``; overrides what it says.
    incomplete : {"refuse", "write"}
        What to do where the subject lacks what DANDI asks for.
    overwrite : bool
        Whether an existing file may be replaced; the recording itself never is.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    RecordingError
        If the subject is incomplete (says which fields, and how to give them), the file exists and may not be
        replaced, or `path` is the recording itself.
    ValueError
        If latents and trials do not fit together.
    """
    one_of(incomplete, ("refuse", "write"), "incomplete")
    validate(trials)
    target = Path(path)
    origin = source if source is not None else trials.attrs.get("source", "")
    _check_target(target, origin, overwrite)
    facts = read_source(origin)
    about = _merged(facts.subject, subject, known_keys(), "subject")
    _check_subject(about, target, incomplete)
    results, series = collect(fits, trials), continuous(trials)
    file = _new_file(facts, about, _merged(facts.session, session, _SESSION_KEYS, "session"), trials)
    table = add_units(file, facts, trials) if trials.attrs["activity_kind"] != "calcium" else None
    _add_windows(file, trials)
    _add_results(file, results, series, trials, table, verdicts, _portraits(portrait))
    from pynwb import NWBHDF5IO

    with atomic_path(target) as temporary, NWBHDF5IO(str(temporary), "w") as io:
        io.write(file)
    return target


def _check_target(target: Path, origin: Any, overwrite: bool) -> None:
    text = str(getattr(origin, "source", origin) or "")
    if target.exists():
        if text and Path(text).exists() and os.path.samefile(target, text):
            raise RecordingError("The recording's own file is never written to", where=str(target))
        if not overwrite:
            raise RecordingError(
                "The file exists already", where=str(target), hint="overwrite=True replaces it."
            )


def _merged(
    found: dict[str, str], given: Mapping[str, str] | None, keys: tuple[str, ...], what: str
) -> dict[str, str]:
    for key in given or {}:
        if key not in keys:
            raise ValueError(f"{what}: {key!r} is not known. {listing(key, keys)}")
    return {**found, **{k: str(v) for k, v in (given or {}).items()}}


def _check_subject(subject: dict[str, str], target: Path, incomplete: str) -> None:
    wrong = missing_for_dandi(subject)
    if wrong and incomplete == "refuse":
        said = "; ".join(f"{k} {v}" for k, v in wrong.items())
        fields = ", ".join(f"'{k}': ..." for k in wrong)
        raise RecordingError(
            f"The recording does not say enough about the subject for an archive: {said}",
            where=str(target),
            hint=f"Give it as subject={{{fields}}}, or write the file all the same with incomplete='write'.",
        )


def _portraits(portrait: Any) -> list[Any]:
    if portrait is None:
        return []
    return list(portrait) if isinstance(portrait, (list, tuple)) else [portrait]


def _new_file(facts: Source, subject: dict[str, str], session: dict[str, str], trials: xr.Dataset) -> Any:
    from pynwb import NWBFile
    from pynwb.file import Subject

    begun = start_time(session.get("start_time", ""))
    about = session.get("description") or "Latent dynamics inferred from a recording."
    given = {k: v for k, v in subject.items() if k in known_keys() and k != "date_of_birth"}
    born = start_time(subject.get("date_of_birth", ""))
    return NWBFile(
        session_description=about,
        identifier=str(uuid.uuid4()),
        session_start_time=begun or _PLACEHOLDER,
        session_id=(session.get("session_id") or None) and session["session_id"].replace("/", "-"),
        lab=session.get("lab"),
        institution=session.get("institution"),
        experiment_description=session.get("experiment") or about,
        keywords=["latent dynamics", "neural population"],
        source_script=f"neurognode {__version__}",
        source_script_file_name="neurognode.export.to_nwb",
        notes=_notes(facts, trials, begun is None),
        subject=Subject(**given, date_of_birth=born) if given else None,
    )


def _notes(facts: Source, trials: xr.Dataset, placeholder: bool) -> str:
    source = Path(str(trials.attrs.get("source", "")) or "unknown").name
    lines = [f"Derived from {source} (SHA-256 {trials.attrs.get('source_hash') or 'unknown'})."]
    if trials.attrs.get("alignment"):
        lines.append(f"Alignment: {trials.attrs['alignment']}.")
    if placeholder:
        lines.append(
            "The recording does not say when the session began: session_start_time is a placeholder."
        )
    if facts.problem:
        lines.append(f"Nothing was taken over from the recording: {facts.problem}.")
    return " ".join(lines)


def _add_windows(file: Any, trials: xr.Dataset) -> None:
    """The windows that were fitted, with every column of their trials that can be stored."""
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    times = trials["absolute_time"].values
    start, stop = times[:, 0], times[:, -1] + float(trials.attrs["bin_size"])
    keep = np.isfinite(start) & np.isfinite(stop)
    columns = [
        VectorData(
            name="start_time", description="Start of the window, in seconds of the session.", data=start[keep]
        ),
        VectorData(
            name="stop_time", description="End of the window, in seconds of the session.", data=stop[keep]
        ),
    ]
    for name, coordinate in trials.coords.items():
        values = coordinate.values
        key = {"start_time": "trial_start_time", "stop_time": "trial_stop_time", "id": "trial_id"}.get(
            str(name), str(name)
        )
        if coordinate.dims != ("trial",) or name == "trial" or values.dtype.kind not in "iufbUO":
            continue
        if values.dtype.kind == "f" and not np.isfinite(values[keep]).any():
            continue
        data = [str(v) for v in values[keep]] if values.dtype.kind in "UO" else values[keep]
        columns.append(VectorData(name=key, description=f"{name} of the trial.", data=data))
    file.add_time_intervals(
        TimeIntervals(
            name="fit_windows", description="Windows in which latents were inferred.", columns=columns
        )
    )


def _add_results(
    file: Any,
    results: Results,
    series: Continuous,
    trials: xr.Dataset,
    units: Any,
    verdicts: Any,
    portraits: list[Any],
) -> None:
    calcium = trials.attrs["activity_kind"] == "calcium"
    module = file.create_processing_module(
        "ophys" if calcium else "ecephys", "Latent dynamics inferred from the activity of the population."
    )
    width = float(trials.attrs["bin_size"])
    how = f"Stamps are the left edges of bins of {width:g} s."
    if series.dropped:
        how += f" {series.dropped} bins of windows that overlap an earlier one are left out."
    fitted = f" Mean of {results.members} fits, aligned." if results.members > 1 else ""
    latents = series.take(results.latents.values)
    _add_series(
        module,
        series,
        "LatentTrajectory",
        latents,
        "a.u.",
        f"Latent state, one column per latent. {how}{fitted}",
    )
    if results.spread is not None:
        spread = series.take(results.spread)
        _add_series(
            module,
            series,
            "LatentSpread",
            spread,
            "a.u.",
            f"Standard deviation of the latents over fits. {how}",
        )
    if results.rates is not None:
        name, unit = (
            ("InferredActivity", "a.u.")
            if trials.attrs["activity_kind"] != "counts"
            else ("InferredRates", "Hz")
        )
        rates = series.take(results.rates.values)
        _add_series(
            module,
            series,
            name,
            rates,
            unit,
            f"Inferred activity, one column per unit of the loadings. {how}",
        )
    if results.weight is not None and results.bias is not None:
        module.add(_loadings(results, trials, units))
    for table in (fixed_points(portraits), verdict_table(verdicts) if verdicts is not None else None):
        if table is not None:
            module.add(table)


def _add_series(
    module: Any, series: Continuous, name: str, data: np.ndarray, unit: str, description: str
) -> None:
    from hdmf.backends.hdf5.h5_utils import H5DataIO
    from pynwb import TimeSeries

    clock: dict[str, Any]
    if series.rate is not None:
        clock = {"rate": series.rate, "starting_time": float(series.times[0])}
    else:
        clock = {"timestamps": H5DataIO(series.times, compression="gzip")}
    packed = H5DataIO(data, compression="gzip", shuffle=True)
    module.add(TimeSeries(name=name, data=packed, unit=unit, description=description, **clock))


def _loadings(results: Results, trials: xr.Dataset, units: Any) -> Any:
    """Weights of the readout, a row per unit, with the row of the units table that each belongs to."""
    from hdmf.common import DynamicTableRegion

    link = f" before the link function ({results.link})" if results.link else ""
    columns: dict[str, tuple[str, Any]] = {
        "unit_id": ("Identifier of the unit in the recording.", _ids(trials)),
        "loading": ("Weight of each latent on the unit's activity.", results.weight),
        "baseline": ("Activity of the unit at the origin of the latents.", results.bias),
    }
    table = dynamic_table("LatentLoadings", f"How latents map to the units' activity{link}.", columns)
    if units is not None:
        region = DynamicTableRegion(
            name="unit",
            description="Row of the units table.",
            data=np.arange(trials.sizes["unit"]),
            table=units,
        )
        table.add_column(
            name=region.name,
            description=region.description,
            data=region.data,
            table=units,
            col_cls=DynamicTableRegion,
        )
    return table


def _ids(trials: xr.Dataset) -> Any:
    ids = trials["unit"].values
    return ids if ids.dtype.kind in "iu" else [str(v) for v in ids]
