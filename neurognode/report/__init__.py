"""One self-contained HTML page about a fit, for people to read."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Page": "page",
    "Section": "page",
    "Figure": "page",
    "Table": "page",
    "Code": "page",
    "Content": "content",
    "build": "content",
    "svg": "drawing",
    "scene": "scenes",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurognode.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.report.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
