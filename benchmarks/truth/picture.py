"""Confusion matrices of `fields.csv` and `spikes.jsonl` as one picture, and the figures of the latter as Markdown.

Run from the repository's root: ``python -m benchmarks.truth.picture``. Writes ``docs/truth.svg`` and
``benchmarks/truth/results/spikes.md``.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmarks.truth.planted import REPORTED

matplotlib.use("svg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent / "results"
PICTURE = Path(__file__).parents[2] / "docs" / "truth.svg"
Counts = dict[tuple[str, str], list[str]]
"""(circuit, hypothesis) -> statuses."""


def of_fields() -> tuple[Counts, dict[str, set[str]]]:
    """Statuses on exact fields, and the hypotheses that are true of each circuit."""
    counts: Counts = defaultdict(list)
    true: dict[str, set[str]] = defaultdict(set)
    with (RESULTS / "fields.csv").open() as stream:
        for row in csv.DictReader(stream):
            counts[row["circuit"], row["hypothesis"]].append(row["status"])
            if row["allowed"] == "True":
                true[row["circuit"]].add(row["hypothesis"])
    return counts, true


def of_spikes(lines: Iterable[dict[str, Any]]) -> tuple[Counts, dict[str, set[str]]]:
    """The same for fits of spikes."""
    counts: Counts = defaultdict(list)
    true: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        true[line["circuit"]] |= set(line["allowed"])
        for hypothesis, status in line["verdicts"].items():
            counts[line["circuit"], hypothesis].append(status)
    return counts, true


def draw(axes: Any, counts: Counts, true: dict[str, set[str]], title: str) -> None:
    """One matrix: share supported in blue, share rejected left white, the rest grey; what is true is framed."""
    rows, columns = list(dict.fromkeys(c for c, _ in counts)), list(dict.fromkeys(h for _, h in counts))
    for i, circuit in enumerate(rows):
        for j, hypothesis in enumerate(columns):
            statuses = counts.get((circuit, hypothesis), [])
            if not statuses:
                continue
            share = {s: statuses.count(s) / len(statuses) for s in ("supported", "cannot_tell")}
            colour = np.array([1.0, 1.0, 1.0]) - share["supported"] * np.array([0.85, 0.55, 0.15])
            colour = np.clip(colour - 0.25 * share["cannot_tell"], 0, 1)
            axes.add_patch(plt.Rectangle((j, i), 1, 1, color=tuple(colour), lw=0))
            words = f"{statuses.count('supported')}" if statuses.count("supported") else ""
            words += f" ({statuses.count('cannot_tell')}?)" if statuses.count("cannot_tell") else ""
            dark = share["supported"] > 0.6
            axes.text(
                j + 0.5, i + 0.5, words, ha="center", va="center", fontsize=6, color="w" if dark else "k"
            )
            if hypothesis in true[circuit]:
                axes.add_patch(
                    plt.Rectangle((j + 0.04, i + 0.04), 0.92, 0.92, fill=False, ec="tab:orange", lw=1.6)
                )
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), title=title)
    sizes = {c: max(len(v) for (n, _), v in counts.items() if n == c) for c in rows}
    axes.set_yticks(
        np.arange(len(rows)) + 0.5, [f"{c.replace('_', ' ')} ({sizes[c]})" for c in rows], fontsize=7
    )
    names = [c.replace("_", " ") for c in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, names, rotation=60, ha="right", fontsize=7)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_color("0.7")


def picture(spikes: list[dict[str, Any]]) -> None:
    """Exact fields on the left, reported fits of spikes on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6.4))
    draw(left, *of_fields(), "exact fields (sets)")
    draw(right, *of_spikes(spikes), "60 units, 200 trials, 7.5 spikes/s, fitted (data sets)")
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


def rates(lines: list[dict[str, Any]]) -> list[str]:
    """How often what is planted and what is wrong is supported."""
    planted = [line for line in lines if line["planted"] != "none"]
    status = [line["verdicts"][line["planted"]] for line in planted]
    false = [
        sorted(h for h, s in line["verdicts"].items() if s == "supported" and h not in line["allowed"])
        for line in lines
    ]
    empty = [bool(f) for line, f in zip(lines, false) if line["planted"] == "none"]
    return [
        f"planted hypothesis supported: {status.count('supported')} of {len(status)}; rejected: "
        f"{status.count('rejected')}; cannot tell: {status.count('cannot_tell')}",
        f"data sets with a wrong hypothesis supported: {sum(map(bool, false))} of {len(lines)}"
        + (f" ({', '.join(sorted({h for f in false for h in f}))})" if any(false) else ""),
        f"with nothing planted (one point, Lorenz, no dynamics), anything supported: {sum(empty)} of {len(empty)}",
    ]


def recovered(lines: list[dict[str, Any]]) -> list[str]:
    """A table of medians over members and data sets, a row a circuit."""
    rows = [
        "| circuit | data sets | state R² | drift cosine | slope | noise | node error % | unstable points found "
        "| their error % | invented |",
        "|---" * 10 + "|",
    ]
    for name in dict.fromkeys(line["circuit"] for line in lines):
        own = [m["recovery"] for line in lines if line["circuit"] == name for m in line["members"]]
        count = sum(line["circuit"] == name for line in lines)
        middle = [f"{np.median([m[k] for m in own]):.2f}" for k in ("state_r2", "cosine", "slope", "noise")]
        nodes = [e for m in own for e in m["nodes"]]
        saddles = [e for m in own for e in m["saddles"]]
        seen = [e for e in saddles if e is not None]
        rows.append(
            f"| {name.replace('_', ' ')} | {count} | {' | '.join(middle)} | {_percent(nodes)} | "
            f"{f'{len(seen)} of {len(saddles)}' if saddles else '-'} | {_percent(saddles)} | "
            f"{sum(m['invented'] for m in own)} |"
        )
    return rows


def _percent(errors: list[float | None]) -> str:
    found = [e for e in errors if e is not None]
    return f"{100 * float(np.median(found)):.1f}" if found else "-"


def main() -> None:
    """Picture and summary."""
    lines = [json.loads(line) for line in (RESULTS / "spikes.jsonl").read_text().splitlines()]
    reported = [line for line in lines if line["seed"] >= REPORTED and line["n_trials"] == 200]
    others = [line for line in lines if line["seed"] < REPORTED and line["n_trials"] == 200]
    picture(reported)
    text = ["Fits of spikes of known systems: 60 units, 200 trials, 7.5 spikes/s, three members.", ""]
    for title, group in (("Reported family", reported), ("Family that thresholds were set on", others)):
        if group:
            text += [f"## {title}", "", *[f"- {r}" for r in rates(group)], "", *recovered(group), ""]
    (RESULTS / "spikes.md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
