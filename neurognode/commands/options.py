"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

RunFolder = Annotated[Path, typer.Argument(help="A run folder made by `neurognode fit`.", metavar="RUN")]
Moved = Annotated[
    str | None,
    typer.Option("--recording", help="Where the recording is now, if it was moved.", metavar="PATH"),
]


def number_or_text(text: str) -> float | str:
    """A number if it is one, otherwise the text (the name of a column, ``native``).

    Examples
    --------
    >>> from neurognode.commands.options import number_or_text
    >>> number_or_text("-0.2"), number_or_text("stop_time")
    (-0.2, 'stop_time')
    """
    try:
        return float(text)
    except ValueError:
        return text


def several(texts: Sequence[str] | None) -> list[str] | None:
    """Names given one by one or with commas; None if none were.

    Examples
    --------
    >>> from neurognode.commands.options import several
    >>> several(["a,b", "c"])
    ['a', 'b', 'c']
    """
    names = [part.strip() for text in texts or [] for part in text.split(",") if part.strip()]
    return names or None


def settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Read ``name=value`` texts; values are YAML, and ``a.b=1`` goes into the mapping ``a``.

    Raises
    ------
    ValueError
        If a text has no ``=``, or its value is not YAML.

    Examples
    --------
    >>> from neurognode.commands.options import settings
    >>> settings(["max_steps=50", "dynamics_options.hidden=[32, 32]"])
    {'max_steps': 50, 'dynamics_options': {'hidden': [32, 32]}}
    """
    found: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--set {text!r} must look like name=value.")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"--set {text!r}: the value cannot be read as YAML.") from error
        place = found
        *outer, last = name.strip().split(".")
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = parsed
    return found


def given(**options: Any) -> dict[str, Any]:
    """Only the options that were given (are not None)."""
    return {name: value for name, value in options.items() if value is not None}
