"""Hypotheses about population dynamics: one file each, tested on portraits and compared with one another."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Hypothesis": "base", "View": "base", "Criterion": "base", "Reading": "base",
    "Verdict": "verdict", "Verdicts": "verdict", "compare": "comparison", "compare_portraits": "judging",
    "judge": "judging", "views_of": "evidence",
    "rank_mechanisms": "mechanisms", "residual_share": "mechanisms", "Ranking": "ranking",
}  # fmt: skip
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode.hypotheses' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.hypotheses.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
