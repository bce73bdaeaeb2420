"""HDF5 as nlb_tools makes it for the Neural Latents Benchmark: ``{split}_spikes_heldin`` and ``_heldout``."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.errors import RecordingError
from neurognode.loaders.base import Aligned, Contents, Loader
from neurognode.loaders.guard import check_bytes
from neurognode.loaders.nodes import Node
from neurognode.loaders.probe import Probe

_SPLITS = ("train", "val", "eval", "test")
_BIN = 0.005


class NLB(Loader):
    """Trials of counts with held-in and held-out units, which become one unit axis with the coordinate ``held_out``.

    A split without ``_heldout`` or ``_forward`` counts there as not observed. Bins are 5 ms unless `bin_size` says
    otherwise, as the files do not.
    """

    name = "nlb"
    options = ("bin_size",)

    def recognises(self, probe: Probe) -> bool:
        return probe.is_hdf5 and bool(_held_in(probe.root))

    def read(self, probe: Probe, *, bin_size: float = _BIN, **options: Any) -> Contents:
        root, splits = probe.root, _held_in(probe.root)
        first = next(iter(splits.values()))
        known = [_part(root, s, "spikes_heldout") for s in splits]
        ahead = [_part(root, s, "spikes_heldin_forward") for s in splits]
        hidden = max((n.shape[2] for n in known if n is not None), default=0)
        further = max((n.shape[1] for n in ahead if n is not None), default=0)
        if any(len(n.shape) != 3 or n.shape[1:] != first.shape[1:] for n in splits.values()):
            raise RecordingError("The splits do not fit together", where=probe.name)
        n_bins, seen = first.shape[1:]
        shape = (sum(n.shape[0] for n in splits.values()), n_bins + further, seen + hidden)
        check_bytes(int(np.prod(shape, dtype=object)) * 5, probe.name, what=f"trials of shape {shape}")
        file = _File(root, splits, shape, seen, n_bins)
        aligned = Aligned(
            load=lambda: file.filled()[0], shape=shape, kind="counts", bin_size=bin_size, extras=file.extras,
            columns=("split",),
        )  # fmt: skip
        notes = [*root.notes, f"the file does not say how wide its bins are: {bin_size:g} s is taken"]
        return Contents("nlb", aligned=aligned, notes=notes, close=probe.close)


def _part(root: Node, split: str, name: str) -> Node | None:
    node = root.child(f"{split}_{name}")
    fits = node is not None and not node.is_group and len(node.shape) == 3 and node.dtype.kind in "fiu"
    return node if fits else None


def _held_in(root: Node) -> dict[str, Node]:
    found = {s: _part(root, s, "spikes_heldin") for s in _SPLITS}
    return {s: n for s, n in found.items() if n is not None}


class _File:
    """Puts the parts of every split in their place."""

    def __init__(
        self, root: Node, splits: dict[str, Node], shape: tuple[int, int, int], seen: int, n_bins: int
    ) -> None:
        self.root, self.splits, self.shape, self.seen, self.n_bins = root, splits, shape, seen, n_bins

    def filled(self) -> tuple[np.ndarray, np.ndarray]:
        """Counts and mask, both (trial, time, unit)."""
        counts, mask = np.zeros(self.shape, np.int32), np.zeros(self.shape, bool)
        at, n, u = 0, self.n_bins, self.seen
        for split, node in self.splits.items():
            rows = slice(at, at + node.shape[0])
            for name, bins, units in (
                ("spikes_heldin", slice(0, n), slice(0, u)),
                ("spikes_heldout", slice(0, n), slice(u, None)),
                ("spikes_heldin_forward", slice(n, None), slice(0, u)),
                ("spikes_heldout_forward", slice(n, None), slice(u, None)),
            ):
                part = _part(self.root, split, name)
                if part is None:
                    continue
                place = (rows, bins, units)
                if part.shape != counts[place].shape:
                    raise RecordingError(
                        f"{name} has shape {part.shape}, where {counts[place].shape} is due", where=part.where
                    )
                values = part.read()
                mask[place] = np.isfinite(values)
                counts[place] = np.nan_to_num(values).astype(np.int32)
            at += node.shape[0]
        return counts, mask

    def extras(self) -> dict[str, Any]:
        """Mask, columns of trials and units, and behaviour where every split has it."""
        split = np.concatenate([[s] * n.shape[0] for s, n in self.splits.items()])
        out: dict[str, Any] = {
            "observed": self.filled()[1],
            "columns": {"split": split},
            "units": {"held_out": np.arange(self.shape[2]) >= self.seen},
        }
        behavior = [_part(self.root, s, "behavior") for s in self.splits]
        if all(b is not None and b.shape[1] == self.n_bins for b in behavior):
            parts = [b.read() for b in behavior if b is not None]
            rest = self.shape[1] - self.n_bins
            joined = np.concatenate(parts).astype(float)
            out["behavior"] = np.pad(joined, ((0, 0), (0, rest), (0, 0)), constant_values=np.nan)
        return out
