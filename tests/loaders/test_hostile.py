"""Damaged and malicious files: each ends in a result or an error in a sentence, never in a crash.

Files are mutated from sound ones and read in a child process under 1 GB and 10 s each.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurognode as ng
from neurognode.errors import RecordingError

SECONDS = 10.0
CHILD = """
import json, resource, sys, traceback, warnings
warnings.simplefilter("ignore")
import h5py, numpy, xarray
import neurognode as ng
from neurognode.errors import NeurognodeError
import neurognode.loaders.alignment.align, neurognode.loaders.alignment.chop, neurognode.loaders.describe
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30),) * 2)

def look(path):
    with ng.open_recording(path) as recording:
        found = recording.describe()
        json.dumps(found)
        str(recording)
        size = 0.05 if recording.units is not None else "native"
        if recording.contents.aligned is not None:
            recording.align(bin_size=0.01)
        elif found["events"]:
            recording.align(found["events"][0], window=(0.0, 0.5), bin_size=size)
        else:
            recording.chop(1.0, bin_size=size)

for line in sys.stdin:
    try:
        look(line.strip())
        answer = ["result", ""]
    except NeurognodeError as error:
        answer = ["refused", str(error)]
    except ValueError as error:
        own = "neurognode" in traceback.extract_tb(error.__traceback__)[-1].filename
        answer = ["refused" if own else "leaked", repr(error) + traceback.format_exc()[-600:]]
    except BaseException as error:
        answer = ["leaked", repr(error) + traceback.format_exc()[-900:]]
    print(json.dumps(answer), flush=True)
