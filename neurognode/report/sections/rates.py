"""Rates over recorded condition means."""

from __future__ import annotations

from functools import partial

import numpy as np

from neurognode import plot
from neurognode.report.content import Content
from neurognode.report.drawing import svg
from neurognode.report.page import Figure, Section
from neurognode.trials import observed, signal

N_UNITS = 6


def rates(content: Content) -> Section:
    """The most active units, held-out ones first: the model's rate over what was recorded."""
    trials = content.trials
    held_out = np.asarray(content.metrics.get("held_out_units", []))
    figures = []
    for k in chosen_units(content, held_out):
        unit = trials["unit"].values[k]
        unseen = bool(np.isin(unit, held_out)) if len(held_out) else False
        picture = svg(
            partial(plot.psth, content.rates, trials, int(k), condition=content.groups),
            name=f"unit-{k}",
            label=f"Recorded and inferred rate of unit {unit}",
        )
        word = " Held out: the encoder never saw this unit." if unseen else ""
        figures.append(
            Figure(f"Unit {unit}: recorded mean ± standard error (band), model (line).{word}", picture)
        )
    lead = "Inferred rates over what was recorded, averaged by condition over all trials."
    return Section("rates", "Rates", lead, figures=figures)


def chosen_units(content: Content, held_out: np.ndarray) -> np.ndarray:
    """Positions of up to six units that fire and vary most with time and condition, half of them held out."""
    values, mask = signal(content.trials).values, observed(content.trials)
    total = np.where(mask, values, 0).sum(0) / np.maximum(mask.sum(0), 1)
    strength = (
        total.std(0) / np.sqrt(np.maximum(np.abs(total.mean(0)), 1e-9)) if len(total) > 1 else total.mean(0)
    )
    order = np.argsort(-np.nan_to_num(strength))
    unseen = np.isin(content.trials["unit"].values, held_out) if len(held_out) else np.zeros(len(order), bool)
    first = [k for k in order if unseen[k]][: N_UNITS // 2]
    return np.array([*first, *[k for k in order if k not in first and not unseen[k]]][:N_UNITS])
