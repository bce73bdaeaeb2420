"""Write ``docs/fits.md`` from the stored results: what was reached, beside targets and baselines.

python -m benchmarks.recordings.table
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"

ROWS: list[tuple[str, str, str, str, str, float]] = [
    ("reach_delay", "co_bps", "co-bps", "0.322", "0.349; 0.372", 0.385),
    ("reach_delay", "ensemble.co_bps", "co-bps, members averaged", "0.322", "", 0.395),
    ("m1_reaching", "co_bps", "co-bps", "0.075", "0.063; 0.0745", 0.078),
    ("m1_reaching", "velocity_r2", "hand velocity R²", "0.785 (Wiener)", "0.832; 0.862", 0.875),
    ("visual_choice_1", "co_bps", "co-bps", "0.320", "0.289; 0.321", 0.335),
    (
        "linear_track",
        "position_r2",
        "position R² (nearest neighbours, moving)",
        "0.722",
        "0.845; 0.820",
        0.87,
    ),
    (
        "linear_track",
        "ensemble.position_r2",
        "the same, members' aligned latents averaged",
        "0.722",
        "",
        0.87,
    ),
    ("visual_choice_1", "ensemble.co_bps", "co-bps, members averaged", "0.320", "", 0.335),
    ("lorenz_32", "co_bps", "co-bps (true rates: 0.770)", "0.593", "0.661; 0.715", 0.745),
    ("lorenz_32", "ensemble.co_bps", "co-bps, members averaged", "0.593", "", 0.745),
    ("lorenz_32", "log_rate_r2", "log-rate R²", "", "0.760; 0.894", 0.94),
    ("lorenz_32", "latent_r2", "latent R²", "0.782", "0.811; 0.955", 0.97),
    ("lorenz_3_autonomous", "co_bps", "co-bps (ceiling 0.754)", "", "0.736", 0.735),
    ("lorenz_3_autonomous", "latent_r2", "latent R² (ceiling 0.975)", "", "0.935", 0.94),
    ("lorenz_3_autonomous", "co_bps_importance", "co-bps, first state refined", "", "0.741", 0.745),
    ("lorenz_3_autonomous", "latent_r2_importance", "latent R², first state refined", "", "0.947", 0.955),
    ("lorenz_3", "co_bps", "co-bps, with process noise", "", "", 0.735),
    ("fly_ring_bar", "held_out_r2", "held-out wedges R²", "0.885 (smoothing + ridge)", "", 0.885),
    ("fly_ring_bar", "ensemble.held_out_r2", "the same, members averaged", "0.885", "", 0.885),
    ("fly_ring_bar", "heading_r", "bump against heading, mean r over runs", "", "", 0.97),
]
"""Case, measure, its name, classical baseline, GRU generator and best gnODE known, target."""

NOT_RUN = "It has not been run with enough seeds."
"""In place of a table that is not there."""


def reached(case: str, measure: str) -> tuple[float, float | None, int, float, str] | None:
    """Mean, standard error, number of seeds, CPU seconds per seed and note of one measure; None if it was not run."""
    path = RESULTS / f"{case}.json"
    if not path.exists():
        return None
    stored = json.loads(path.read_text())
    n_seeds, seconds, note = (
        len(stored["seeds"]),
        float(stored["cpu_seconds_per_seed"]),
        stored.get("note", ""),
    )
    if measure.startswith("ensemble."):
        value = stored["ensemble"].get(measure.removeprefix("ensemble."))
        return None if value is None else (float(value), None, n_seeds, seconds, note)
    if measure not in stored["mean_sem"]:
        return None
    mean, error = stored["mean_sem"][measure]
    return float(mean), error, n_seeds, seconds, note


def digits(value: float) -> str:
    """Three decimals, four for small values."""
    return f"{value:.4f}" if abs(value) < 0.2 else f"{value:.3f}"


def recordings() -> list[str]:
    """The table of recordings."""
    notes: dict[str, str] = {}
    lines = [
        "| case | measure | reached (seeds) | target | | smoothing, or other baseline "
        "| GRU generator; gnODE before | CPU s a seed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, measure, name, baseline, known, target in ROWS:
        found = reached(case, measure)
        if found is None:
            continue
        mean, error, n_seeds, seconds, note = found
        shown = digits(mean) + (f" ± {digits(error)}" if error is not None else "") + f" ({n_seeds})"
        if note:
            notes.setdefault(note, f"[{len(notes) + 1}]")
            shown += f" {notes[note]}"
        verdict = "met" if mean >= target else "**missed**"
        lines.append(
            f"| {case} | {name} | {shown} | ≥ {target} | {verdict} | {baseline} | {known} | {seconds:.0f} |"
        )
    return lines + [f"\n{mark} {note}." for note, mark in notes.items()]


def planted(study: str) -> list[dict[str, Any]]:
    """Stored rows of a study of planted recordings."""
    path = RESULTS / f"planted_{study}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def mean_error(values: list[float]) -> str:
    """Mean ± standard error."""
    array = np.array(values, float)
    text = digits(float(array.mean()))
    return text + (f" ± {digits(float(array.std(ddof=1) / len(array) ** 0.5))}" if len(array) > 1 else "")


def grouped(rows: list[dict[str, Any]], key: str) -> dict[tuple[str, Any], list[dict[str, Any]]]:
    """Rows by case and by one of their settings."""
    groups: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["options"].get(key)), []).append(row)
    return groups


def summary(study: str, key: str, measures: dict[str, str]) -> list[str]:
    """A table of a study: one line for each case and setting."""
    rows = planted(study)
    if not rows:
        return []
    head = f"| system | {key} | seeds | " + " | ".join(measures.values()) + " |"
    lines = [head, "|" + "---|" * (3 + len(measures))]
    for (case, setting), members in grouped(rows, key).items():
        cells = [
            mean_error([row[name] for row in members]) if all(name in row for row in members) else "–"
            for name in measures
        ]
        lines.append(f"| {case} | {setting or 'default'} | {len(members)} | " + " | ".join(cells) + " |")
    return lines


def paired() -> str:
    """One sentence about gating: gated minus ungated, seed by seed."""
    rows = grouped(planted("gating"), "dynamics")
    parts = []
    for case in dict.fromkeys(case for case, _ in rows):
        gated, plain = rows.get((case, "gnode"), []), rows.get((case, "node"), [])
        if len(gated) == len(plain) and len(gated) > 1:
            for name, shown in (("co_bps", "co-bps"), ("state_r2", "state R²")):
                gain = np.array([a[name] - b[name] for a, b in zip(gated, plain)])
                error = gain.std(ddof=1) / len(gain) ** 0.5
                parts.append(f"{case} {shown} {gain.mean():+.3f} ± {error:.3f}")
    return "Gated minus ungated, paired by seed: " + "; ".join(parts) + "." if parts else ""


def figure(path: Path) -> None:
    """Co-smoothing and state agreement over the number of latents."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    rows = grouped(planted("dimension"), "latent_dim")
    cases = list(dict.fromkeys(case for case, _ in rows))
    drawn, axes = plt.subplots(1, len(cases), figsize=(4 * len(cases), 3), squeeze=False)
    for ax, case in zip(axes[0], cases):
        dims = sorted(dim for name, dim in rows if name == case)
        for measure, label in (
            ("co_bps", "co-smoothing (bits/spike)"), ("latent_r2", "truth from latents (R²)"),
            ("state_r2", "latents from truth (R²)"), ("members_r2", "latents from another seed's (R²)"),
        ):  # fmt: skip
            values = [[row[measure] for row in rows[case, dim]] for dim in dims]
            ax.errorbar(
                dims, [np.mean(v) for v in values], [np.std(v) / max(len(v), 1) ** 0.5 for v in values],
                marker="o", label=label,
            )  # fmt: skip
        ax.set(title=case, xlabel="latents", xscale="log", xticks=dims, xticklabels=dims)
        ax.minorticks_off()
    axes[0][0].legend(fontsize=7)
    drawn.tight_layout()
    drawn.savefig(path)


