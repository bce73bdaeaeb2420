"""Everything a training run needs to go on exactly where it stood, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from neurognode.errors import RunError
from neurognode.files import atomic_path

_FORMAT = "neurognode.training"
_VERSION = 2


def write_tensors(
    path: str | os.PathLike[str], tensors: dict[str, torch.Tensor], meta: dict[str, Any]
) -> None:
    """Write named tensors and JSON-able `meta` into one safetensors file, whole or not at all.

    Examples
    --------
    >>> import tempfile, pathlib, torch
    >>> from neurognode.training.checkpoint import read_tensors, write_tensors
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> write_tensors(path, {"weight": torch.ones(2)}, {"step": 3})
    >>> tensors, meta = read_tensors(path)
    >>> tensors["weight"].tolist(), meta["step"]
    ([1.0, 1.0], 3)
    """
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    meta = {**meta, "digest": _digest(plain)}
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata={"neurognode": json.dumps(meta)})


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises
    ------
    RunError
        If the file is missing, damaged (a digest is kept in it) or not ours.
    """
    if not Path(path).is_file():
        raise RunError(f"There is no file {os.fspath(path)!r} to load.")
    try:
        with safe_open(os.fspath(path), framework="pt") as stream:
            text = (stream.metadata() or {}).get("neurognode")
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a dict)
        if text is None:
            raise RunError(f"{os.fspath(path)!r} holds tensors, but was not written by neurognode.")
        meta = json.loads(text)
        digest = meta.pop("digest", None)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{os.fspath(path)!r} is damaged or not a safetensors file ({error}).") from error
    if digest is not None and digest != _digest(tensors):
        raise RunError(f"{os.fspath(path)!r} is damaged: its numbers are not those that were written.")
    return tensors, meta


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """A checksum of names and numbers."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def save_training(
    path: str | os.PathLike[str],
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    best: dict[str, torch.Tensor] | None,
    meta: dict[str, Any],
) -> None:
    """Save weights, the best weights so far, the optimiser's moments and `meta` (step, history ...)."""
    tensors = {f"module.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in (best or {}).items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": value for key, value in state.items()}
    write_tensors(path, tensors, {"format": _FORMAT, "version": _VERSION, **meta})


def load_training(
    path: str | os.PathLike[str], module: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, torch.Tensor] | None, dict[str, Any]]:
    """Put a saved run back into `module` and `optimiser`; return the best weights and `meta`.

    Raises
    ------
    RunError
        If the file is of another kind or version, or belongs to another model.
    """
    tensors, meta = read_tensors(path)
    if meta.get("format") != _FORMAT or meta.get("version") != _VERSION:
        raise RunError(
            f"{os.fspath(path)!r} is not a training checkpoint of this version "
            f"({meta.get('format')!r}, version {meta.get('version')!r}; wanted {_FORMAT!r}, {_VERSION})."
        )
    parts: dict[str, dict[str, torch.Tensor]] = {"module": {}, "best": {}, "optimiser": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    try:
        module.load_state_dict(parts["module"])
    except RuntimeError as error:
        raise RunError(
            f"{os.fspath(path)!r} was written by a model of another shape: {_first(error)}"
        ) from error
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in parts["optimiser"].items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return parts["best"] or None, meta


def _first(error: RuntimeError) -> str:
    """The first mismatch that torch lists."""
    lines = [line.strip() for line in str(error).splitlines()]
    return lines[1] if len(lines) > 1 else lines[0]
