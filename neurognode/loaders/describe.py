"""What a recording holds, as a dict for programs and as a table for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.alignment.grid import sorted_finite
from neurognode.loaders.alignment.moments import event_names
from neurognode.loaders.alignment.resolution import grid_of
from neurognode.loaders.alignment.spikes import activity_columns
from neurognode.loaders.base import Contents, Series, Table, Units
from neurognode.loaders.suggest import fit_commands

if TYPE_CHECKING:
    from neurognode.loaders.recording import Recording

SCHEMA = 1
_ENDS_BUDGET = 256 << 20
_SOME = 64
_READ_ALL = 5_000_000
_STUCK = 2_000_000


def describe(recording: Recording) -> dict[str, Any]:
    """See `neurognode.loaders.Recording.describe`.

    Examples
    --------
    >>> import neurognode as ng
    >>> ng.open_recording({"spike_times": [[0.1, 0.9]]}).describe()["units"]["spikes"]
    2
    """
    contents = recording.contents
    units = _units(contents.units, contents) if contents.units is not None else None
    series = [_series(s) for s in contents.series.values()]
    tables = [_table(t) for t in contents.tables.values()]
    starts = [e["start"] for e in [units, *series] if e and e.get("start") is not None]
    stops = [e["stop"] for e in [units, *series] if e and e.get("stop") is not None]
    found: dict[str, Any] = {
        "schema": SCHEMA, "source": recording.source, "format": contents.format, "version": contents.version,
        "session": dict(contents.session), "subject": dict(contents.subject),
        "span": [min(starts), max(stops)] if starts else None,
        "units": units, "series": series, "tables": tables, "events": event_names(contents),
        "trials": _cut(contents), "datasets": list(contents.datasets), "mapping": dict(contents.guess),
    }  # fmt: skip
    found["commands"] = fit_commands(found, contents)
    found["notes"] = list(dict.fromkeys(contents.notes + _late_notes(contents)))
    return found


def _late_notes(contents: Contents) -> list[str]:
    """What came up while looking at times, and what the data show of themselves."""
    usable = [s for s in contents.series.values() if s.usable]
    found = [f"{s.name}: {issue}" for s in usable for issue in s.timeline.issues]
    found += [note for s in usable if (note := stuck(s))]
    units = contents.units
    if units is not None and (counts := units.counts()).max(initial=0) > 200:
        busiest = int(counts.argmax())
        if counts[busiest] <= _READ_ALL:
            spikes, _, _ = sorted_finite(units.spikes(busiest), units.where)
            grid = grid_of(spikes)
            if grid:
                step = f"{grid * 1000:g} ms"
                found.append(f"spike times were stored in steps of {step}: use bins of a multiple of that")
    return found + [note for table in contents.tables.values() for note in table.notes]


def stuck(series: Series) -> str:
    """A note on a long stretch in which a signal does not change, as where a tracker lost its animal."""
    if (
        series.role != "behavior"
        or not series.usable
        or series.timeline.n < 1000
        or series.timeline.n > _STUCK
    ):
        return ""
    values = series.read(0, series.timeline.n)
    same = np.concatenate([[False], (values[1:] == values[:-1]).all(axis=1), [False]])
    ends = np.flatnonzero(same[1:] != same[:-1]).reshape(-1, 2)
    if not len(ends):
        return ""
    start, stop = ends[np.argmax(ends[:, 1] - ends[:, 0])]
    if stop - start < 0.1 * series.timeline.n:
        return ""
    times = series.timeline.at(0, series.timeline.n)
    share = (stop - start) / series.timeline.n
    return (
        f"{series.name} does not change from {times[start]:g} to {times[stop]:g} s ({share:.0%} of its samples): "
        "perhaps tracking was lost"
    )


def _units(units: Units, contents: Contents) -> dict[str, Any]:
    counts = units.counts()
    total = int(counts.sum())
    out: dict[str, Any] = {
        "n": len(units), "spikes": total, "silent": int((counts == 0).sum()), "start": None, "stop": None,
        "columns": {k: _short(v) for k, v in units.columns().items()},
        "has_obs_intervals": units.intervals(0) is not None if len(units) else False,
    }  # fmt: skip
    if not total:
        return out
    if total <= _READ_ALL:
        seen = activity_columns(contents)
        first, last, rate, time = (seen[k] for k in ("first_spike", "last_spike", "rate", "observed_time"))
    else:
        first, last = _some_ends(units, counts)
        time = np.full(len(units), np.nanmax(last) - np.nanmin(first))
        rate = counts / np.maximum(time, 1e-12)
    out |= {"start": float(np.nanmin(first)), "stop": float(np.nanmax(last)), "exact": total <= _READ_ALL}
    out["rate"] = _range(rate)
    out["observed_time"] = _range(time)
    return out


def _range(values: np.ndarray) -> dict[str, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"min": 0.0, "median": 0.0, "max": 0.0}
    return {"min": float(values.min()), "median": float(np.median(values)), "max": float(values.max())}


def _some_ends(units: Units, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last spikes of all units, or of some where reading them would decode too much."""
    looked = np.flatnonzero(counts)
    cost = getattr(units, "chunk_bytes", 0) * len(looked)
    if cost > _ENDS_BUDGET and len(looked) > _SOME:
        looked = looked[np.linspace(0, len(looked) - 1, _SOME).astype(int)]
    ends = np.array([units.ends(int(i)) for i in looked], float).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def _series(series: Series) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": series.name, "path": series.path, "type": series.kind, "role": series.role,
        "shape": list(series.shape), "unit": series.unit, "angle": series.angle,
        "usable": series.usable, "problem": series.problem, "start": None, "stop": None, "rate": None,
    }  # fmt: skip
    if series.problem:
        return out
    try:
        clock = series.timeline
    except RecordingError as error:
        series.problem = error.what
        return {**out, "usable": False, "problem": error.what}
    first, last = clock.span
    if np.isfinite([first, last]).all():
        out |= {"start": first, "stop": last}
    if np.isfinite(clock.period):
        out |= {"rate": 1 / clock.period, "regular": clock.regular}
    if not series.usable:
        out["problem"] = (
            f"it has {len(series.shape)} axes" if len(series.shape) > 2 else "it holds no numbers"
        )
    return out


