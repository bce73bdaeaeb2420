"""Confusion matrix on known fields: every circuit, several seeds, the field itself and latents with noise.

Run from the repository's root: ``python -m benchmarks.truth.fields --seeds 5``. Results go to
``benchmarks/truth/results/fields.csv`` (one row a circuit, seed and hypothesis) and ``fields.md`` (the summary).

Thresholds of the hypotheses were set on the circuits' default parameters and on parameter sets 0 to 3 of this script;
the stored results are of sets 10 to 13: other parameters, other affine maps, uneven trials.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.truth.planted import planted
from neurognode.hypotheses.base import View
from neurognode.hypotheses.judging import hypotheses_named, judge
from neurognode.interpret import Flow, portrait
from neurognode.synthetic import circuits

HERE = Path(__file__).parent


def view_of(circuit: Any, seed: int, n_trials: int, bin_size: float = 0.02) -> View:
    """The exact field with simulated, uneven trials."""
    simulated = circuit.simulate(n_trials, dt=0.005, random_state=seed)
    states = simulated.latents[:, ::4].copy()
    rng = np.random.default_rng(seed)
    for trial in range(n_trials):
        states[trial, int(states.shape[1] * rng.uniform(0.7, 1.0)) :] = np.nan
    inputs = None if simulated.inputs is None else simulated.inputs[:, ::4]
    picture = portrait(
        circuit.field, states, horizon=circuit.duration, bin_size=bin_size, diffusion=circuit.noise, n_starts=512,
        random_state=seed,
    )  # fmt: skip
    return View(picture, Flow(circuit.field), states, bin_size, inputs, simulated.columns)


def fixed_points(circuit: Any, picture: Any) -> tuple[int, int, int]:
    """Isolated fixed points in the region's box: true ones, those found to 1e-6 of the diameter, invented ones."""
    lower, upper = picture.region.box(0.2)
    key = circuit.key.fixed_points
    true = key[((key >= lower) & (key <= upper)).all(1)]
    fixed = picture.fixed_points
    found = fixed.points[fixed.isolated & ((fixed.points >= lower) & (fixed.points <= upper)).all(1)]
    gap = np.linalg.norm(true[:, None] - found[None], axis=2) < 1e-6 * picture.region.diameter
    return (
        len(true),
        int(gap.any(1).sum()) if len(found) else 0,
        int((~gap.any(0)).sum()) if len(true) else len(found),
    )


def main(seeds: int, n_trials: int, names: list[str], first: int) -> None:
    """Write one row a circuit, seed and hypothesis, and the summary."""
    hypotheses = hypotheses_named(None)
    rows, points = [], Counter()
    for name in names:
        for seed in range(first, first + seeds):
            start = time.process_time()
            circuit = planted(name, seed)
            views = [view_of(circuit, 100 * seed + k, n_trials) for k in range(2)]
            verdicts = judge(views, hypotheses)
            for view in views:
                true, found, invented = fixed_points(circuit, view.portrait)
                points.update({"true": true, "found": found, "invented": invented})
            allowed = {circuit.hypothesis, *circuit.also_true}
            for v in verdicts:
                rows.append(
                    {
                        "circuit": name, "seed": seed, "hypothesis": v.hypothesis, "status": v.status,
                        "planted": v.hypothesis == circuit.hypothesis, "allowed": v.hypothesis in allowed,
                        "statistic": f"{v.statistic:.4g}", "variant": v.variant, "reason": v.reason,
                    }
                )  # fmt: skip
            print(
                f"{name} {seed}: {verdicts.supported()} ({time.process_time() - start:.1f} CPU s)", flush=True
            )
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with open(results / "fields.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (results / "fields.md").write_text(summary(rows, points, seeds, n_trials))
    print(summary(rows, points, seeds, n_trials))


def summary(rows: list[dict[str, Any]], points: Counter, seeds: int, n_trials: int) -> str:
    """The confusion matrix and the rates that matter, as Markdown."""
    names = list(dict.fromkeys(row["circuit"] for row in rows))
    tested = list(dict.fromkeys(row["hypothesis"] for row in rows))
    lines = [
        f"Exact fields, {seeds} parameter sets a circuit, {n_trials} trials, two sets of states each.",
        "",
    ]
    lines += [
        "| circuit | " + " | ".join(t.replace("_", " ") for t in tested) + " |",
        "|---" * (len(tested) + 1) + "|",
    ]
    for name in names:
        cells = []
        for hypothesis in tested:
            own = [r for r in rows if r["circuit"] == name and r["hypothesis"] == hypothesis]
            count = sum(r["status"] == "supported" for r in own)
            open_ones = sum(r["status"] == "cannot_tell" for r in own)
            mark = "**" if own[0]["planted"] else "*" if own[0]["allowed"] else ""
            cells.append(f"{mark}{count}{mark}" + (f" ({open_ones}?)" if open_ones else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    right = [r for r in rows if r["planted"]]
    wrong = [r for r in rows if not r["allowed"]]
    datasets = len({(r["circuit"], r["seed"]) for r in rows})
    false = len({(r["circuit"], r["seed"]) for r in wrong if r["status"] == "supported"})
    lines += [
        "",
        "Sets in which the hypothesis is supported; in brackets, cannot tell. Bold: planted; italic: also true.",
        "",
        f"- planted hypothesis supported: {sum(r['status'] == 'supported' for r in right)} of {len(right)}; "
        f"rejected: {sum(r['status'] == 'rejected' for r in right)}",
        f"- sets in which a wrong hypothesis is supported: {false} of {datasets}",
        f"- isolated fixed points in the region's box: {points['found']} of {points['true']} found, "
        f"{points['invented']} invented",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--circuits", nargs="*", default=circuits.names())
    options = parser.parse_args()
    main(options.seeds, options.trials, options.circuits, options.first_seed)
