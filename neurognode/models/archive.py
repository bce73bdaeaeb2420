"""Saving fitted models as safetensors with their settings as JSON in the header, and loading them again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neurognode.errors import RunError
from neurognode.models.assemble import Shape, make_network, make_session
from neurognode.models.recorded import Recorded
from neurognode.training.checkpoint import read_tensors, write_tensors

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics

_FORMAT, _VERSION = "neurognode.model", 1
_FITTED = (
    "seed_", "input_names_", "bin_size_", "activity_kind_", "history_", "stopped_", "n_steps_", "bad_steps_",
    "best_step_", "fit_seconds_",
)  # fmt: skip
_NOT_KEPT = ("callbacks", "checkpoint", "resume")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted `LatentDynamics` or `Ensemble` to `path`; a folder gets ``model.safetensors``."""
    from neurognode.models.ensemble import Ensemble

    members = model.members_ if isinstance(model, Ensemble) else [model]
    tensors: dict[str, torch.Tensor] = {}
    for index, member in enumerate(members):
        tensors |= {f"{index}.{name}": value for name, value in member.network_.state_dict().items()}
    meta = {"format": _FORMAT, "version": _VERSION, "class": type(model).__name__}
    meta["members"] = [_describe(member) for member in members]
    if isinstance(model, Ensemble):
        meta["ensemble"] = model.describe()
        tensors |= {f"alignment.{i}": torch.from_numpy(a.matrix()) for i, a in enumerate(model.alignments_)}
    write_tensors(_file(path), tensors, meta)


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote.

    Raises
    ------
    RunError
        If the file is missing, damaged, not a model, or from a version that cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from neurognode.models import LatentDynamics, load
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(12, 20, 6))
    >>> model = LatentDynamics(2, max_steps=2, progress=False, random_state=0).fit(counts)
    >>> folder = tempfile.mkdtemp()
    >>> model.save(folder)
    >>> bool((load(folder).predict(counts) == model.predict(counts)).all())
    True
    """
    from neurognode.models import estimator
    from neurognode.models.ensemble import Ensemble

    tensors, meta = read_tensors(_file(path))
    if meta.get("format") != _FORMAT:
        raise RunError(f"{os.fspath(path)!r} is not a fitted model (format {meta.get('format')!r}).")
    if meta.get("version") != _VERSION:
        raise RunError(
            f"{os.fspath(path)!r} has version {meta.get('version')!r}; this neurognode reads "
            f"version {_VERSION}."
        )
    classes = {c.__name__: c for c in (estimator.LatentDynamics, estimator.LatentGNODE)}
    members = []
    for index, described in enumerate(meta["members"]):
        prefix = f"{index}."
        weights = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
        members.append(
            _restore(classes.get(described["class"], estimator.LatentDynamics), described, weights, path)
        )
    if "ensemble" not in meta:
        return members[0]
    matrices = [tensors[f"alignment.{i}"].numpy() for i in range(len(members))]
    return Ensemble.restore(members, meta["ensemble"], matrices)


def _file(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    return target if target.suffix else target / "model.safetensors"


def plain(value: Any) -> Any:
    """A JSON-able copy of a setting; what has none (a random generator) becomes None."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool) else None


def _describe(model: LatentDynamics) -> dict[str, Any]:
    settings = {k: plain(v) for k, v in model.get_params(deep=False).items() if k not in _NOT_KEPT}
    fitted = {name: getattr(model, name) for name in _FITTED}
    fitted["validation_score_"] = None if np.isnan(model.validation_score_) else model.validation_score_
    return {
        "class": type(model).__name__,
        "settings": settings,
        "fitted": fitted,
        "sessions": [recorded.describe() for recorded in model.sessions_],
        "noise_factor": model.network_.noise_factor,
        "added_sessions": model.n_added_sessions_,
    }


def _restore(
    kind: type, described: dict[str, Any], weights: dict[str, torch.Tensor], path: Any
) -> LatentDynamics:
    try:
        model = kind(**described["settings"])
        for name, value in described["fitted"].items():
            setattr(model, name, value)
        if model.validation_score_ is None:
            model.validation_score_ = float("nan")
        model.sessions_ = [Recorded.restore(one) for one in described["sessions"]]
        model.n_features_in_ = len(model.sessions_[0].units)
        shapes = [
            Shape(
                int(own.active.sum()),
                len(model.input_names_),
                own.seen[own.active],
                model.bin_size_,
                model.activity_kind_,
            )
            for own in model.sessions_
        ]
        n_first = len(shapes) - described.get("added_sessions", 0)
        network = make_network(model, shapes[:n_first], model.seed_)
        for shape in shapes[n_first:]:
            added = make_session(model, shape, network.path.field.latent_dim, network.shown_width)
            network.sessions.append(added)
        network.load_state_dict(weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise RunError(f"{os.fspath(path)!r} does not fit this version of neurognode: {error}") from error
    network.noise_factor = described["noise_factor"]
    model.n_added_sessions_ = described.get("added_sessions", 0)
    model.network_ = network.eval()
    return model
