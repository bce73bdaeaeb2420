"""Confusion matrices of `fields.csv` and `spikes.jsonl` as one picture, and the figures of both as Markdown.

Run from the repository's root: ``python -m benchmarks.truth.picture``. Writes ``docs/truth.svg``,
``benchmarks/truth/results/spikes.md`` and the tables of ``docs/truth.md``, which stand between marks in it.
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

from benchmarks.truth.planted import REPORTED, is_counted
from neurognode.synthetic import circuits

matplotlib.use("svg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PICTURE, PAGE = DOCS / "truth.svg", DOCS / "truth.md"
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
    there, columns = {c for c, _ in counts}, list(dict.fromkeys(h for _, h in counts))
    rows = [name for name in circuits.names() if name in there]
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
    for name in [c for c in circuits.names() if any(line["circuit"] == c for line in lines)]:
        own = [m["recovery"] for line in lines if line["circuit"] == name for m in line["members"]]
        count = sum(line["circuit"] == name for line in lines)
        middle = [_median(own, k) for k in ("state_r2", "cosine", "slope", "noise")]
        nodes = [e for m in own for e in m["nodes"]]
        saddles = [e for m in own for e in m["saddles"]]
        seen = [e for e in saddles if e is not None]
        rows.append(
            f"| {name.replace('_', ' ')} | {count} | {' | '.join(middle)} | {_percent(nodes)} | "
            f"{f'{len(seen)} of {len(saddles)}' if saddles else '-'} | {_percent(saddles)} | "
            f"{sum(m['invented'] for m in own)} |"
        )
    return rows


def _median(members: list[dict[str, Any]], key: str) -> str:
    known = [m[key] for m in members if m[key] is not None]
    return f"{np.median(known):.2f}" if known else "-"


def _percent(errors: list[float | None]) -> str:
    found = [e for e in errors if e is not None]
    return f"{100 * float(np.median(found)):.1f}" if found else "-"


def sizes(lines: list[dict[str, Any]]) -> list[str]:
    """A table of how drift and verdict depend on the number of trials, for circuits that have several."""
    rows = [
        "| circuit | trials | data sets | state R² | drift cosine | slope | noise | planted hypothesis "
        "| wrong ones supported |",
        "|---" * 9 + "|",
    ]
    for name in circuits.names():
        own = [line for line in lines if line["circuit"] == name]
        numbers = sorted({line["n_trials"] for line in own})
        for n in numbers if len(numbers) > 1 else ():
            same = [line for line in own if line["n_trials"] == n]
            members = [m["recovery"] for line in same for m in line["members"]]
            middle = [_median(members, k) for k in ("state_r2", "cosine", "slope", "noise")]
            wrong = sum(
                any(s == "supported" and h not in line["allowed"] for h, s in line["verdicts"].items())
                for line in same
            )
            told = ", ".join(line["verdicts"][line["planted"]].replace("_", " ") for line in same)
            rows.append(
                f"| {name.replace('_', ' ')} | {n} | {len(same)} | {' | '.join(middle)} | {told} | {wrong} |"
            )
    return rows if len(rows) > 2 else []


def longer(lines: list[dict[str, Any]]) -> list[str]:
    """A table of verdicts and recovery after few steps and after as many as the preset takes, on the same data sets."""
    stored = RESULTS / "spikes_long.jsonl"
    later = [json.loads(line) for line in stored.read_text().splitlines()] if stored.exists() else []
    rows = [
        "| circuit (seed) | planted hypothesis | cosine | slope | noise | after 1,500 steps | cosine | slope | noise "
        "| wrong ones supported |",
        "|---" * 10 + "|",
    ]
    for line in later:
        key = (line["circuit"], line["seed"], line["n_trials"])
        for short in (one for one in lines if (one["circuit"], one["seed"], one["n_trials"]) == key):
            cells = [f"{line['circuit'].replace('_', ' ')} ({line['seed']})"]
            for one in (short, line):
                members = [m["recovery"] for m in one["members"]]
                told = one["verdicts"].get(one["planted"], "-").replace("_", " ")
                cells += [told, *(_median(members, k) for k in ("cosine", "slope", "noise"))]
            wrong = [h for h, s in line["verdicts"].items() if s == "supported" and h not in line["allowed"]]
            rows.append("| " + " | ".join([*cells, ", ".join(wrong).replace("_", " ") or "none"]) + " |")
    return rows if len(rows) > 2 else []


def open_or_wrong(lines: list[dict[str, Any]]) -> list[str]:
    """One line for each data set whose planted hypothesis is not supported, or a wrong one is, with the reason."""
    rows = []
    for line in lines:
        name, planted = f"{line['circuit'].replace('_', ' ')} (seed {line['seed']})", line["planted"]
        if planted != "none" and line["verdicts"][planted] != "supported":
            word = line["verdicts"][planted].replace("_", " ")
            rows.append(f"- {name}: {planted.replace('_', ' ')} {word}. {line['reasons'][planted]}")
        for other, status in line["verdicts"].items():
            if status == "supported" and other not in line["allowed"]:
                rows.append(f"- {name}: {other.replace('_', ' ')} supported. {line['reasons'][other]}")
    return rows


def steps_used() -> str:
    """Fewest and most training steps of the stored fits of the reported family."""
    fits = [json.loads(line) for line in (RESULTS / "spike_fits.jsonl").read_text().splitlines()]
    steps = sorted({fit["steps"] for fit in fits if is_counted(fit)})
    return f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else str(steps[0])


def rewrite(page: str, name: str, text: list[str]) -> str:
    """The page with what stands between the marks of this name replaced."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, rest = page.split(begin)
    return before + begin + "\n".join(text) + "\n" + end + rest.split(end, 1)[1]


def main() -> None:
    """Picture, summary, and the tables of the page."""
    lines = [json.loads(line) for line in (RESULTS / "spikes.jsonl").read_text().splitlines()]
    everything = [line for line in lines if line["seed"] >= REPORTED]
    reported = [line for line in lines if is_counted(line)]
    others = [line for line in lines if line["seed"] < REPORTED and line["n_trials"] == 200]
    picture(reported)
    text = ["Fits of spikes of known systems: 60 units, 200 trials, 7.5 spikes/s, three members.", ""]
    for title, group in (("Reported family", reported), ("Family that thresholds were set on", others)):
        if group:
            text += [f"## {title}", "", *[f"- {r}" for r in rates(group)], "", *recovered(group), ""]
    text += ["## Reported family: what is open or wrong", "", *open_or_wrong(reported), ""]
    text += ["## Size of the data", "", *sizes(everything), ""]
    (RESULTS / "spikes.md").write_text("\n".join(text))
    summary = (RESULTS / "fields.md").read_text().splitlines()
    page = PAGE.read_text()
    page = rewrite(page, "fields", [line for line in summary if line.startswith("- ")])
    count = f"- {len(reported)} data sets of {len({r['circuit'] for r in reported})} systems, {steps_used()} steps"
    page = rewrite(page, "rates", [count, *[f"- {r}" for r in rates(reported)]])
    page = rewrite(page, "open", open_or_wrong(reported))
    page = rewrite(page, "recovery", recovered(reported))
    page = rewrite(page, "long", longer(everything))
    PAGE.write_text(rewrite(page, "sizes", sizes(everything)))
    print("\n".join(text))


if __name__ == "__main__":
    main()
