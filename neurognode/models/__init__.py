"""Models of recordings: encoders, readouts, likelihoods, and the estimators made of them."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "LatentDynamics": "estimator",
    "LatentGNODE": "estimator",
    "Ensemble": "ensemble",
    "TaskNetwork": "task_network",
    "prune": "pruning",
    "StoredTrials": "stored",
    "load": "archive",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode.models' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.models.{_NAMES[name]}"), name)
    globals()[name] = value
    return value
