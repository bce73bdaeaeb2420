"""Aligning spikes beside its peers, and finding one window in a file of 10 GB.

    python benchmarks/speed/loaders.py --units 1000 --spikes 1e8 --trials 2000 --gigabytes 10 --out FOLDER

Candidates run interleaved in one process on the same file; CPU time of all threads, median. Every candidate reads the
spikes from the file and gives the counts of all trials. Memory is the peak of a process of its own, imports taken off.
elephant runs only where it is installed; it counts the whole session on a grid, from which trials are cut.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BIN, LENGTH, SPACING = 0.02, 1.0, 5.0
N_BINS = round(LENGTH / BIN)


def make_spikes(path: Path, units: int, spikes: int, trials: int, seed: int = 0) -> None:
    """An NWB file of Poisson units whose session lasts `trials` x 5 s."""
    rng = np.random.default_rng(seed)
    each = np.full(units, spikes // units)
    duration = trials * SPACING
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        table = file.create_group("intervals/trials")
        table.attrs["neurodata_type"], table.attrs["colnames"] = "TimeIntervals", ["start_time", "stop_time"]
        table["start_time"] = np.arange(trials) * SPACING
        table["stop_time"] = np.arange(trials) * SPACING + SPACING
        table["id"] = np.arange(trials)
        group = file.create_group("units")
        group.attrs["neurodata_type"], group.attrs["colnames"] = "Units", ["spike_times"]
        group["spike_times_index"], group["id"] = np.cumsum(each), np.arange(units)
        data = group.create_dataset("spike_times", (int(each.sum()),), float)
        at = 0
        for n in each:
            data[at : at + n] = np.sort(rng.uniform(0, duration, n))
            at += n


def make_large(path: Path, gigabytes: float, spikes: Path) -> None:
    """A copy of the small file with a field potential of so many gigabytes."""
    import shutil

    shutil.copyfile(spikes, path)
    channels, rate = 64, 1000.0
    rows = int(gigabytes * 1e9 / (channels * 4))
    block = np.random.default_rng(0).normal(size=(100_000, channels)).astype(np.float32)
    with h5py.File(path, "r+") as file:
        group = file.create_group("acquisition/lfp")
        group.attrs["neurodata_type"] = "ElectricalSeries"
        group.create_dataset("starting_time", data=0.0).attrs["rate"] = rate
        data = group.create_dataset("data", (rows, channels), np.float32, chunks=(8192, channels))
        data.attrs["unit"] = "V"
        for at in range(0, rows, len(block)):
            data[at : at + len(block)] = block[: rows - at]


def ours(path: Path) -> np.ndarray:
    import neurognode as ng

    with ng.open_recording(path) as recording:
        return recording.align("start_time", window=(0.0, LENGTH), bin_size=BIN)["counts"].values


def bare(path: Path) -> np.ndarray:
    """What one would write for these trials alone: no checks, no masks, one bincount a unit."""
    with h5py.File(path, "r") as file:
        starts = file["intervals/trials/start_time"][:]
        stops = file["units/spike_times_index"][:]
        data = file["units/spike_times"]
        out = np.zeros((len(starts), N_BINS, len(stops)), np.int32)
        at = 0
        for unit, stop in enumerate(stops):
            times = data[at:stop]
            trial = np.searchsorted(starts, times, side="right") - 1
            bins = ((times - starts[trial]) / BIN).astype(np.int64)
            inside = bins < N_BINS
            flat = np.bincount(trial[inside] * N_BINS + bins[inside], minlength=len(starts) * N_BINS)
            out[:, :, unit] = flat.reshape(len(starts), N_BINS)
            at = stop
    return out


def _read(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with h5py.File(path, "r") as file:
        stops = file["units/spike_times_index"][:]
        times = file["units/spike_times"][:]
        return np.split(times, stops[:-1]), file["intervals/trials/start_time"][:]


def pynapple(path: Path) -> np.ndarray:
    import pynapple as nap

    trains, starts = _read(path)
    group = nap.TsGroup({k: nap.Ts(t) for k, t in enumerate(trains)})
    return nap.build_tensor(group, nap.IntervalSet(starts, starts + LENGTH), bin_size=BIN)


def elephant(path: Path) -> np.ndarray:
    import neo
    import quantities as pq
    from elephant.conversion import BinnedSpikeTrain

    trains, starts = _read(path)
    stop = float(starts[-1] + SPACING)
    spikes = [neo.SpikeTrain(t, t_stop=stop, units="s") for t in trains]
    binned = BinnedSpikeTrain(
        spikes, bin_size=BIN * pq.s, t_start=0 * pq.s, t_stop=stop * pq.s, tolerance=1e-8
    )
    first = np.rint(starts / BIN).astype(int)
    return binned.sparse_matrix[:, (first[:, None] + np.arange(N_BINS)).reshape(-1)].toarray()


CANDIDATES: dict[str, Callable[[Path], np.ndarray]] = {
    "neurognode": ours, "bincount": bare, "pynapple": pynapple, "elephant": elephant,
}  # fmt: skip


def available(names: list[str]) -> list[str]:
    """Those of the candidates that can be imported."""
    import importlib.util

    needs = {"pynapple": "pynapple", "elephant": "elephant"}
    return [n for n in names if n not in needs or importlib.util.find_spec(needs[n]) is not None]


def versions(names: list[str]) -> str:
    """Versions of the candidates and of h5py."""
    from importlib.metadata import version

    return ", ".join(f"{n} {version(n)}" for n in ["h5py", *names] if n != "bincount")


def compare(path: Path, names: list[str], repeats: int) -> dict[str, dict[str, float]]:
    """Median CPU and wall seconds of each candidate, interleaved; the first round only warms up."""
    cpu: dict[str, list[float]] = {n: [] for n in names}
    wall: dict[str, list[float]] = {n: [] for n in names}
    totals = {}
    for round_ in range(repeats + 1):
        for name in names:
            w, c = time.perf_counter(), time.process_time()
            counts = CANDIDATES[name](path)
            c, w = time.process_time() - c, time.perf_counter() - w
            totals[name] = int(np.asarray(counts).sum())
            del counts
            if round_:
                cpu[name].append(c)
                wall[name].append(w)
    median = statistics.median
    return {n: {"cpu_s": median(cpu[n]), "wall_s": median(wall[n]), "spikes": totals[n]} for n in names}


CHILD = """
import sys, time, pathlib
sys.path[:0] = [{here!r}, {root!r}]
import numpy, h5py, xarray, neurognode.loaders.alignment.align, neurognode.loaders.open
import loaders
base = loaders.peak_bytes()
begun = time.perf_counter()
path = pathlib.Path({path!r})
{code}
taken = time.perf_counter() - begun
print(taken, base, loaders.peak_bytes(), size)
"""


def peak_bytes() -> float:
    """Most memory that this process has held; on Linux without what it was forked from."""
    import resource

    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def in_child(path: Path, code: str) -> dict[str, float]:
    """Seconds, and bytes of peak memory with and without imports, of some code in a process of its own."""
    here = Path(__file__).resolve().parent
    text = CHILD.format(here=str(here), root=str(here.parent.parent), path=str(path), code=code)
    answer = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout
    taken, base, peak, size = map(float, answer.split())
    return {"seconds": taken, "peak_bytes": peak, "added_bytes": peak - base, "result_bytes": size}


WINDOW = """
import neurognode as ng
with ng.open_recording(path) as recording:
    trials = recording.align([1234.5], window=(0.0, 2.0), signal="lfp")
    size = trials["activity"].nbytes