"""


class Child:
    """A process that reads one file after another; replaced when it dies or takes too long."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        where = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=where,
        )  # fmt: skip

    def ask(self, path: Path) -> tuple[str, str]:
        """What became of a file: result, refused, leaked, crashed or slow; and the words."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        starting = 20.0 if self.process.poll() is None else 0.0
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS + starting)
        line = self.process.stdout.readline() if ready else None
        if not line:
            self.close()
            self.process = self._start()
            return ("slow", "") if line is None else ("crashed", "")
        kind, words = json.loads(line)
        return kind, words

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _bytes(path: Path, rng: np.random.Generator) -> str:
    """Cut short, flip bytes, or blank a block."""
    data = bytearray(path.read_bytes())
    kind = rng.choice(["cut", "flip", "blank", "flip head"])
    if kind == "cut":
        data = data[: int(rng.integers(1, len(data)))]
    elif kind == "blank":
        at = int(rng.integers(0, len(data)))
        data[at : at + int(rng.integers(16, 4096))] = bytes(16)
    else:
        limit = len(data) if kind == "flip" else min(len(data), 8192)
        for at in rng.integers(0, limit, int(rng.integers(1, 64))):
            data[at] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(bytes(data))
    return str(kind)


def _objects(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(lambda n: names.append(n) if not n.startswith("specifications") else None)
    return [n for n in names if n in file]


def _structure(path: Path, rng: np.random.Generator) -> str:
    """Change what the file says without breaking HDF5."""
    with h5py.File(path, "r+") as file:
        kind = str(rng.choice(list(CHANGES)))
        need_data = kind in ("odd type", "odd shape", "absurd shape", "elsewhere")
        names = [n for n in _objects(file) if not need_data or file.get(n, getclass=True) is h5py.Dataset]
        name = str(rng.choice(names))
        with contextlib.suppress(
            KeyError, ValueError, TypeError, OSError, RuntimeError, OverflowError, AttributeError
        ):
            CHANGES[kind](file, name, rng)
    return kind


def _drop_attribute(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    item = file[name] if len(file[name].attrs) else file
    del item.attrs[str(rng.choice(list(item.attrs)))]


def _odd_attribute(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    item = file[name] if len(file[name].attrs) else file
    odd = [np.nan, -1, 0, "", b"\xff\xfe", np.zeros((3, 3)), np.array([b"Units"]), 1e308]
    item.attrs[str(rng.choice(list(item.attrs)))] = odd[int(rng.integers(len(odd)))]


def _replace(file: h5py.File, name: str, data: object, **how: object) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=data, **how)
    for key, value in attributes.items():
        file[name].attrs[key] = value


def _odd_type(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    shape = file[name].shape or (1,)
    if not 0 < file[name].size < 10_000_000:
        return
    options = [
        np.full(shape, b"text"), np.full(shape, 1j), np.zeros(shape, "i1,f8"), np.full(shape, True),
        np.full(shape, np.nan), np.full(shape, -5), np.full(shape, 2**62), np.full(shape, -np.inf),
    ]  # fmt: skip
    _replace(file, name, options[int(rng.integers(len(options)))])


def _odd_shape(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    if not 0 < file[name].size < 10_000_000:
        return
    data = np.atleast_1d(file[name][()])
    options = [
        data.reshape(-1)[0],
        data[..., None],
        data[:0],
    ]
    _replace(file, name, options[int(rng.integers(3))])


def _absurd_shape(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    old = file[name]
    attributes, rank = dict(old.attrs), max(len(old.shape), 1)
    shape = (int(10 ** rng.integers(10, 13)), *(3,) * (rank - 1))
    kind = old.dtype if old.dtype.kind in "fiu" else np.dtype(float)
    del file[name]
    compression = "gzip" if rng.random() < 0.5 else None
    new = file.create_dataset(name, shape, kind, chunks=(1024, *(1,) * (rank - 1)), compression=compression)
    for key, value in attributes.items():
        new.attrs[key] = value


def _ring_of_links(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    del file[name]
    file[name] = h5py.SoftLink(f"/{name}")
    parent = name.rsplit("/", 1)[0] if "/" in name else "/"
    file[f"{parent}/again"] = file[parent] if rng.random() < 0.5 else h5py.SoftLink(f"/{parent}")


def _link(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    del file[name]
    options = [
        h5py.SoftLink("/nowhere"), h5py.ExternalLink("/etc/passwd", "/x"), h5py.ExternalLink("../other.nwb", "/units"),
        h5py.SoftLink("/acquisition"), h5py.ExternalLink(file.filename, f"/{name}"),
    ]  # fmt: skip
    file[name] = options[int(rng.integers(len(options)))]


def _elsewhere(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    shape = file[name].shape
    attributes = dict(file[name].attrs)
    del file[name]
    if rng.random() < 0.5:
        file.create_dataset(name, shape, float, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    else:
        layout = h5py.VirtualLayout(shape, float)
        layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
        file.create_virtual_dataset(name, layout)
    for key, value in attributes.items():
        file[name].attrs[key] = value


def _remove(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    del file[name]


CHANGES: dict[str, Callable[[h5py.File, str, np.random.Generator], None]] = {
    "drop attribute": _drop_attribute, "odd attribute": _odd_attribute, "odd type": _odd_type,
    "odd shape": _odd_shape, "absurd shape": _absurd_shape, "ring of links": _ring_of_links, "link": _link,
    "elsewhere": _elsewhere, "remove": _remove,
}  # fmt: skip


def mutate(source: Path, target: Path, seed: int) -> str:
    """Write a mutated copy and say what was done."""
    rng = np.random.default_rng(seed)
    shutil.copyfile(source, target)
    target.chmod(0o644)
    if rng.random() < 0.4 or source.suffix == ".npz":
        return _bytes(target, rng)
    return "; ".join(_structure(target, rng) for _ in range(int(rng.integers(1, 4))))


def sources(data_file: Callable[[str], Path]) -> list[Path]:
    """Sound files to start from: small enough to copy often."""
    folder = data_file("nwb_zoo/MANIFEST.csv").parent
    held = ["alm_delay.nwb", "fly_ring_bar.nwb", "reach_delay.nwb", "visual_choice_1.nwb", "lfads_lorenz.h5"]
    small = sorted(p for p in folder.glob("*.nwb") if p.stat().st_size < 3_000_000)
    return [data_file(n) for n in held] * 12 + small


def run(files: list[Path], folder: Path, seeds: range) -> tuple[Counter[str], list[str]]:
    """Outcomes of many mutations, and what went wrong in words."""
    outcomes: Counter[str] = Counter()
    trouble: list[str] = []
    child = Child()
    try:
        for seed in seeds:
            source = files[seed % len(files)]
            target = folder / f"mutated{source.suffix}"
            what = mutate(source, target, seed)
            kind, words = child.ask(target)
            outcomes[kind] += 1
            if kind not in ("result", "refused"):
                trouble.append(f"seed {seed}, {source.name}, {what}: {kind} {words}")
    finally:
        child.close()
    return outcomes, trouble


@pytest.fixture
def child() -> Iterator[Child]:
    process = Child()
    yield process
    process.close()


def test_mutated_files_end_in_a_result_or_a_sentence(
    data_file: Callable[[str], Path], tmp_path: Path
) -> None:
    outcomes, trouble = run(sources(data_file), tmp_path, range(60))
    assert not trouble, "\n".join(trouble)
    assert outcomes["result"] > 5
    assert outcomes["refused"] > 5


@pytest.mark.slow
def test_two_thousand_mutated_files(data_file: Callable[[str], Path], tmp_path: Path) -> None:
    outcomes, trouble = run(sources(data_file), tmp_path, range(1000, 3000))
    print(dict(outcomes))
    assert not trouble, "\n".join(trouble)


def test_links_out_of_the_file_are_followed_only_on_request(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes"] = np.array([0.1, 0.2, 0.9])
        file["index"] = np.array([3])
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units["spike_times"] = h5py.ExternalLink("other.h5", "/spikes")
        units["spike_times_index"] = h5py.ExternalLink("other.h5", "/index")
        units["id"] = np.arange(1)
    closed = ng.open_recording(tmp_path / "a.nwb")
    assert closed.units is None
    assert any("was not followed" in note for note in closed.notes)
    with pytest.raises(RecordingError, match="units cannot be used"):
        closed.chop(0.4, bin_size=0.1)
    opened = ng.open_recording(tmp_path / "a.nwb", allow_external=True)
    assert opened.units is not None
    assert opened.units.spikes(0).tolist() == [0.1, 0.2, 0.9]


def test_a_shape_of_a_terabyte_takes_no_memory(tmp_path: Path, child: Child) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units.create_dataset("spike_times", (10**12,), float, chunks=(1000,))
        units["spike_times_index"], units["id"] = np.array([10**12]), np.arange(1)
    kind, words = child.ask(tmp_path / "a.nwb")
    assert kind == "refused"
    assert "claim 8,000 GB" in words


def test_a_heap_that_hangs_the_library_is_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurognode.loaders import heaps

    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        file.attrs["note"] = "text of variable length"
    assert not heaps.suspicious(path)
    data = bytearray(path.read_bytes())
    at = data.find(b"GCOL") + 16
    data[at : at + 16] = bytes(16)
    path.write_bytes(bytes(data))
    assert heaps.suspicious(path)
    monkeypatch.setattr(heaps, "_SECONDS", 2.0)
    with pytest.raises(RecordingError, match="its text cannot be read"):
        ng.open_recording(path)
