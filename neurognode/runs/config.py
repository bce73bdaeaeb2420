"""The configuration of a run: what was asked for and what is needed to repeat it, as YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
import yaml

from neurognode.errors import RunError
from neurognode.files import atomic_path

SCHEMA_VERSION = 1
"""Version of the run folder's layout; a newer major layout is refused, older ones load."""


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", protected_namespaces=())


class Source(_Part):
    """The recording: where it was, what it was, how it was opened."""

    path: str
    source_hash: str = ""
    format: str | None = None
    options: dict[str, Any] = {}


class Alignment(_Part):
    """How trials were cut: ``align`` to an event, ``chop`` a continuous recording, or ``ready`` as stored."""

    how: Literal["align", "chop", "ready"] = "align"
    arguments: dict[str, Any] = {}


class Split(_Part):
    """Which trials and units were kept from the fit. `test` and `held_out` are shares between 0 and 1."""

    test: Annotated[float, pydantic.Field(ge=0, lt=1)] = 0.2
    held_out: Annotated[float, pydantic.Field(ge=0, lt=1)] = 0.25
    by: str | None = None
    seed: int = 0


class Model(_Part):
    """The estimator: its name, every argument, how many members, and how many are fitted at the same time."""

    kind: str = "LatentDynamics"
    arguments: dict[str, Any] = {}
    members: Annotated[int, pydantic.Field(ge=1)] = 1
    jobs: int | None = None


class RunConfig(_Part):
    """Everything that is needed to repeat a run.

    Examples
    --------
    >>> from neurognode.runs.config import RunConfig
    >>> config = RunConfig(recording={"path": "a.nwb"}, model={"arguments": {"latent_dim": 3}})
    >>> RunConfig.from_yaml(config.to_yaml()) == config
    True
    """

    schema_name: Literal["neurognode.run"] = "neurognode.run"
    schema_version: int = SCHEMA_VERSION
    recording: Source
    alignment: Alignment = Alignment()
    split: Split = Split()
    model: Model = Model()
    control: str | None = None
    condition: str | None = None
    seed: int = 0
    command: str = ""
    provenance: dict[str, Any] = {}

    def to_yaml(self) -> str:
        """The configuration as YAML text; arrays and tuples become lists."""
        return yaml.safe_dump(plain(self.model_dump()), sort_keys=False, allow_unicode=True, width=100)

    @classmethod
    def from_yaml(cls, text: str, where: str = "config.yaml") -> RunConfig:
        """Read a configuration.

        Raises
        ------
        RunError
            If the text is not YAML, not ours, or from a newer layout than this version knows.
        """
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RunError(f"{where} is not valid YAML: {_first_line(error)}.") from error
        if not isinstance(values, dict) or values.get("schema_name") != "neurognode.run":
            raise RunError(f"{where} is not the configuration of a neurognode run.")
        if int(values.get("schema_version", 0)) > SCHEMA_VERSION:
            made = values.get("provenance", {}).get("versions", {}).get("neurognode", "a newer version")
            raise RunError(f"{where} was written by neurognode {made}; please update neurognode to read it.")
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise RunError(f"{where} is damaged: {place}: {first['msg'].lower()}.") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the YAML, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.to_yaml(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunConfig:
        """Read a configuration file; RunError as in `from_yaml`, and if there is no such file."""
        if not Path(path).is_file():
            raise RunError(f"There is no configuration {os.fspath(path)!r}.")
        return cls.from_yaml(Path(path).read_text(encoding="utf-8"), os.fspath(path))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def plain(value: Any) -> Any:
    """Turn numpy values, tuples, sets and paths into what JSON and YAML know; NaN stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.runs.config import plain
    >>> plain({"a": np.float32(0.5), "b": (1, np.arange(2))})
    {'a': 0.5, 'b': [1, [0, 1]]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, complex):
        return [value.real, value.imag]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
