"""Fixed points, verdicts and loadings as tables in an NWB file: plain columns, no JSON, no empty columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def dynamic_table(name: str, description: str, columns: Mapping[str, tuple[str, Any]]) -> Any:
    """A DynamicTable from name to (description, values); columns that hold only NaN or "" are left out.

    Values with two axes become columns with several numbers a row.
    """
    from hdmf.common import DynamicTable, VectorData

    kept = []
    for key, (about, values) in columns.items():
        array = np.asarray(values)
        if array.dtype.kind == "f" and not np.isfinite(array).any():
            continue
        if array.dtype.kind in "UO" and not any(str(v) for v in array.reshape(-1)):
            continue
        data = [str(v) for v in array] if array.dtype.kind in "UO" else array
        kept.append(VectorData(name=key, description=about, data=data))
    return DynamicTable(name=name, description=description, columns=kept)


def fixed_points(portraits: Iterable[Any]) -> Any | None:
    """A row for every fixed point of every portrait; None if there are none.

    A portrait is anything with ``latent_dim`` and ``fixed_points`` holding ``points`` (P, N), ``eigenvalues``
    (P, N) in 1/s, ``kind``, ``stable``, ``inside`` and ``isolated`` (P,), as `neurognode.interpret.Portrait`
    does.
    """
    rows: dict[str, list[Any]] = {
        k: [] for k in ("member", "points", "eigenvalues", "kind", "stable", "inside", "isolated")
    }
    for member, portrait in enumerate(portraits):
        found = portrait.fixed_points
        for i in range(len(found.points)):
            rows["member"].append(member)
            for key in ("points", "eigenvalues", "kind", "stable", "inside", "isolated"):
                rows[key].append(getattr(found, key)[i])
    if not rows["points"]:
        return None
    values = np.array(rows["eigenvalues"], complex)
    slowest = values.real.max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        constants = np.where(slowest != 0, -1.0 / slowest, np.nan)
    columns = {
        "member": ("Fit of the ensemble that the point belongs to, from 0.", np.array(rows["member"])),
        "position": ("Latent coordinates (a.u.).", np.array(rows["points"], float)),
        "kind": ("Type of the point.", rows["kind"]),
        "is_stable": ("Whether every eigenvalue has a negative real part.", np.array(rows["stable"], bool)),
        "is_inside_data": (
            "Whether the data visited the point's neighbourhood.",
            np.array(rows["inside"], bool),
        ),
        "is_isolated": ("Whether it is no part of a continuum of points.", np.array(rows["isolated"], bool)),
        "eigenvalue_real": ("Real parts of the eigenvalues (1/s).", values.real),
        "eigenvalue_imaginary": ("Imaginary parts of the eigenvalues (rad/s).", values.imag),
        "time_constant": (
            "Seconds to shrink e-fold along the slowest direction; negative where it grows.",
            constants,
        ),
    }
    return dynamic_table("FixedPoints", "Fixed points of the fitted flow field.", columns)


def verdict_table(verdicts: Iterable[Any]) -> Any | None:
    """A row for every hypothesis; None if there are none."""
    listed = list(verdicts)
    if not listed:
        return None

    def every(name: str, default: Any) -> list[Any]:
        return [getattr(v, name, default) for v in listed]

    bounds = np.array(
        [np.asarray(getattr(v, "interval", (np.nan, np.nan)), float).reshape(2) for v in listed]
    )
    nan = float("nan")
    columns: dict[str, tuple[str, Any]] = {
        "hypothesis": ("What was asked of the dynamics.", every("hypothesis", "")),
        "variant": ("Form of the hypothesis.", every("variant", "")),
        "status": ("supported, rejected or cannot_tell.", every("status", "")),
        "reason": ("Why, in a sentence.", every("reason", "")),
        "statistic": ("Value of the statistic.", np.array(every("statistic", nan), float)),
        "statistic_name": ("What the statistic is.", every("statistic_name", "")),
        "effect_size": ("Size of the effect.", np.array(every("effect_size", nan), float)),
        "effect_name": ("What the effect size is.", every("effect_name", "")),
        "lower": ("Lower end of the statistic's interval.", bounds[:, 0]),
        "upper": ("Upper end of the statistic's interval.", bounds[:, 1]),
        "null": ("Null that the statistic was compared with.", every("null", "")),
        "n_surrogates": ("Surrogates drawn.", np.array([len(getattr(v, "null_sample", ())) for v in listed])),
        "p": ("Probability under the null.", np.array(every("p", nan), float)),
        "p_corrected": ("The same, corrected over hypotheses.", np.array(every("p_corrected", nan), float)),
        "agreement": ("Share of fits that agree.", np.array(every("agreement", nan), float)),
    }
    return dynamic_table("HypothesisVerdicts", "Verdicts on hypotheses about the dynamics.", columns)
