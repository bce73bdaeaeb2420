"""What every hypothesis must keep: it says what it claims, and judges any portrait without crashing."""

from __future__ import annotations

import math

import numpy as np

from neurognode import registry
from neurognode.dynamics import VectorField
from neurognode.hypotheses.base import Hypothesis, View
from neurognode.interpret import portrait
from neurognode.synthetic import circuits

_STATUSES = ("supported", "rejected", "cannot_tell")
_WORDS = ("name", "title", "predicts", "refuted_by", "statistic_name", "effect_name", "null", "citation")


def check_hypothesis(name: str) -> None:
    """Check one hypothesis of the registry.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("hypotheses")``.

    Raises
    ------
    AssertionError
        If it leaves unsaid what it predicts, what would refute it or where it comes from, if it fails on a portrait,
        or if it supports itself on a system that decays to one point.

    Examples
    --------
    >>> from neurognode.testing import check_hypothesis
    >>> check_hypothesis("limit_cycle")
    """
    hypothesis = registry.resolve("hypotheses", name)()
    assert isinstance(hypothesis, Hypothesis), f"{name} is not a Hypothesis"
    unsaid = [word for word in _WORDS if not str(getattr(hypothesis, word)).strip()]
    assert not unsaid, f"{name} does not say its {', '.join(unsaid)}"
    for circuit in ("none", "bistable"):
        reading = hypothesis.read(_view(circuit))
        assert reading.status in _STATUSES, f"{name}: status {reading.status!r} on {circuit}"
        assert reading.reason.strip().endswith("."), (
            f"{name}: the reason is not a sentence: {reading.reason!r}"
        )
        assert isinstance(reading.statistic, float), f"{name}: the statistic is not a float"
        decided = reading.status == "supported"
        assert not (decided and circuit == "none"), f"{name} supports itself where nothing is planted"
        assert not (decided and math.isnan(reading.statistic)), f"{name} is supported without a statistic"


def _view(name: str) -> View:
    circuit = circuits.make(name)
    simulated = circuit.simulate(20, dt=0.01, random_state=0)
    latents = np.asarray(simulated.latents)
    field: VectorField = circuit.field
    states = latents.reshape(-1, latents.shape[-1])
    return View(portrait(field, states, horizon=circuit.duration))
