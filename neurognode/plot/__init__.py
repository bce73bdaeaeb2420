"""Figures of latents, rates, flows, eigenvalues and training; functions take and return Axes."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "condition_colours": "style",
    "latent_traces": "latents",
    "trajectories": "latents",
    "psth": "rates",
    "raster": "rates",
    "Plane": "plane",
    "flow_field": "flow",
    "flow_line": "flow",
    "gates": "flow",
    "eigenvalues": "spectrum",
    "spectrum_along": "spectrum",
    "history": "training",
    "scores_over": "sweeps",
    "decoding_over_time": "accuracy",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurognode.plot' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.plot.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
