"""Fill the tables and the figure of docs/integration.md from stored results: ``python -m benchmarks.speed.report``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "integration.md"
SHAPES = ("S1", "S2", "S3", "S4")
TARGETS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "torch eager, Euler": ("torch eager", "euler", (12, 4, 2.5, 27)),
    "torch eager, Runge-Kutta": ("torch eager", "rk4", (12, 4, 2.5, 27)),
    "torchdiffeq, Euler": ("torchdiffeq", "euler", (16, 5, 4, 38)),
    "torchdiffeq, Runge-Kutta": ("torchdiffeq", "rk4", (16, 5, 4, 38)),
    "torchdiffeq adjoint, Runge-Kutta": ("torchdiffeq adjoint", "rk4", (40, 10, 8, 60)),
    "`jax.lax.scan`, Euler": ("jax.lax.scan", "euler", (2.2, 2, 2, 2.8)),
    "`jax.lax.scan`, Runge-Kutta": ("jax.lax.scan", "rk4", (3, 2.4, 2, 5)),
    "diffrax, Euler": ("diffrax", "euler", (5, 4, 4, 10)),
}
"""Row of the table: candidate, method, and the ratio aimed at for each shape."""
RATE_TARGETS = (0.5, 0.8, 0.8, 0.7)


def load(section: str) -> dict[str, Any]:
    """Stored results of a section of ``benchmarks.speed.integrate``."""
    return json.loads((RESULTS / f"{section}.json").read_text())


def _peer_files() -> list[Path]:
    return sorted(RESULTS.glob("integrate_peers_*.json"))


def _peers() -> dict[tuple[str, str, str], dict[str, Any]]:
    rows = [row for file in _peer_files() for row in json.loads(file.read_text())["rows"]]
    return {(row["shape"], row["method"], row["candidate"]): row for row in rows}


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def targets() -> str:
    """Ratios against what was aimed at; bold where it is reached."""
    peers, rows = _peers(), []
    for name, (candidate, method, aims) in TARGETS.items():
        cells = []
        for shape, aim in zip(SHAPES, aims):
            row = peers.get((shape, method, candidate))
            cells.append(_against(row["ratio"], aim) if row else "did not run")
        rows.append([name, *cells])
    shares = [peers[shape, "rk4", "neurognode"]["share_of_gemm"] for shape in SHAPES]
    cells = [_against(share, aim) for share, aim in zip(shares, RATE_TARGETS)]
    return table(
        ["times our CPU time", *SHAPES],
        [*rows, ["share of one core's matrix product rate, Runge-Kutta", *cells]],
    )


def _against(value: float, aim: float) -> str:
    shown = f"{value:.2f}" if value < 10 else f"{value:.1f}"
    return f"**{shown}** ({aim:g})" if value >= aim else f"{shown} ({aim:g})"


def everyone() -> str:
    """CPU milliseconds of every candidate at every shape and method."""
    peers = _peers()
    candidates = list(dict.fromkeys(name for *_, name in peers))
    rows = []
    for method in dict.fromkeys(method for _, method, _ in peers):
        for candidate in candidates:
            cells = [peers.get((shape, method, candidate)) for shape in SHAPES]
            if any(cells):
                rows.append([method, candidate, *("-" if c is None else f"{c['cpu_ms']:.3g}" for c in cells)])
    return table(["method", "candidate", *(f"{s} (CPU ms)" for s in SHAPES)], rows)


def where() -> str:
    """The machine, versions and how busy it was."""
    machines = [json.loads(file.read_text())["machine"] for file in _peer_files()]
    first = machines[0]
    packages = ", ".join(f"{p} {first[p]}" for p in ("torch", "torchdiffeq", "torchode", "jax", "diffrax"))
    loads = [float(m[k]) for m in machines for k in ("load", "load after")]
    rate = first["GEMM GFLOP/s, one thread"]
    return (
        f"{first['processor']}, {first['cores']} cores, one thread; {packages}; matrix products of "
        f"torch (512 x 512) run at {rate} GFLOP/s. Load average meanwhile: {min(loads):g} to {max(loads):g}."
    )


def others() -> str:
    """Shapes nobody tuned for."""
    rows = [
        [
            r["shape"],
            r["size"],
            r["method"],
            f"{r['cpu_ms']:.3g}",
            f"{r['eager_cpu_ms']:.3g}",
            f"{r['ratio']:.3g}",
        ]
        for r in load("integrate_others")["rows"]
    ]
    return table(["shape", "size", "method", "CPU ms", "eager CPU ms", "ratio"], rows)


def simple(section: str) -> str:
    """All rows of a section as they are."""
    rows = load(section)["rows"]
    return table(list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 10 else f"{value:.0f}" if isinstance(
        value, float
    ) else str(value)  # fmt: skip


def slower() -> str:
    """The smallest ratios of the sweep over widths, depths and numbers of trials."""
    rows = sorted(load("integrate_sweep")["rows"], key=lambda r: r["ratio"])
    lost = sum(r["ratio"] < 1 for r in rows)
    shown = [
        [str(r[k]) for k in ("width", "depth", "batch", "steps")]
        + [f"{r['cpu_ms']:.3g}", f"{r['ratio']:.2f}"]
        for r in rows[:6]
    ]
    lead = f"{len(rows)} combinations; slower than eager at {lost}. The six smallest ratios:\n\n"
    return lead + table(["width", "depth", "trials", "steps", "CPU ms", "eager / ours"], shown)


def convergence_figure() -> None:
    """Error against the step, on logarithmic axes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "convergence"
    figure, axis = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for row in load("integrate_convergence")["rows"]:
        counts = [int(k.removeprefix("error_")) for k in row if k.startswith("error_")]
        label = f"{row['method']}, order {row['order']:.2f}"
        axis.loglog([10 / n for n in counts], [row[f"error_{n}"] for n in counts], "o-", label=label)
    axis.set(xlabel="step (ms), time constant 100 ms", ylabel="error of the states")
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(DOCS / "integration_convergence.svg", metadata={"Date": None})
    plt.close(figure)


PARTS = {
    "where": where,
    "targets": targets,
    "everyone": everyone,
    "others": others,
    "sweep": slower,
    "gradients": lambda: simple("integrate_gradients"),
    "convergence": lambda: simple("integrate_convergence"),
    "length": lambda: simple("integrate_length"),
    "trials": lambda: simple("integrate_trials"),
    "population": lambda: simple("integrate_population"),
    "threads": lambda: simple("integrate_threads"),
    "parallel": lambda: simple("parallel_in_time"),
}


def main() -> None:
    text = PAGE.read_text()
    for name, make in PARTS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        assert re.search(pattern, text, flags=re.S), f"docs/integration.md has no place for {name}"
        made = make()
        text = re.sub(pattern, lambda m, made=made: m[1] + made + "\n" + m[2], text, flags=re.S)
    PAGE.write_text(text)
    convergence_figure()


if __name__ == "__main__":
    main()
