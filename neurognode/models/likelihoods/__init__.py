"""Observation models: probability of the recorded signal given what the readout says.

`base` is the contract; every other file is one member, found by name through `neurognode.registry`.
"""

from __future__ import annotations

from neurognode.models.likelihoods.base import Likelihood

__all__ = ["Likelihood"]
