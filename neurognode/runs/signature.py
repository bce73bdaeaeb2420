"""Check given arguments against a callable's signature, the one place where defaults live."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from neurognode.errors import listing

_PLAIN = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


def parameters(function: Callable[..., Any], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Names and defaults of a callable's arguments; a required argument has ``inspect.Parameter.empty``.

    Examples
    --------
    >>> from neurognode.runs.signature import parameters
    >>> def fit(trials, steps=10): ...
    >>> parameters(fit, skip=("trials",))
    {'steps': 10}
    """
    found = inspect.signature(function).parameters.values()
    named = [p for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return {p.name: p.default for p in named if p.name not in (*skip, "self")}


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    target = function.__init__ if inspect.isclass(function) else function  # type: ignore[misc]
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError):
        return {}


def checked(
    function: Callable[..., Any], given: Mapping[str, Any], *, what: str, skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Check the names and types of `given` against a callable; return it with types set right.

    Parameters
    ----------
    function : callable
        A function, or a class for its constructor.
    given : mapping
        What a user asked for, e.g. read from YAML.
    what : str
        What the arguments belong to, for the message.
    skip : tuple of str
        Arguments that may not be given here.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest one) or a value of the wrong type.

    Examples
    --------
    >>> from neurognode.runs.signature import checked
    >>> def fit(trials, steps: int = 10, rate: float = 0.1): ...
    >>> checked(fit, {"steps": "20"}, what="fit", skip=("trials",))
    {'steps': 20}
    >>> checked(fit, {"stpes": 20}, what="fit", skip=("trials",))
    Traceback (most recent call last):
    ...
    ValueError: fit has no argument 'stpes'. Allowed: 'steps', 'rate'. Did you mean 'steps'?
    """
    known = parameters(function, skip)
    for name in given:
        if name not in known:
            raise ValueError(f"{what} has no argument {name!r}. {listing(name, known)}")
    hints = _annotations(function)
    fields: dict[str, Any] = {name: (hints.get(name, Any), ...) for name in given}
    try:
        model = pydantic.create_model("Arguments", __config__=_PLAIN, **fields)
        values = model.model_validate(dict(given))
    except pydantic.errors.PydanticSchemaGenerationError:
        return dict(given)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ValueError(f"{what}: {name}={given[name]!r} is not right: {first['msg'].lower()}.") from error
    return {name: getattr(values, name) for name in given}
