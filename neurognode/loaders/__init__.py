"""Any recording a lab has: open it, see what it holds, align it exactly.

Names are imported when first used, so that looking at a file needs neither pynwb nor torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "open_recording": "neurognode.loaders.open",
    "Recording": "neurognode.loaders.recording",
    "Loader": "neurognode.loaders.base",
    "Contents": "neurognode.loaders.base",
    "Units": "neurognode.loaders.base",
    "ListUnits": "neurognode.loaders.base",
    "Series": "neurognode.loaders.base",
    "Table": "neurognode.loaders.base",
    "Aligned": "neurognode.loaders.base",
    "Probe": "neurognode.loaders.probe",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode.loaders' has no attribute {name!r}")
    value = getattr(importlib.import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
