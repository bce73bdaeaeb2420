"""How well the fit predicts, beside baselines, and how training went."""

from __future__ import annotations

from functools import partial

import numpy as np

from neurognode import plot
from neurognode.report.content import Content, number
from neurognode.report.drawing import svg
from neurognode.report.page import Figure, Section, Table

METHODS = {
    "smoothing + GLM": "smoothing and Poisson regression",
    "smoothing + ridge": "smoothing and ridge regression",
    "PSTH": "average over trials (PSTH)",
    "mean rate": "mean rate of each unit",
}


def scores(content: Content) -> Section | None:
    """The score table, decoding over time and the training curves."""
    metrics = content.metrics
    if not content.table and not content.history:
        return None
    tables = []
    if content.table:
        names = {k: v for k, v in metrics.get("names", {}).items() if any(k in row for row in content.table)}
        rows = [
            (METHODS.get(row["method"], row["method"]), *(_cell(row, key) for key in names))
            for row in content.table
        ]
        ours = [i for i, row in enumerate(content.table) if row.get("ours")]
        tables.append(Table(("method", *names.values()), rows, note=metrics.get("note", ""), ours=ours))
    if metrics.get("measures"):
        rows = [(m["name"], number(m["value"]), m.get("note", "")) for m in metrics["measures"]]
        tables.append(
            Table(("measure", "value", ""), rows, title="What else the latents and rates say", text=(0, 2))
        )
    return Section(
        "scores",
        "How well it fits",
        metrics.get("lead", "Scores on trials that were not used for fitting."),
        notes=metrics.get("notes", []),
        tables=tables,
        figures=_figures(content),
    )


def _cell(row: dict, key: str) -> str:
    error = row.get(f"{key}_error")
    return number(row.get(key)) + (f" ± {number(error, 2)}" if error is not None else "")


def _figures(content: Content) -> list[Figure]:
    figures = []
    decoding = content.metrics.get("decoding")
    if decoding:
        time, accuracy = (np.array(decoding[k], float) for k in ("time", "accuracy"))
        error = np.array(decoding["error"], float) if decoding.get("error") else None
        drawn = svg(
            lambda ax: plot.decoding_over_time(time, accuracy, error=error, chance=decoding["chance"], ax=ax),
            name="decoding",
            label=f"Accuracy of decoding {decoding['column']} over time",
        )
        figures.append(Figure(decoding["caption"], drawn))
    known = {key for row in content.history for key in row}
    for key, name in (("loss", "training loss"), ("score", "validation score")):
        if key in known:
            drawn = svg(
                partial(plot.history, content.history, key, name=name),
                name=f"history-{key}",
                label=f"{name} over training steps",
            )
            text = {
                "loss": "Loss on training trials, a line a member.",
                "score": "Score on the training trials kept back to choose the weights, a line a member.",
            }[key]
            figures.append(Figure(text, drawn))
    return figures
