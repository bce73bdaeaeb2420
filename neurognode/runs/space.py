"""What a sweep varies: names of the model's arguments, each with choices or a range."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from neurognode.errors import RecordingError, listing

KEYS = ("low", "high", "log", "integer", "values")


@dataclass(frozen=True)
class Range:
    """Numbers between `low` and `high`, evenly on a linear or logarithmic scale."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def draw(self, rng: np.random.Generator) -> float | int:
        """One value."""
        if self.log:
            value = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        else:
            value = float(rng.uniform(self.low, self.high))
        return round(value) if self.integer else value

    def near(self, value: float, rng: np.random.Generator) -> float | int:
        """A value a fifth above or below, kept inside the range: the step of population-based training."""
        moved = float(np.clip(value * rng.choice([0.8, 1.25]), self.low, self.high))
        return round(moved) if self.integer else moved


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        return self.values[int(rng.integers(len(self.values)))]


@dataclass(frozen=True)
class Space:
    """Arguments of the model and what each may be.

    Attributes
    ----------
    parts : mapping of str to Range or Choice
        Names as in ``--set``: ``latent_dim``, ``learning_rate``, ``encoder_options.hidden`` ...

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.runs.space import Space
    >>> space = Space.read({"latent_dim": [2, 3], "learning_rate": {"low": 0.001, "high": 0.01, "log": True}})
    >>> drawn = space.draw(np.random.default_rng(0))
    >>> drawn["latent_dim"] in (2, 3), 0.001 <= drawn["learning_rate"] <= 0.01
    (True, True)
    """

    parts: Mapping[str, Range | Choice]

    @classmethod
    def read(cls, described: Any) -> Space:
        """A space from a mapping: a list gives choices, ``{low, high, log, integer}`` a range.

        Raises
        ------
        ValueError
            Names the part that is wrong.
        """
        if not isinstance(described, Mapping) or not described:
            raise ValueError("A space is a mapping from names of model arguments to lists or {low, high}.")
        return cls({str(name): _part(str(name), value) for name, value in described.items()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Space:
        """A space from a YAML file."""
        if not Path(path).is_file():
            raise RecordingError("There is no such file", where=os.fspath(path), hint="Give --space FILE.")
        try:
            return cls.read(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            raise ValueError(
                f"{os.fspath(path)!r} is not valid YAML: {str(error).splitlines()[0]}."
            ) from error

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """One setting of everything."""
        return {name: part.draw(rng) for name, part in self.parts.items()}


def _part(name: str, value: Any) -> Range | Choice:
    if isinstance(value, list):
        if not value:
            raise ValueError(f"{name}: the list of choices is empty.")
        return Choice(tuple(value))
    if not isinstance(value, Mapping):
        return Choice((value,))
    for key in value:
        if key not in KEYS:
            raise ValueError(f"{name}: {key!r} is not known. {listing(key, KEYS)}")
    if "values" in value:
        return Choice(tuple(value["values"]))
    try:
        low, high = float(value["low"]), float(value["high"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: a range needs numbers low and high, got {dict(value)}.") from error
    if not low < high or (value.get("log") and low <= 0):
        raise ValueError(f"{name}: low={low:g} must be below high={high:g}, and positive on a log scale.")
    return Range(low, high, bool(value.get("log", False)), bool(value.get("integer", False)))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``{"a.b": 1}`` into ``{"a": {"b": 1}}``.

    Examples
    --------
    >>> from neurognode.runs.space import nested
    >>> nested({"encoder_options.hidden": 32, "latent_dim": 3})
    {'encoder_options': {'hidden': 32}, 'latent_dim': 3}
    """
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *outer, last = name.split(".")
        place = found
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = value
    return found
