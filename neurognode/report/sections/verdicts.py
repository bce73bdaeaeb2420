"""What was found: the verdicts, and for simulated recordings what was planted."""

from __future__ import annotations

from typing import Any

from neurognode.report.content import Content, number
from neurognode.report.page import Section, Table

ORDER = {"supported": 0, "cannot_tell": 1, "rejected": 2}


def verdicts(content: Content) -> Section | None:
    """One sentence a hypothesis, the supported ones first."""
    if content.verdicts is None:
        return None
    ranked = sorted(content.verdicts, key=lambda v: ORDER.get(v.status, 3))
    entries = [
        {"status": v.status, "name": _title(v.hypothesis), "reason": v.reason, "numbers": _numbers(v)}
        for v in ranked
    ]
    lead = (
        "Each hypothesis was tested on the fitted flow of every member. Supported: the statistic "
        "differs from its null and the members agree. Rejected: the flow contradicts it. Cannot tell: "
        "data or fits do not "
        "decide."
    )
    return Section("verdicts", "Verdicts", lead, verdicts=entries)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _numbers(verdict: Any) -> str:
    parts = []
    statistic = getattr(verdict, "statistic", None)
    if statistic is not None and statistic == statistic:
        name = getattr(verdict, "statistic_name", "") or "statistic"
        low, high = verdict.interval
        span = f" [{number(float(low))}, {number(float(high))}]" if low == low and high == high else ""
        parts.append(f"{name.replace('_', ' ')} {number(float(statistic))}{span}")
    if verdict.effect_size == verdict.effect_size and verdict.effect_name != verdict.statistic_name:
        parts.append(
            f"{verdict.effect_name.replace('_', ' ') or 'effect size'} {number(verdict.effect_size)}"
        )
    if verdict.p == verdict.p:
        corrected = (
            f" ({number(verdict.p_corrected, 2)} corrected)"
            if verdict.p_corrected == verdict.p_corrected
            else ""
        )
        parts.append(f"p = {number(float(verdict.p), 2)}{corrected}")
    if verdict.null:
        parts.append(f"null: {str(verdict.null).replace('_', ' ')}")
    agreement = getattr(verdict, "agreement", None)
    if agreement is not None and agreement == agreement:
        parts.append(f"agreement of members {number(float(agreement), 2)}")
    return " · ".join(parts)


def planted(content: Content) -> Section | None:
    """The truth of a simulation beside the answer."""
    if not content.planted:
        return None
    table = Table(("", "planted", "found"), [tuple(row) for row in content.planted], text=(0, 1, 2))
    lead = "This recording was simulated, so the truth is known. It was used for nothing but this table."
    return Section("planted", "Planted and found", lead, tables=[table])
