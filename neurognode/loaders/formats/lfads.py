"""HDF5 in the layout of LFADS: ``train_data``, ``valid_data``, and whatever stands beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Aligned, Contents, Loader
from neurognode.loaders.guard import check_bytes
from neurognode.loaders.nodes import Node
from neurognode.loaders.probe import Probe

_SPLITS = ("train", "valid", "test", "eval")
_DATA = ("data", "recon_data", "encod_data", "spikes")
_TRUTH = ("truth", "lowd", "latents", "rates")
_INPUTS = ("ext_input", "inputs", "external_inputs")
_BEHAVIOR = ("behavior", "behaviour")


class LFADS(Loader):
    """Trials of counts (trial, time, unit) in datasets named ``{split}_data``.

    ``*_truth`` and ``*_lowd`` are reached by `Recording.truth` only, so that nothing is fitted to them.
    The trial coordinate ``split`` says which dataset a trial came from.
    """

    name = "lfads"
    options = ("bin_size",)

    def recognises(self, probe: Probe) -> bool:
        return probe.is_hdf5 and bool(_data_sets(probe.root))

    def read(self, probe: Probe, *, bin_size: float | None = None, **options: Any) -> Contents:
        sets = _data_sets(probe.root)
        if not sets:
            raise RecordingError("There is no dataset named train_data or valid_data", where=probe.name)
        shapes = {k: n.shape for k, n in sets.items()}
        if any(len(s) != 3 for s in shapes.values()) or len({s[1:] for s in shapes.values()}) != 1:
            raise RecordingError(f"The splits do not fit together: shapes {shapes}", where=probe.name)
        if any(0 in s for s in shapes.values()) or any(n.dtype.kind not in "fiu" for n in sets.values()):
            raise RecordingError(f"The trials are empty or no numbers: shapes {shapes}", where=probe.name)
        _, n_bins, n_units = next(iter(shapes.values()))
        shape = (sum(s[0] for s in shapes.values()), n_bins, n_units)
        own = bin_size if bin_size is not None else _stated_bin(probe.root)
        file = _File(probe.root, sets, shape, own)
        first = next(iter(sets.values()))
        aligned = Aligned(
            load=file.values, shape=shape, kind=_kind(first), bin_size=own, extras=file.extras,
            truth=file.truth if file.truth_names() else None, columns=("split", *file.column_names()),
        )  # fmt: skip
        contents = Contents("lfads", aligned=aligned, notes=probe.root.notes, close=probe.close)
        contents.session = {"splits": ", ".join(f"{k}: {s[0]} trials" for k, s in shapes.items())}
        if own is None:
            contents.notes.append("the file does not say how wide its bins are: give bin_size in seconds")
        if file.truth_names():
            contents.notes.append(
                "the file carries the simulated truth: recording.truth() gives it, fits never see it"
            )
        return contents


def _data_sets(root: Node) -> dict[str, Node]:
    names = set(root.keys())
    for kind in _DATA:
        found = {s: root.child(f"{s}_{kind}") for s in _SPLITS if f"{s}_{kind}" in names}
        good = {s: n for s, n in found.items() if n is not None and not n.is_group}
        if good:
            return good
    return {}


def _stated_bin(root: Node) -> float | None:
    for key in ("bin_size", "bin_width", "dt"):
        value = root.attr(key)
        node = root.child(key)
        if value is None and node is not None and not node.is_group and int(np.prod(node.shape)) == 1:
            value = node.read().reshape(-1)[0]
        if isinstance(value, (int, float, np.number)) and 0 < value < 10:
            return float(value)
    return None


def _kind(node: Node) -> str:
    if node.dtype.kind in "iu":
        return "counts"
    sample = node.read((slice(0, 1),))
    whole = bool(np.all(sample == np.round(sample)) and np.all(sample >= 0))
    return "counts" if whole else "continuous"


class _File:
    """Reads the splits of one file one after the other."""

    def __init__(
        self, root: Node, sets: dict[str, Node], shape: tuple[int, int, int], own: float | None
    ) -> None:
        self.root, self.sets, self.shape, self.own = root, sets, shape, own

    def _joined(self, name: str) -> np.ndarray | None:
        parts = []
        for split, data in self.sets.items():
            node = self.root.child(f"{split}_{name}")
            if node is None or node.is_group or node.shape[:1] != data.shape[:1]:
                return None
            parts.append(node.read())
        if len({p.shape[1:] for p in parts}) != 1:
            return None
        return np.concatenate(parts)

    def values(self) -> np.ndarray:
        dtype = next(iter(self.sets.values())).dtype
        check_bytes(
            int(np.prod(self.shape, dtype=object)) * dtype.itemsize * 2, self.root.where, what="trials"
        )
        joined = np.concatenate([n.read() for n in self.sets.values()])
        if joined.dtype.kind != "f":
            return joined
        finite = joined[np.isfinite(joined)]
        return (
            joined.astype(np.int32)
            if finite.size == joined.size and np.all(finite == np.round(finite))
            else joined
        )

    def column_names(self) -> list[str]:
        """Datasets with one value per trial in every split."""
        first = f"{next(iter(self.sets))}_"
        names: list[str] = self.root.keys()
        suffixes = [name.removeprefix(first) for name in names if name.startswith(first)]
        found = []
        for name in suffixes:
            nodes = [self.root.child(f"{s}_{name}") for s in self.sets]
            if all(
                n is not None and not n.is_group and n.shape == d.shape[:1]
                for n, d in zip(nodes, self.sets.values())
            ):
                found.append(name)
        return found

    def extras(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"split": np.concatenate([[s] * n.shape[0] for s, n in self.sets.items()])}
        for name in self.column_names():
            columns["index" if name == "inds" else name] = self._joined(name)
        per = self.root.child("n_trials_per_init_cond")
        whole = per is not None and per.dtype.kind in "iu" and int(np.prod(per.shape)) == 1
        if per is not None and whole and "index" in columns and columns["index"].dtype.kind in "iu":
            count = int(per.read().reshape(-1)[0])
            if count > 0:
                columns["condition"] = columns["index"] // count
        out: dict[str, Any] = {"columns": columns}
        for key, names, label in (
            ("inputs", _INPUTS, "input_names"),
            ("behavior", _BEHAVIOR, "covariate_names"),
        ):
            array = next((a for n in names if (a := self._joined(n)) is not None and a.ndim == 3), None)
            if array is not None and array.shape[1] == self.shape[1]:
                out[key] = array
                out[label] = [f"{key}_{i}" for i in range(array.shape[2])]
        return out

    def truth_names(self) -> list[str]:
        keys = set(self.root.keys())
        return [n for n in _TRUTH if all(f"{s}_{n}" in keys for s in self.sets)]

    def truth(self) -> dict[str, np.ndarray]:
        """Rates in spikes/s and latents."""
        found: dict[str, np.ndarray] = {}
        rates = next((a for n in ("truth", "rates") if (a := self._joined(n)) is not None), None)
        if rates is not None and rates.shape == self.shape:
            found["rates"] = rates / self._per_second(rates)
        latents = next((a for n in ("lowd", "latents") if (a := self._joined(n)) is not None), None)
        if latents is not None and latents.ndim == 3:
            found["latents"] = latents
        return found

    def _per_second(self, rates: np.ndarray) -> float:
        """Some files hold rates per bin: then the mean rate equals the mean count."""
        if self.own is None:
            return 1.0
        ratio = float(self.values().mean() / max(rates.mean(), 1e-12))
        return self.own if abs(np.log(ratio)) < abs(np.log(ratio / self.own)) else 1.0
