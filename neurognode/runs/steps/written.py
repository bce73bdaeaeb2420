"""A run's flow as equations, and what can be proved about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.files import atomic_path
from neurognode.hypotheses.evidence import members_of
from neurognode.interpret import (
    Equations,
    PiecewiseAffine,
    ProvedFixedPoints,
    Region,
    equations,
    piecewise_affine,
    proved_fixed_points,
    visited_region,
)
from neurognode.interpret.fitted import readout_metric
from neurognode.runs.folder import Run
from neurognode.runs.log import logging_to
from neurognode.runs.steps.interpret import member_states


def write_run(run: Run, **options: Any) -> Equations:
    """Write the reference member's flow as equations, ``equations.txt`` and ``equations.csv``.

    Parameters
    ----------
    run : Run
        A fitted run; the recording is not needed.
    **options
        Of `neurognode.interpret.equations`, such as ``degree`` and ``threshold``.
    """
    model, region, horizon = _reference(run)
    with logging_to(run.path / "log.txt") as log:
        found = equations(model.field_, region, horizon=horizon, **options)
        with atomic_path(run.path / "equations.txt") as temporary:
            temporary.write_text(f"{found}\n", encoding="utf-8")
        with atomic_path(run.path / "equations.csv") as temporary:
            found.to_frame().to_csv(temporary, index_label="term")
        log.info("equations: %d terms", found.n_terms)
    return found


def prove_run(run: Run, *, tolerance: float = 0.1) -> tuple[ProvedFixedPoints, PiecewiseAffine]:
    """Prove fixed points of the reference member and cut its flow into affine pieces.

    Writes ``proved_fixed_points.csv`` and ``pieces.csv``.

    Parameters
    ----------
    run : Run
        A fitted run; the recording is not needed.
    tolerance : float
        Of `neurognode.interpret.piecewise_affine`.
    """
    model, region, _ = _reference(run)
    with logging_to(run.path / "log.txt") as log:
        proved = proved_fixed_points(model.field_, region)
        pieces = piecewise_affine(model.field_, region, tolerance=tolerance)
        for name, table in (("proved_fixed_points", proved.to_frame()), ("pieces", pieces.to_frame())):
            with atomic_path(run.path / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False)
        log.info("%s %s", proved, pieces)
    return proved, pieces


def _reference(run: Run) -> tuple[Any, Region, float]:
    """The reference member, where its states have been, and the median length of a trial in seconds."""
    reference = int(run.status.get("reference", 0))
    model, states = members_of(run.fits)[reference], member_states(run)[reference]
    horizon = float(np.median(np.isfinite(states).all(2).sum(1))) * float(model.bin_size_)
    metric = readout_metric(model.readout_, int(model.field_.latent_dim))
    return model, visited_region(states, metric), horizon
