"""Tables and figures of the reproduction, as Markdown and SVG."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paper import claims, expressivity, initialisation, real_world, report_beyond, trainability
from benchmarks.paper.drawing import mean_error, plt, table
from benchmarks.paper.drawing import save as _save
from benchmarks.paper.networks import MODELS
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store
from neurognode.files import atomic_path

HEAD = """# The gnODE paper, run again

Kim, Can and Krishnamurthy, *Trainability, Expressivity and Interpretability in Gated Neural ODEs*, ICML 2023,
arXiv:2307.06398. Made by `{command}`; every number below is on trials that chose neither weights nor settings.
Errors are standard errors of the mean over seeds, five unless a table says otherwise.

`make paper` is the one command (`make paper QUICK=1` for ten minutes, `make paper FULL=1` for the grids of learning
rates and decays): the experiments are no part of the installed package, they need this repository. Every number is a
cell, a JSON file under `results/`; a run goes on where it stopped, `ONLY=attractors` runs one part, and several
processes may share the work.{short}
"""
SHORT = " Where this size has no result yet, the short version stands in, marked †: fewer steps, two seeds or one."
COMMANDS = {"quick": "make paper QUICK=1", "standard": "make paper", "full": "make paper FULL=1"}


def write(store: Store, scale: Scale, out: Path) -> None:
    """Write `README.md` and the figures of whatever has been computed."""
    parts = [
        HEAD.format(command=COMMANDS[scale.name], short=SHORT if store.instead else ""),
        _claims(store, scale),
        _trainability(store, scale, out),
    ]
    parts += [
        _initialisation(store, out),
        _attractors(store, out),
        _expressivity(store, scale, out),
        _real(store),
    ]
    parts += [report_beyond.spikes(store, out), report_beyond.beyond(store, out), _settings(scale)]
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text("\n".join(p for p in parts if p))


def _claims(store: Store, scale: Scale) -> str:
    rows = [list(row) for row in claims.claims(store, scale)]
    return "## The claims\n\n" + table(["", "claim", "verdict", "numbers"], rows)


def _trainability(store: Store, scale: Scale, out: Path) -> str:
    text = "## Trainability\n"
    curves: dict[str, dict[str, list[dict]]] = {}
    for task in (*trainability.DIMS, "square, equal parameters"):
        rows = []
        for model in MODELS:
            found = store.shown("trainability", task, model)
            if found:
                setting = f"{found['learning_rate']:g}, {found['weight_decay']:g}"
                row = [model + dagger(found), str(found["latent_dim"]), str(found["n_parameters"])]
                row += [mean_error(found["mse"]), mean_error(found["r2"], 3), setting, str(len(found["mse"]))]
                rows.append([*row, f"{found['cpu_seconds']:.0f}"])
                curves.setdefault(task, {})[model] = found["history"]
        if rows:
            head = ["model", "N", "parameters", "test MSE", "R²", "learning rate, decay", "seeds", "CPU s"]
            text += f"\n**{task}** ({scale.n_train} trials to learn from, {scale.steps} steps)\n\n" + table(
                head, rows
            )
    if curves:
        _draw_curves(curves, out / "trainability.svg")
        text += "\n![Validation error and gradient norm over steps](trainability.svg)\n"
    return text


def _draw_curves(curves: dict[str, dict[str, list[dict]]], path: Path) -> None:
    figure, axes = plt.subplots(2, len(curves), figsize=(3.4 * len(curves), 5), squeeze=False, sharex="col")
    for column, (task, models) in enumerate(curves.items()):
        for model, history in models.items():
            steps = [h["step"] for h in history]
            for row, key in enumerate(("validation", "gradient_norm")):
                values = [np.median(h[key]) for h in history]
                axes[row, column].semilogy(steps, values, color=COLOURS[model], lw=1.2, label=model)
        axes[0, column].set_title(task, fontsize=9)
        axes[1, column].set_xlabel("step")
    axes[0, 0].set_ylabel("validation error")
    axes[1, 0].set_ylabel("gradient norm")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, ncols=len(labels), loc="upper center", frameon=False)
    _save(figure, path, top=0.94)


COLOURS = dict(zip(MODELS, ("#9ca3af", "#f59e0b", "#10b981", "#8b5cf6", "#ef4444", "#2563eb", "#0c1e5b")))


def _initialisation(store: Store, out: Path) -> str:
    rows, drawn = [], []
    for task, setting in claims.initialisation_settings(store):
        plain, critical = (store.shown("initialisation", task, setting, i) for i in initialisation.INITS)
        if plain and critical:
            rows.append([task, setting, _spread(critical["mse"]), _spread(plain["mse"])])
            drawn.append((f"{task}\n{setting}", critical["curve"], plain["curve"]))
    if not rows:
        return ""
    columns = min(3, len(drawn))
    lines = -(-len(drawn) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.2 * columns, 2.3 * lines), squeeze=False)
    for ax, (title, critical, plain) in zip(axes.flat, drawn):
        ax.semilogy(*zip(*plain), color="#9ca3af", label="default (Glorot)")
        ax.semilogy(*zip(*critical), color="#2563eb", label="critical")
        ax.set_title(title, fontsize=8)
    for ax in axes.flat[len(drawn) :]:
        ax.set_visible(False)
    axes[0, 0].legend(fontsize=7)
    for ax in axes[-1]:
        ax.set_xlabel("step", fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("validation error", fontsize=9)
    _save(figure, out / "initialisation.svg")
    return (
        f"## Initialisation\n\nNeural ODEs without a gate after {initialisation.STEPS} steps at one learning rate; the "
        "critical initialisation is the closed form.\n\n"
        + table(["task", "flow", "test MSE, critical: median (range)", "default"], rows)
        + "\n![Validation error over steps](initialisation.svg)\n"
    )


def _spread(values: list[float]) -> str:
    return f"{np.median(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def _attractors(store: Store, out: Path) -> str:
    rows, drawn = [], {}
    for task in ("square", "rectangle", "disk", "ring", "fixed_2bit", "variable_3bit", "fixed_3bit"):
        found = store.shown("attractors", task)
        if found is None:
            continue
        row = [task + dagger(found), mean_error(found["mse"], 5), mean_error(found["r2"])]
        if "members" in found:
            drawn[task] = found["members"][found["best"]]
            row += _measured(found["members"])
        rows.append(row + [""] * (13 - len(row)))
    if not rows:
        return ""
    head = ["task", "test MSE", "R²", "shape", "stable points", "drift in 1 s", "with steps / 10", "in 10 s"]
    head += ["end points", "rates (1/s)", "gate", "imbalance", "drift in 1 s, gate open"]
    if drawn:
        _draw_attractors(drawn, out / "attractors.svg")
    return (
        "## Attractors\n\ngnODEs with a deep gate, all seeds; two latents (six for the 3-bit tasks). Medians over "
        "seeds; drift is the median over 200 remembered states, in half-widths of the task; rates are medians over the "
        "set after 1 s; gate and imbalance (the norm of F - h) are without input over in a pulse; shape and "
        "fixed points are those of `neurognode.interpret.portrait` over 1 s. The figure shows the best seed.\n\n"
        + table(head, rows)
        + ("\n![What is remembered after 1 s and after 10 s](attractors.svg)\n" if drawn else "")
    )


def _measured(members: list[dict]) -> list[str]:
    def median(pick: Any) -> float:
        return float(np.median([pick(m) for m in members]))

    names = Counter(m["topology"] for m in members).most_common()
    points = [[m["fixed_points"][k] for m in members] for k in ("stable", "fixed_points")]
    return [
        ", ".join(f"{name} ({count})" for name, count in names),
        f"{np.median(points[0]):.0f} of {np.median(points[1]):.0f}",
        mean_error([m["drift_1s"] for m in members], 3),
        f"{median(lambda m: m['drift_fine_steps']):.3f}",
        f"{median(lambda m: m['drift_10s']):.3f}",
        f"{median(lambda m: m['end_points']):.0f}",
        " / ".join(f"{rate:.2f}" for rate in np.median([m["rates"] for m in members], axis=0)),
        f"{median(lambda m: m['gate_quiet'] / m['gate_pulse']):.2f}",
        f"{median(lambda m: m['imbalance_quiet'] / m['imbalance_pulse']):.2f}",
        f"{median(lambda m: m['drift_open_gate']):.2f}",
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
    rows = [[f"{a}", model, str(depth), claims.shown(n)] for (a, model, depth), n in dims.items()]
    lengths = sorted({a for a, _, _ in dims}, reverse=True)
    figure, axes = plt.subplots(1, len(lengths), figsize=(4 * len(lengths), 3.2), squeeze=False, sharey=True)
    for ax, a in zip(axes[0], lengths):
        for model, style in (("nODE", "--"), ("gnODE", "-")):
            for depth in scale.depths:
                cells = {
                    n: store.shown(
                        "expressivity", f"length {a}", expressivity.model(model == "gnODE", depth), f"N {n}"
                    )
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
    axes[0, -1].legend(fontsize=7, handlelength=3.5)
    _save(figure, out / "expressivity.svg")
    return (
        "## Expressivity\n\nFour random smooth trajectories in two dimensions, from learned initial states; N* is the "
        "smallest number of latents with a median normalised error below 0.05, with its 95 % interval over seeds. "
        "Flows have about as many weights at every depth. Paths that cross need N > 2.\n\n"
        + table(["length scale (s)", "model", "hidden layers", "N*"], rows)
        + "\n![Error over latents](expressivity.svg)\n"
        + _variants(store, scale)
    )


def _variants(store: Store, scale: Scale) -> str:
    """N* with the same width in every layer, and with other activations."""
    rows = []
    for variant in expressivity.VARIANTS:
        for (a, model, depth), n in claims.critical_dims(store, scale, variant).items():
            if a == min(scale.lengths) and depth:
                rows.append(
                    [variant.removeprefix(", ") or "tanh, equal weights", model, str(depth), claims.shown(n)]
                )
    if len({row[0] for row in rows}) < 2:
        return ""
    text = (
        f"\nThe same at length scale {min(scale.lengths)} s with 32 units in every hidden layer (tanh), and with about "
        "equal weights and other activations; N up to 16.\n\n"
    )
    return text + table(["variant", "model", "hidden layers", "N*"], rows)


def _real(store: Store) -> str:
    rows = []
    names = [f"characters, {d:.0%} dropped" for d in (0, 0.3, 0.5, 0.7)]
    for task in [*names, "digits, takes", "digits, speaker george", "walker"]:
        for model in (*real_world.MODELS, *real_world.REFERENCES):
            key = ("walker", model) if task == "walker" else ("real_world", task, model)
            found = store.shown(*key)
            if found:
                rows.append([task, model + dagger(found), *_reached(task, found)])
        for model, figure in real_world.PUBLISHED.get(task, []):
            rows.append([task, f"{model}, as published", figure, "", "", ""])
    if not rows:
        return ""
    text = (
        "## Real-world tasks\n\nCharacters and digits: accuracy; walker: squared error of the next state in the "
        "data's units, predictions kept inside the range of the training data (the simulator clips two of the 17 "
        "velocities in a quarter of the samples). Elapsed time enters fields as time; GRU and LSTM get it as one "
        f"more input (walker). {_about_references(rows)}The aim is 98.8 % for characters, 98 % for takes of digits, "
        f"and less than 0.64 for the walker. {real_world.SOURCES}\n\n"
    )
    head = ["task", "model", "test", "beyond the aim", "seeds", "weights"]
    return text + table(head, rows)


def _about_references(rows: list[list[str]]) -> str:
    own = [row[1].removesuffix(" †") for row in rows]
    run = [model for model in real_world.REFERENCES if model in own]
    if not run:
        return "The two references of `benchmarks/paper/references.py` have not been run at this size. "
    return f"{' and '.join(run)}: plain versions of a hundred lines (`benchmarks/paper/references.py`), two seeds. "


def _reached(task: str, found: dict) -> list[str]:
    """Test figure, by how much it is better (+) or worse (-) than the aim, seeds, weights."""
    aim = next((v for k, v in real_world.AIMS.items() if task.startswith(k)), None)
    if task == "walker":
        errors, weights = found["squared_error"], str(found["n_weights"])
        assert aim is not None
        steps = found["steps"] if "steps" in found else found["curve"][-1][0]
        return [
            f"{mean_error(errors, 3)} after {steps} steps",
            f"{aim - float(np.mean(errors)):+.3f}",
            str(len(errors)),
            weights,
        ]
    percent = [100 * a for a in found["accuracy"]]
    off = "" if aim is None else f"{float(np.mean(percent)) - 100 * aim:+.2f}"
    return [f"{mean_error(percent, 2)} %", off, str(len(percent)), ""]


def dagger(found: dict) -> str:
    """Mark of a result that comes from the short version."""
    return " †" if found.get("short") else ""


def _settings(scale: Scale) -> str:
    rows = [[k, str(v)] for k, v in scale.settings().items()]
    return "## Settings\n\n" + table(["setting", "value"], rows)
