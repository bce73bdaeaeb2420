"""neurognode: from a neural recording to a tested statement about its dynamics.

Names are imported when they are first used, so that ``import neurognode`` stays fast.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "open_recording": "neurognode.loaders",
    "open": "neurognode.loaders:open_recording",
    "make_trials": "neurognode.trials",
    "LatentDynamics": "neurognode.models",
    "LatentGNODE": "neurognode.models",
    "TaskNetwork": "neurognode.models",
    "Ensemble": "neurognode.models",
    "cross_validate": "neurognode.evaluation",
    "integrate": "neurognode.dynamics",
    "compare": "neurognode.hypotheses",
    "portrait": "neurognode.interpret",
    "load_run": "neurognode.runs",
    "RecordingError": "neurognode.errors",
}
_ROOMS = (
    "datasets", "dynamics", "errors", "evaluation", "export", "hypotheses", "interpret", "loaders", "metrics",
    "models", "plot", "registry", "report", "runs", "splits", "surrogates", "synthetic", "training", "trials",
)  # fmt: skip

__all__ = [*_NAMES, *_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"neurognode.{name}")
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode' has no attribute {name!r}")
    module, _, attribute = _NAMES[name].partition(":")
    value = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
