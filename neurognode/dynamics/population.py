"""Building fields from their configuration, and moving between single fields and populations of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch

from neurognode import registry
from neurognode.dynamics.base import VectorField

FieldT = TypeVar("FieldT", bound=VectorField)


def build(config: Mapping[str, Any]) -> VectorField:
    """Make a field from what its `config` returned; the weights are new.

    Parameters
    ----------
    config : mapping
        ``kind``, a name in ``registry.names("dynamics")``, and the arguments of that class.

    Raises
    ------
    ValueError
        If the kind is missing or unknown, or an argument is not one of the class's.

    Examples
    --------
    >>> from neurognode.dynamics import GNODE, build
    >>> field = GNODE(3, hidden=(8,), tau=0.2)
    >>> build(field.config()).config() == field.config()
    True
    """
    options = dict(config)
    if "kind" not in options:
        raise ValueError("config has no 'kind'; it names the class, for instance 'gnode'.")
    kind = options.pop("kind")
    made = registry.resolve("dynamics", kind)
    try:
        return made(**options)
    except TypeError as error:
        raise ValueError(f"The dynamics {kind!r} cannot be built: {error}") from error


def member(field: FieldT, index: int) -> FieldT:
    """Return member `index` of a population as an ordinary field with its own copy of the weights.

    Examples
    --------
    >>> from neurognode.dynamics import GNODE, member
    >>> member(GNODE(2, hidden=(8,), members=3), 1).members is None
    True
    """
    if field.members is None:
        raise ValueError("This field has no population axis (members is None).")
    if not 0 <= index < field.members:
        raise ValueError(f"member {index!r} does not exist; there are {field.members}, from 0.")
    single = _without_drawing({**field.config(), "members": None})
    state = {name: value[index].clone() for name, value in field.state_dict().items()}
    return _finished(single, state, field)


def stack(fields: Sequence[FieldT]) -> FieldT:
    """Make one population field of several fields of the same kind and shape, copying their weights.

    Parameters
    ----------
    fields : sequence of VectorField
        At least one; all with equal `config`.

    Raises
    ------
    ValueError
        If there is none, one is a population already, or their configurations differ.

    Examples
    --------
    >>> from neurognode.dynamics import GNODE, stack
    >>> stack([GNODE(2, hidden=(8,), random_state=seed) for seed in range(3)]).members
    3
    """
    fields = list(fields)
    if not fields:
        raise ValueError("fields is empty; a population needs at least one.")
    first = fields[0].config()
    for i, field in enumerate(fields):
        if field.members is not None:
            raise ValueError(f"fields[{i}] is a population already.")
        if field.config() != first:
            other = field.config()
            differing = sorted(k for k in {*first, *other} if first.get(k) != other.get(k))
            raise ValueError(f"fields[{i}] differs from fields[0] in {', '.join(differing)}.")
    together = _without_drawing({**first, "members": len(fields)})
    states = [field.state_dict() for field in fields]
    return _finished(together, {k: torch.stack([s[k] for s in states]) for k in states[0]}, fields[0])


def _without_drawing(config: dict[str, Any]) -> VectorField:
    """Build a field whose weights are about to be replaced, with the cheapest of the initialisations."""
    if "init" not in config:
        return build(config)
    made = build({**config, "init": "glorot"})
    made._options["init"] = config["init"]
    return made


def _finished(made: VectorField, state: Mapping[str, torch.Tensor], like: FieldT) -> FieldT:
    reference = next(iter(state.values()), None)
    if reference is not None:
        made = made.to(device=reference.device, dtype=reference.dtype)
    made.load_state_dict(state)
    made.train(like.training)
    return made  # type: ignore[return-value]