def _table(table: Table) -> dict[str, Any]:
    columns = []
    for name in table.names:
        try:
            values = table.column(name)
        except RecordingError as error:
            table.notes.append(f"{table.name}/{name}: left out ({error.what})")
            continue
        about = _short(values)
        about |= {"name": name, "time": name in table.events, "description": table.descriptions.get(name, "")}
        columns.append(about)
    return {"name": table.name, "path": table.path, "rows": len(table), "columns": columns}


def _short(values: np.ndarray) -> dict[str, Any]:
    """Type and content of a column in a few numbers or words."""
    out: dict[str, Any] = {"type": "text" if values.dtype.kind in "USO" else str(values.dtype)}
    if values.dtype.kind in "fiub":
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        out["finite"] = len(finite)
        if len(finite):
            out |= {"min": float(finite.min()), "max": float(finite.max())}
    if len(values) and values.dtype.kind in "USOiub":
        kinds, numbers = np.unique(values, return_counts=True)
        if len(kinds) <= 8:
            out["values"] = {str(k): int(n) for k, n in zip(kinds, numbers)}
        else:
            out["distinct"] = len(kinds)
    return out


def _cut(contents: Contents) -> dict[str, Any] | None:
    aligned = contents.aligned
    if aligned is None:
        return None
    return {
        "shape": list(aligned.shape), "kind": aligned.kind, "bin_size": aligned.bin_size,
        "start": aligned.start,
        "event": aligned.event, "columns": list(aligned.columns), "truth": aligned.truth is not None,
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """The description as a table that a person can act on.

    Examples
    --------
    >>> import neurognode as ng
    >>> print(ng.open_recording({"spike_times": [[0.1, 0.9]]}))  # doctest: +ELLIPSIS
    dict (arrays)
      units     1 with 2 spikes, 0.1 to 0.9 s, 2.5 spikes/s, seen for 0.8 s
    ...
    """
    head = f"{found['source']} ({' '.join(filter(None, [found['format'], found['version']]))})"
    lines = [head]
    for label, key in (("subject", "subject"), ("session", "session")):
        shown = [
            f"{k} {_clip(v, 60)}" for k, v in found[key].items() if k not in ("description", "identifier")
        ][:5]
        if shown:
            lines.append(f"  {label:<9} {', '.join(shown)}")
    if found["session"].get("description"):
        lines.append(f"  {'about':<9} {_clip(found['session']['description'], 100)}")
    if found["trials"]:
        lines.append(f"  {'trials':<9} {_cut_text(found['trials'])}")
    if found["units"]:
        lines.append(f"  {'units':<9} {_units_text(found['units'])}")
    lines += _block("series", [_series_text(s) for s in found["series"]])
    lines += _block("tables", [_table_text(t) for t in found["tables"]])
    lines += _block("datasets", found["datasets"][:40])
    if not found["units"] and not found["series"] and not found["trials"] and not found["datasets"]:
        lines.append("  holds no signals")
    lines += _block("notes", found["notes"][:20])
    if found.get("mapping"):
        lines += ["", f"A guess of what is what; check it and save it as {_sidecar(found['source'])}:"]
        lines += _mapping_text(found["mapping"])
    if found["commands"]:
        lines += ["", "To fit it:", *(f"  {c}" for c in found["commands"])]
    return "\n".join(lines)


def _sidecar(source: str) -> str:
    return str(Path(source).with_suffix(".mapping.yaml"))


def _mapping_text(mapping: dict[str, Any]) -> list[str]:
    """A mapping as YAML."""
    activity = mapping["activity"]
    lines = [
        f"  times: {mapping['times']}",
        f"  activity: {{path: {activity['path']}, kind: {activity['kind']}, time_axis: {activity['time_axis']}}}",
    ]
    if mapping["behavior"]:
        lines += ["  behavior:", *(f"    {name}: {path}" for name, path in mapping["behavior"].items())]
    return lines


def _block(label: str, rows: list[str]) -> list[str]:
    return [f"  {label if i == 0 else '':<9} {row}" for i, row in enumerate(rows)]


def _clip(text: Any, n: int) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= n else flat[: n - 1] + "…"


def _units_text(units: dict[str, Any]) -> str:
    text = f"{units['n']} with {units['spikes']:,} spikes"
    if units["start"] is not None:
        rate, time = units["rate"], units["observed_time"]
        text += f", {units['start']:g} to {units['stop']:g} s"
        same = units["n"] == 1
        text += f", {rate['median']:.3g}" if same else f", {rate['min']:.2g} to {rate['max']:.3g}"
        text += " spikes/s" if same else f" (median {rate['median']:.2g}) spikes/s"
        equal = time["max"] - time["min"] < 1e-6 * time["max"]
        text += (
            f", seen for {time['max']:.5g} s"
            if equal
            else f", seen for {time['min']:.4g} to {time['max']:.5g} s"
        )
    if units["silent"]:
        text += f"; {units['silent']} silent"
    if units["columns"]:
        text += f"; columns {', '.join(list(units['columns'])[:8])}"
    return text


def _series_text(series: dict[str, Any]) -> str:
    shape = " x ".join(map(str, series["shape"]))
    text = f"{series['name']}: {series['type']} {shape}"
    if series["unit"]:
        text += f" {series['unit']}"
    if series["rate"]:
        text += f", {series['rate']:.4g} Hz" + ("" if series["regular"] else " (irregular)")
    if series["start"] is not None:
        text += f", {series['start']:g} to {series['stop']:g} s"
    if series["role"] not in ("other", "image"):
        text += f" [{series['role']}]"
    return text + (f"; cannot be used: {series['problem']}" if series["problem"] else "")


def _table_text(table: dict[str, Any]) -> str:
    times = [f"{c['name']} ({c['finite']})" for c in table["columns"] if c["time"]]
    others = [c["name"] for c in table["columns"] if not c["time"] and c["name"] != "id"]
    text = f"{table['name']}: {table['rows']} rows"
    if times:
        text += f"; events {', '.join(times[:10])}"
    return text + (f"; columns {', '.join(others[:12])}{' …' if len(others) > 12 else ''}" if others else "")


def _cut_text(cut: dict[str, Any]) -> str:
    n, bins, units = cut["shape"]
    width = f"{cut['bin_size']:g} s" if cut["bin_size"] else "unknown width"
    text = f"{n} trials x {bins} bins of {width} x {units} units ({cut['kind']})"
    if cut["columns"]:
        text += f"; columns {', '.join(cut['columns'][:10])}"
    return text