"""


INSPECT = """
import sys, time
begun = time.process_time()
sys.path.insert(0, {here!r})
sys.argv = ["neurognode", "inspect", {path!r}]
from neurognode.cli import main
try:
    main()
finally:
    import loaders
    print(time.process_time(), loaders.peak_bytes(), file=sys.stderr)
"""


def inspect(path: Path) -> dict[str, float]:
    """Seconds and peak memory of ``neurognode inspect``, imports and all."""
    begun = time.perf_counter()
    code = INSPECT.format(here=str(Path(__file__).resolve().parent), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    cpu, peak = map(float, done.stderr.split()[-2:])
    return {"seconds": seconds, "cpu_s": cpu, "peak_bytes": peak}


def table(found: dict[str, Any]) -> str:
    """The figures in Markdown."""
    lines = ["# Loading and aligning", "", f"{found['machine']}; {found['versions']}.", ""]
    n = found["data"]
    lines += [
        f"{n['units']} units, {n['spikes']:.3g} spikes, {n['trials']} trials of 1 s, bins of 20 ms.",
        "",
    ]
    lines += ["| | CPU s | wall s | CPU, ours = 1 |", "|---|---|---|---|"]
    own = found["align"]["neurognode"]["cpu_s"]
    for name, row in found["align"].items():
        lines.append(f"| {name} | {row['cpu_s']:.2f} | {row['wall_s']:.2f} | {row['cpu_s'] / own:.2f} |")
    memory = found["memory"]
    share = memory["added_bytes"] / memory["result_bytes"]
    size = memory["result_bytes"] / 1e6
    lines += [
        "",
        f"Peak memory of aligning, imports taken off: {share:.2f} times the counts ({size:.0f} MB).",
    ]
    if "window" in found:
        window, look = found["window"], found["inspect"]
        lines += [
            "", f"In a file of {found['gigabytes']:g} GB: one window of 2 s x 64 channels in {window['seconds']:.2f} s "
            f"and {window['added_bytes'] / 1e6:.0f} MB over the imports; `neurognode inspect` in "
            f"{look['seconds']:.2f} s ({look['cpu_s']:.2f} s CPU), imports included, "
            f"and {look['peak_bytes'] / 1e6:.0f} MB.",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the data, run everything, print the table, and store it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--spikes", type=float, default=1e8)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--gigabytes", type=float, default=10.0, help="size of the large file; 0 leaves it out"
    )
    parser.add_argument("--peers", nargs="*", default=list(CANDIDATES))
    parser.add_argument("--folder", type=Path, default=None, help="where the made files may lie (12 GB)")
    parser.add_argument("--out", type=Path, default=None, help="folder for loaders.md and loaders.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "spikes.nwb"
        make_spikes(path, arguments.units, int(arguments.spikes), arguments.trials)
        names = available(arguments.peers)
        found: dict[str, Any] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"NumPy {np.__version__}",
            "versions": versions(names),
            "data": {"units": arguments.units, "spikes": arguments.spikes, "trials": arguments.trials},
            "align": compare(path, names, arguments.repeats),
            "memory": in_child(path, "size = loaders.ours(path).nbytes"),
        }
        if arguments.gigabytes:
            large = Path(folder) / "large.nwb"
            make_large(large, arguments.gigabytes, path)
            found |= {
                "gigabytes": arguments.gigabytes,
                "window": in_child(large, WINDOW),
                "inspect": inspect(large),
            }
    print(table(found))
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "loaders.md").write_text(table(found), encoding="utf-8")
        (arguments.out / "loaders.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
