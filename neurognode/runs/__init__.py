"""Run folders: one per fit, with everything needed to repeat it, read it elsewhere and go on from it."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Run": "folder",
    "load_run": "folder",
    "RunConfig": "config",
    "SCHEMA_VERSION": "config",
    "fit_run": "steps",
    "evaluate_run": "steps",
    "interpret_run": "steps",
    "compare_run": "steps",
    "export_run": "steps",
    "report_run": "steps",
    "rank_run": "steps",
    "push_run": "steps",
    "write_run": "steps",
    "prove_run": "steps",
    "Space": "space",
    "Sweep": "sweep",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurognode.runs' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.runs.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
