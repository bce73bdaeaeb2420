"""Dynamical systems with known answers, as exact fields; `simulate_recording` makes recordings of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import AnswerKey, Circuit, Pulses, Simulation
from neurognode.synthetic.circuits.bistable import bistable
from neurognode.synthetic.circuits.drift_diffusion import drift_diffusion
from neurognode.synthetic.circuits.embed import embed
from neurognode.synthetic.circuits.known import KnownField
from neurognode.synthetic.circuits.limit_cycle import limit_cycle
from neurognode.synthetic.circuits.line import line
from neurognode.synthetic.circuits.linear import noise_oscillation, none, rotation
from neurognode.synthetic.circuits.lorenz import lorenz
from neurognode.synthetic.circuits.plane import plane
from neurognode.synthetic.circuits.points import points
from neurognode.synthetic.circuits.regime_switch import regime_switch
from neurognode.synthetic.circuits.ring import ring
from neurognode.synthetic.circuits.saddle import saddle
from neurognode.synthetic.circuits.sequence import sequence
from neurognode.synthetic.circuits.torus import torus

FAMILIES: dict[str, Callable[..., Circuit]] = {
    "bistable": bistable,
    **{f"points_{n}": functools.partial(points, n) for n in range(1, 7)},
    "saddle": saddle,
    "line": line,
    "leaky_line": functools.partial(line, leak=0.8),
    "ring": ring,
    "drifting_ring": functools.partial(ring, drift=0.5),
    "bumpy_ring": functools.partial(ring, bumps=10, roughness=0.1),
    "plane": plane,
    "torus": torus,
    "limit_cycle": limit_cycle,
    "noise_oscillation": noise_oscillation,
    "rotation": rotation,
    "lorenz": lorenz,
    "sequence": sequence,
    "drift_diffusion": drift_diffusion,
    "regime_switch": regime_switch,
    "none": none,
}
"""Name of each circuit -> the function that makes it."""

COORDINATES_MATTER = ("regime_switch",)
"""Can be made, but are not in `names()`: what is true of them (an angle) changes with the coordinates."""

__all__ = [
    "FAMILIES",
    "AnswerKey",
    "Circuit",
    "KnownField",
    "Pulses",
    "Simulation",
    "embed",
    "make",
    "names",
    "vary",
]


def names() -> list[str]:
    """Names of all circuits whose answers survive an affine change of coordinates.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> "ring" in circuits.names()
    True
    """
    return [name for name in FAMILIES if name not in COORDINATES_MATTER]


def make(name: str, **parameters: Any) -> Circuit:
    """Make a circuit by name.

    Parameters
    ----------
    name : str
        One of `names()`; a hyphen may stand for an underscore.
    **parameters
        Of that circuit: rates in 1/s, noise per square root of a second, duration in seconds; see the
        function of that name in this package.

    Returns
    -------
    Circuit

    Raises
    ------
    ValueError
        If the name or a parameter is not known; the message lists what is.

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> print(circuits.make("bistable").key.text)
    Two choice attractors (stable nodes) with a saddle between them.
    """
    known = one_of(str(name).replace("-", "_"), FAMILIES, "circuit")
    family = FAMILIES[known]
    signature = inspect.signature(family).parameters.values()
    defaults = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
    for parameter in parameters:
        one_of(parameter, defaults, f"parameter of circuit {known!r}")
    circuit = replace(family(**parameters), name=known, parameters=defaults | parameters)
    assert isinstance(circuit.field, KnownField)
    circuit.field.arguments = defaults | parameters
    return circuit


def vary(
    name: str, random_state: int | np.random.Generator | None = 0, *, spread: float = 0.25, **parameters: Any
) -> Circuit:
    """Make a circuit with its rates, noise and gains scaled at random, for tests on other parameters.

    Parameters
    ----------
    name : str
        One of `names()`.
    random_state : int, Generator or None
    spread : float
        Standard deviation of the logarithm of each factor; factors are limited to two of these. Parameters that
        are zero or no single number, the duration of a trial, biases, and where states start stay as they are.
    **parameters
        Set, and not varied.

    Returns
    -------
    Circuit

    Examples
    --------
    >>> from neurognode.synthetic import circuits
    >>> circuits.vary("ring", 1).key.eigenvalues[0].real.round(2).tolist() != [5.0, 5.0]
    True
    """
    rng = np.random.default_rng(random_state)
    drawn = {}
    for key, value in make(name).parameters.items():
        factor = float(np.exp(spread * np.clip(rng.standard_normal(), -2, 2)))
        if isinstance(value, float) and key not in ("duration", "tilt"):
            drawn[key] = value * factor
    return make(name, **{**drawn, **parameters})
