"""Tables and figures of the reproduction, as Markdown and SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.paper import claims, expressivity, real_world, trainability
from benchmarks.paper.networks import MODELS
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.files import atomic_path

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HEAD = """# The gnODE paper, run again

Kim, Can and Krishnamurthy, *Trainability, Expressivity and Interpretability in Gated Neural ODEs*, ICML 2023,
arXiv:2307.06398. Made by `python -m benchmarks.paper{flag}`; every number below is on trials that chose neither
weights nor settings. Errors are standard errors of the mean over {seeds} seeds.
{limits}"""
LIMITS = """
This is the short version: few steps, one learning rate, two seeds for trainability and expressivity and one for the
real-world tasks and attractors. Read differences between models with that in mind; `make paper` runs the full grids.
"""


def write(store: Store, scale: Scale, out: Path) -> None:
    """Write `README.md` and the figures of whatever has been computed."""
    flag = " --quick" if scale.name == "quick" else ""
    parts = [
        HEAD.format(flag=flag, seeds=scale.seeds, limits=LIMITS if flag else ""),
        _claims(store, scale),
        _trainability(store, scale),
    ]
    parts += [_attractors(store, out), _expressivity(store, scale, out), _real(store), _settings(scale)]
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text("\n".join(p for p in parts if p))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def mean_error(values: list[float], digits: int = 4) -> str:
    """Mean ± standard error."""
    a = np.asarray(values, float)
    error = f" ± {a.std(ddof=1) / len(a) ** 0.5:.{digits}f}" if len(a) > 1 else ""
    return f"{a.mean():.{digits}f}{error}"


def _claims(store: Store, scale: Scale) -> str:
    rows = [list(row) for row in claims.claims(store, scale)]
    return "## The claims\n\n" + table(["", "claim", "verdict", "numbers"], rows)


def _trainability(store: Store, scale: Scale) -> str:
    text = "## Trainability\n"
    for task in (*trainability.DIMS, "square, equal parameters", "square, initialisation"):
        rows = []
        for model in (*MODELS, "glorot", "critical_closed", "critical"):
            found = store.read("trainability", task, model)
            if found:
                setting = f"{found['learning_rate']:g}, {found['weight_decay']:g}"
                rows.append([model, str(found["latent_dim"]), str(found["n_parameters"]), mean_error(found["mse"]),
                             mean_error(found["r2"], 3), setting, f"{found['cpu_seconds']:.0f}"])  # fmt: skip
        if rows:
            head = ["model", "N", "parameters", "test MSE", "R²", "learning rate, decay", "CPU s"]
            text += f"\n**{task}** ({scale.n_train} trials to learn from, {scale.steps} steps)\n\n" + table(
                head, rows
            )
    return text


def _attractors(store: Store, out: Path) -> str:
    rows, drawn = [], {}
    for task in ("square", "rectangle", "disk", "ring", "fixed_2bit", "variable_3bit", "fixed_3bit"):
        found = store.read("attractors", task)
        if found is None:
            continue
        row = [task, f"{found['mse']:.2g}", f"{found['r2']:.4f}"]
        if "shape" in found:
            drawn[task] = found
            row += _measured(found)
        rows.append(row + [""] * (12 - len(row)))
    if not rows:
        return ""
    head = ["task", "test MSE", "R²", "shape", "stable points", "drift in 1 s", "with steps / 10", "in 10 s"]
    head += ["end points", "rates (1/s)", "gate without / with pulse", "drift in 1 s, gate open"]
    if drawn:
        _draw_attractors(drawn, out / "attractors.svg")
    return (
        "## Attractors\n\ngnODEs with a deep gate; two latents (six for the 3-bit tasks). Drift is the median over 200 "
        "remembered states, in half-widths of the task; rates are medians over the set after 1 s; shape and "
        "fixed points are those of `neurognode.interpret.portrait` over 1 s.\n\n"
        + table(head, rows)
        + ("\n![What is remembered after 1 s and after 10 s](attractors.svg)\n" if drawn else "")
    )


def _measured(found: dict) -> list[str]:
    points = found["fixed_points"]
    return [
        found["topology"],
        f"{points['stable']} of {points['fixed_points']}",
        f"{found['drift_1s']:.3f}",
        f"{found['drift_fine_steps']:.3f}",
        f"{found['drift_10s']:.3f}",
        str(found["end_points"]),
        " / ".join(f"{rate:.2f}" for rate in found["rates"]),
        f"{found['gate_quiet']:.2f} / {found['gate_pulse']:.2f}",
        f"{found['drift_open_gate']:.2f}",
    ]


def _draw_attractors(cells: dict, path: Path) -> None:
    figure, axes = plt.subplots(2, len(cells), figsize=(2.4 * len(cells), 5), squeeze=False)
    for column, (task, found) in enumerate(cells.items()):
        for row, key in enumerate(("outputs_1s", "outputs_10s")):
            points = np.asarray(found[key])
            axes[row, column].plot(*points.T, "o", ms=2.5, color="#2563eb", alpha=0.6, mew=0)
            axes[row, column].set_aspect("equal")
            axes[row, column].set_xlim(-2.6, 2.6)
            axes[row, column].set_ylim(-2.6, 2.6)
        axes[0, column].set_title(task)
    axes[0, 0].set_ylabel("after 1 s\noutput 2")
    axes[1, 0].set_ylabel("after 10 s\noutput 2")
    for ax in axes[1]:
        ax.set_xlabel("output 1")
    _save(figure, path)


def _expressivity(store: Store, scale: Scale, out: Path) -> str:
    dims = claims.critical_dims(store, scale)
    if not dims:
        return ""
    rows = [[f"{a}", model, str(depth), f"{n:g}"] for (a, model, depth), n in dims.items()]
    lengths = expressivity.SCALES[scale.name]
    figure, axes = plt.subplots(1, len(lengths), figsize=(4 * len(lengths), 3.2), squeeze=False, sharey=True)
    for ax, a in zip(axes[0], lengths):
        for model, style in (("nODE", "--"), ("gnODE", "-")):
            for depth in expressivity.WIDTHS:
                cells = {
                    n: store.read("expressivity", f"length {a}", f"{model} depth {depth}", f"N {n}")
                    for n in scale.latent_dims
                }
                known = {n: np.median(c["nmse"]) for n, c in cells.items() if c}
                if known:
                    ax.loglog(
                        list(known),
                        list(known.values()),
                        style,
                        marker="o",
                        ms=3,
                        color=f"C{depth}",
                        label=f"{model}, depth {depth}",
                    )
        ax.axhline(0.05, color="0.6", lw=0.8)
        ax.set(title=f"length scale {a} s", xlabel="latents N")
        ax.set_xticks(scale.latent_dims, [str(n) for n in scale.latent_dims])
        ax.minorticks_off()
    axes[0, 0].set_ylabel("normalised error")
    axes[0, -1].legend(fontsize=6)
    _save(figure, out / "expressivity.svg")
    return (
        "## Expressivity\n\nFour random smooth trajectories in two dimensions, from learned initial states; N* is the "
        "smallest number of latents with a median normalised error below 0.05. Paths that cross need N > 2.\n\n"
        + table(["length scale (s)", "model", "hidden layers", "N*"], rows)
        + "\n![Error over latents](expressivity.svg)\n"
    )


def _real(store: Store) -> str:
    rows = []
    names = [
        *(f"characters, {d:.0%} dropped" for d in (0, 0.3, 0.5, 0.7)),
        "digits, takes",
        "digits, speaker george",
        "walker",
    ]
    for task in names:
        for model in real_world.MODELS:
            found = store.read("real_world", task, model)
            if found and "accuracy" in found:
                rows.append([task, model, mean_error([100 * a for a in found["accuracy"]], 2) + " %"])
            elif found:
                rows.append([task, model, mean_error(found["squared_error"], 3)])
    if not rows:
        return ""
    published = "; ".join(f"{k}: {v}" for k, v in real_world.PUBLISHED.items())
    return f"## Real-world tasks\n\nPublished elsewhere: {published}.\n\n" + table(
        ["task", "model", "test"], rows
    )


def _settings(scale: Scale) -> str:
    rows = [[k, str(v)] for k, v in scale.settings().items()]
    return "## Settings\n\n" + table(["setting", "value"], rows)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
