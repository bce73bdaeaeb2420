"""A run folder: where everything about one fit lies, written whole or not at all.

Layout, version 1::

    config.yaml           what was asked for, with versions, seed, git commit and the recording's hash
    split.json            which trials tested the fit, which units were held out
    status.json           whether the fit was finished, and how long it took
    weights.safetensors   the fitted model or ensemble, its settings as JSON in the header
    checkpoints/          training states, there until the fit is finished
    history.csv           training, a row a step and member
    metrics.json          scores of the model and of the baselines, on test trials
    latents.nc            latents of all trials (trial, time, latent), with spread over members
    latents.nwb           the same for other tools, as NWB
    portrait.nc           fixed points, manifolds, cycles of the reference member's flow
    portraits/            the same of every member
    agreement.json        how far the members' portraits agree
    verdicts.nc         the hypotheses and what was found about them
    report.html           all of it to read
    log.txt               what happened when
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurognode.errors import RunError
from neurognode.files import atomic_path
from neurognode.runs.config import RunConfig, plain

WEIGHTS = "weights.safetensors"


class Run:
    """A run folder. Parts are read when they are asked for.

    Parameters
    ----------
    path : path
        The folder.
    config : RunConfig
        Its configuration.

    See Also
    --------
    load_run : open a folder made earlier.
    """

    def __init__(self, path: str | os.PathLike[str], config: RunConfig) -> None:
        self.path = Path(path)
        self.config = config

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: RunConfig) -> Run:
        """Make a new folder with its configuration.

        Raises
        ------
        RunError
            If something is there already: nothing is overwritten.
        """
        folder = Path(path)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            hint = "give --resume to go on with it, or" if (folder / "config.yaml").is_file() else "please"
            raise RunError(f"{os.fspath(folder)!r} exists and is not empty: {hint} name another --out.")
        folder.mkdir(parents=True, exist_ok=True)
        config.save(folder / "config.yaml")
        return cls(folder, config)

    # ---------------------------------------------------------------- reading

    def __repr__(self) -> str:
        parts = (WEIGHTS, "metrics.json", "latents.nc", "portrait.nc", "verdicts.nc", "report.html")
        there = [name for name in parts if (self.path / name).exists()]
        model = self.config.model
        size = f"{model.members} x " if model.members > 1 else ""
        state = "" if not there or self.is_finished else "\n  state      the fit was interrupted"
        return (
            f"Run {str(self.path)!r}\n  recording  {self.config.recording.path}\n"
            f"  model      {size}{model.kind}(latent_dim={model.arguments.get('latent_dim', 'default')})\n"
            f"  holds      {', '.join(there) or 'its configuration only; the fit was not finished'}{state}"
        )

    @property
    def is_fitted(self) -> bool:
        """Whether there are weights, of a finished fit or an interrupted one."""
        return (self.path / WEIGHTS).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the fit was finished."""
        return bool(self.status.get("finished"))

    @property
    def status(self) -> dict[str, Any]:
        """How the fit ended: ``finished``, ``stopped`` and ``seconds`` of each member; empty before."""
        return self.read_json("status.json") or {}

    @property
    def fits(self) -> Any:
        """The fitted estimator or ensemble.

        Raises
        ------
        RunError
            If the fit was not finished, with what to do.
        """
        if not self.is_fitted:
            raise RunError(
                f"The fit in {str(self.path)!r} was not finished: go on with "
                f"`neurognode fit --resume --out {self.path}`."
            )
        from neurognode import models

        return models.load(self.path / WEIGHTS)

    def recording(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Open the run's recording, here or where it was moved to.

        Raises
        ------
        RunError
            If it is not where it was, or is another file than the one that was fitted.
        """
        from neurognode.loaders import open_recording

        source = self.config.recording
        where = Path(path) if path is not None else self._find_recording()
        opened = open_recording(where, format=source.format, **source.options)
        if source.source_hash and opened.source_hash and opened.source_hash != source.source_hash:
            raise RunError(
                f"{os.fspath(where)!r} is not the recording this run was fitted on (its content differs): "
                f"name "
                "the right one with --recording PATH."
            )
        return opened

    def _find_recording(self) -> Path:
        stored = Path(self.config.recording.path)
        places = [stored, self.path / stored.name, self.path.parent / stored.name]
        for place in places:
            if place.exists():
                return place
        raise RunError(
            f"The recording {str(stored)!r} of this run is not there any more: name where it is now with "
            "--recording PATH."
        )

    @property
    def metrics(self) -> dict[str, Any]:
        """Scores, or an empty dict before `evaluate`."""
        return self.read_json("metrics.json") or {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """Training records, one a row; empty before the fit."""
        path = self.path / "history.csv"
        if not path.is_file():
            return []
        with open(path, newline="", encoding="utf-8") as stream:
            return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(stream)]

    @property
    def latents(self) -> Any:
        """Latents of all trials as an xarray.Dataset, or None before the fit is finished."""
        path = self.path / "latents.nc"
        if not path.is_file():
            return None
        import xarray as xr

        with xr.open_dataset(path, engine="h5netcdf") as stored:
            return stored.load()

    @property
    def portrait(self) -> Any:
        """The portrait, or None before `interpret`."""
        path = self.path / "portrait.nc"
        if not path.is_file():
            return None
        from neurognode.interpret import Portrait

        return Portrait.load(path)

    @property
    def verdicts(self) -> Any:
        """The verdicts, or None before `compare`."""
        path = self.path / "verdicts.nc"
        if not path.is_file():
            return None
        from neurognode.hypotheses import Verdicts

        return Verdicts.load(path)

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of the folder, None if it is not there.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{str(path)!r} is damaged: {error}.") from error

    # ---------------------------------------------------------------- writing

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file; what is not finite becomes null."""
        text = json.dumps(_finite(plain(value)), indent=1, ensure_ascii=False)
        with atomic_path(self.path / name) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def write_history(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write training records; columns are the union of all keys, in order of appearance."""
        names = list(dict.fromkeys(key for row in rows for key in row))
        with (
            atomic_path(self.path / "history.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as out,
        ):
            writer = csv.DictWriter(out, names, restval="")
            writer.writeheader()
            writer.writerows({key: plain(value) for key, value in row.items()} for row in rows)


def load_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder made earlier, perhaps on another machine or by an older version.

    Parameters
    ----------
    path : path
        The folder.

    Raises
    ------
    RunError
        If there is no run there, or it is damaged or too new.

    Examples
    --------
    >>> import neurognode as ng
    >>> ng.load_run("nowhere")
    Traceback (most recent call last):
    ...
    neurognode.errors.RunError: There is no run folder 'nowhere'.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise RunError(f"There is no run folder {os.fspath(path)!r}.")
    return Run(folder, RunConfig.load(folder / "config.yaml"))


def _number(text: str | None) -> Any:
    if text in (None, ""):
        return None
    try:
        return int(text)  # type: ignore[arg-type]
    except ValueError:
        pass
    try:
        return float(text)  # type: ignore[arg-type]
    except ValueError:
        return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def clean_dataset(dataset: Any) -> Any:
    """Make a dataset that netCDF can hold: no None, no dict, no object column of mixed types.

    Examples
    --------
    >>> import xarray as xr
    >>> from neurognode.runs.folder import clean_dataset
    >>> clean_dataset(xr.Dataset(attrs={"event": None, "window": (0, 1)})).attrs
    {'event': '', 'window': '[0, 1]'}
    """
    attrs = {
        k: v if isinstance(v, (str, int, float, np.generic)) else _text(v) for k, v in dataset.attrs.items()
    }
    clean = dataset.assign_attrs(attrs)
    for name, variable in dataset.variables.items():
        clean[name].attrs = {
            k: v if isinstance(v, (str, int, float)) else _text(v) for k, v in variable.attrs.items()
        }
        if variable.dtype.kind == "O":
            clean[name] = (
                variable.dims,
                np.array([_text(v) for v in variable.values.ravel()]).reshape(variable.shape),
            )
        elif variable.dtype.kind == "b":
            clean[name] = (variable.dims, variable.values.astype(np.int8))
    return clean


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(plain(value))