def main() -> None:
    words = (Path(__file__).parent / "fits.md.in").read_text(encoding="utf-8")
    if planted("dimension"):
        figure(DOCS / "dimension.svg")
    blocks = {
        "RECORDINGS": "\n".join(recordings()),
        "CALIBRATION": "\n".join(summary("calibration", "max_steps", {
            "latent_r2": "latent R²", "slope_visited": "drift slope, visited", "slope_sheet": "drift slope, noiseless",
            "cosine_sheet": "cosine, noiseless", "noise_ratio": "noise, fitted / true"})),
        "GATING": "\n".join(summary("gating", "dynamics", {
            "co_bps": "co-bps", "latent_r2": "latent R²", "state_r2": "state R²"})) + "\n\n" + paired(),
        "DIMENSION": "\n".join(summary("dimension", "latent_dim", {
            "validation": "validation bits/spike", "co_bps": "co-bps", "latent_r2": "truth from latents (R²)",
            "state_r2": "latents from truth (R²)", "members_r2": "latents from another seed's (R²)"})) or NOT_RUN,
    }  # fmt: skip
    for name, block in blocks.items():
        words = words.replace(f"@{name}@", block)
    (DOCS / "fits.md").write_text(words, encoding="utf-8")


if __name__ == "__main__":
    main()
