"""Tables and figures of what goes beyond the paper: spikes of task networks, pruning, equations, proofs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.paper.beyond import CIRCUITS
from benchmarks.paper.beyond import TASKS as TASK_NETWORKS
from benchmarks.paper.drawing import plt, save, table
from benchmarks.paper.spikes import TASKS
from benchmarks.paper.store import Store


def spikes(store: Store, out: Path) -> str:
    """The sets that `LatentGNODE` finds in spikes of the trained networks."""
    found = {task: store.shown("spikes", task) for task in TASKS}
    known = {task: f for task, f in found.items() if f}
    if not known:
        return ""
    rows = [
        [task, f"{f['co_bps']:.3f}", f"{f['outputs_r2']:.3f}", f["topology"], str(f["stable"]), f"{f['drift_1s']:.3f}",
         f"{f['shape']['aspect']:.2f}", f"{f['shape']['radius_inner']:.2f} to {f['shape']['radius_outer']:.2f}"]
        for task, f in known.items()
    ]  # fmt: skip
    figure, axes = plt.subplots(1, len(known), figsize=(2.8 * len(known), 2.9), squeeze=False)
    for ax, (task, f) in zip(axes[0], known.items()):
        ax.plot(*np.asarray(f["outputs_1s"]).T, "o", ms=3, color="#2563eb", alpha=0.6, mew=0)
        ax.set(title=task, aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel="output 1")
    axes[0, 0].set_ylabel("after 1 s\noutput 2")
    save(figure, out / "spikes.svg")
    head = [
        "task",
        "co-smoothing (bits/spike)",
        "R² of the outputs",
        "shape",
        "stable points",
        "drift in 1 s",
        "aspect",
    ]
    return (
        "## From spikes of the trained networks\n\nPoisson spikes of 60 units with log rates linear in the outputs of "
        "the best network of each task (10 spikes/s, 180 trials of 1 s), fitted by `LatentGNODE(latent_dim=2)` with "
        "the task's inputs known and 12 units held out; measured on 60 further trials, in output coordinates "
        "(one affine map, from the training trials). One seed.\n\n"
        + table([*head, "radii"], rows)
        + "\n![Where the fitted flow has taken the last states of the trials after 1 s without input](spikes.svg)\n"
    )


def beyond(store: Store, out: Path) -> str:
    """Pruning, equations and proofs."""
    cells = {c: store.shown("beyond", "recording", c) for c in CIRCUITS}
    circuits = {c: f for c, f in cells.items() if f}
    tasks = {t: f for t in TASK_NETWORKS for f in [store.shown("beyond", "task network", t)] if f}
    parts = [
        _pruning(circuits, out) if circuits else "",
        _equations(circuits | tasks),
        _proofs(circuits | tasks),
    ]
    return "\n".join(p for p in parts if p)


def _pruning(circuits: dict[str, dict], out: Path) -> str:
    rows = []
    figure, ax = plt.subplots(figsize=(4, 3))
    for name, found in circuits.items():
        for level in found["levels"]:
            seen = f"{level['stable']} stable, {level['saddles']} saddles, {level['cycles']} cycles"
            rows.append([name, f"{level['share']:.0%}", f"{level['co_bps']:.4f}", f"{level['field_cosine']:.3f}",
                         str(level.get("live_units", "all")), level["topology"], seen])  # fmt: skip
        share = [100 * (1 - level["share"]) for level in found["levels"]]
        ax.semilogx(share, [level["co_bps"] for level in found["levels"]], "o-", ms=3, label=name)
    ax.set(xlabel="weights left (%)", ylabel="co-smoothing (bits/spike)")
    ax.set_xlim(110, 1.5)
    ax.set_xticks(ticks := [100, 50, 20, 10, 5, 2], [str(t) for t in ticks])
    ax.minorticks_off()
    ax.legend(fontsize=7)
    save(figure, out / "pruning.svg")
    head = [
        "circuit",
        "weights removed",
        "co-smoothing (bits/spike)",
        "cosine to the full field",
        "hidden units alive",
    ]
    return (
        "## Pruning the flow\n\n`LatentGNODE` fitted to simulated spikes of known circuits (60 units, 12 held out, 180 "
        "trials), then `neurognode.models.prune` step by step; 70 further trials are scored. One seed.\n\n"
        + table([*head, "shape of the slow set", "portrait"], rows)
        + "\n![Co-smoothing over the weights left](pruning.svg)\n"
    )


def _equations(found: dict[str, dict]) -> str:
    if not found:
        return ""
    rows = []
    for name, cell in found.items():
        for degree, e in cell["equations"].items():
            rows.append([name, degree, str(e["terms"]), f"{max(e['error']):.3f}", f"{e['path_error']:.3f}"])
    text = "## Flows as equations\n\n`neurognode.interpret.equations`: sparse polynomials read from the fitted fields "
    text += "of the circuits and of the best task networks; errors are on states that neither fitted nor chose them "
    text += "(root mean square in spreads of the velocity; paths after a trial length in diameters of the region). "
    text += "On a remembered set what is left of the flow is a fine pattern of sinks and saddles, which "
    text += "polynomials of low degree lack: there, a large error of the velocity goes with paths that hardly part, "
    text += "since all of them hardly move.\n\n"
    text += table(["field", "degree", "terms", "error of the velocity", "distance of the paths"], rows)
    for name in (c for c in CIRCUITS if c in found):
        text += f"\n{name}, degree 3:\n\n```\n{found[name]['equations']['3']['text']}\n```\n"
    return text


def _proofs(found: dict[str, dict]) -> str:
    if not found:
        return ""
    rows, cut = [], []
    for name, cell in found.items():
        proof = cell["proof"]
        kinds = ", ".join(f"{proof['kind'].count(k)} {k}" for k in dict.fromkeys(proof["kind"])) or "none"
        rest = f"{proof['undecided']} boxes undecided" if proof["undecided"] else "no other, by proof"
        inside = f"{sum(proof['inside'])} : {len(proof['searched'])}"
        rows.append([name, kinds, inside, rest])
        for tolerance, (n, error, moving, unfinished) in cell["pieces"].items():
            left = f"{unfinished} of {n}" if unfinished else "none"
            cut.append([name, f"{float(tolerance):.0%}", str(n), f"{error:.1%}", f"{moving:.0%}", left])
    text = "## Proofs\n\n`neurognode.interpret.proved_fixed_points` on the same fields: fixed points that exist and "
    text += "are unique in their boxes; how many of them lie in the visited region, beside those that the search of "
    text += "the portraits finds there; and what is left of the region and its margin.\n\n"
    text += table(["field", "proved", "in the region, proved : found by search", "elsewhere"], rows)
    text += "\n`neurognode.interpret.piecewise_affine`: pieces that a proved error needs (in typical speeds), at most "
    text += (
        "8,000. Where states rest on points the typical speed is next to none, and no number of pieces gets "
    )
    text += "below it.\n\n" + table(
        ["field", "tolerance", "pieces", "proved error", "pieces proved to move", "above the tolerance"], cut
    )
    return text
