"""The paper's claims, each marked reproduced, not reproduced or not run, with its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.paper import expressivity
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store

Verdict = tuple[str, str, str, str]
YES, NO, PART, NOT_RUN = "reproduced", "**not reproduced**", "in part", "not run"


def claims(store: Store, scale: Scale) -> list[Verdict]:
    """Rows (number, claim, verdict, numbers)."""
    return [
        *_exact(store), *_gating(store), *_attractors(store), *_expressivity(store, scale), *_real(store)
    ]  # fmt: skip


def _exact(store: Store) -> Iterator[Verdict]:
    found = store.read("exactness", "all")
    if found is None:
        yield ("C1-C3", "cells, generators and optimiser are those of the released code", NOT_RUN, "")
        return
    good = found["cells"] < 1e-6 and found["counts"] == 0
    numbers = f"largest difference {found['cells']:.0e}; wrong parameter counts {found['counts']}"
    yield (
        "C1",
        "RNN and mGRU are shallow (gated) neural ODEs with Euler steps",
        YES if good else NO,
        numbers,
    )
    share = f"largest relative difference {found['generators']:.1%}"
    yield ("C2", "generators have the paper's statistics", YES if found["generators"] < 0.02 else NO, share)
    off = f"largest difference {found['optimiser']:.0e}"
    yield (
        "C3",
        "decay shrinks weights whatever the learning rate",
        YES if found["optimiser"] < 1e-6 else NO,
        off,
    )
    yield ("C4, C5", "critical initialisation; Jacobians at fixed points", "in the tests", "tests/dynamics")


def _mse(store: Store, task: str, model: str) -> np.ndarray | None:
    found = store.read("trainability", task, model)
    return None if found is None else np.asarray(found["mse"])


def _gating(store: Store) -> Iterator[Verdict]:
    one, two = _mse(store, "variable_3bit", "gnODE"), _mse(store, "variable_3bit", "nODE")
    three, four = _mse(store, "variable_3bit", "mGRU"), _mse(store, "variable_3bit", "RNN")
    text = "gating lowers the error on the variable 3-bit task, N = 6"
    if one is None or two is None or three is None or four is None:
        yield ("C6", text, NOT_RUN, "")
    else:
        better = [bool((one < two).mean() >= 0.8), bool((three < four).mean() >= 0.8)]
        numbers = (
            f"gnODE {one.mean():.4f} : nODE {two.mean():.4f}; mGRU {three.mean():.4f} : RNN {four.mean():.4f}"
        )
        yield ("C6", text, YES if all(better) else PART if any(better) else NO, numbers)
    fixed = {m: store.read("trainability", "fixed_3bit", m) for m in ("mGRU", "gnODE", "gnODE, deep gate")}
    known = {m: float(np.mean(f["r2"])) for m, f in fixed.items() if f}
    numbers = ", ".join(f"{m} R² {v:.3f}" for m, v in known.items())
    verdict = NOT_RUN if not known else YES if max(known.values()) >= 0.95 else NO
    yield ("C7", "gated nets solve the fixed 3-bit task at N = 6 (R² ≥ 0.95)", verdict, numbers)
    plain, critical = (_mse(store, "square, initialisation", i) for i in ("glorot", "critical_closed"))
    text = "critical initialisation lowers the nODE's error at equal steps (2-bit square)"
    if plain is None or critical is None:
        yield ("C8", text, NOT_RUN, "")
    else:
        numbers = f"median {np.median(critical):.4f} : {np.median(plain):.4f} (glorot)"
        yield ("C8", text, YES if np.median(critical) < np.median(plain) else NO, numbers)
    models = ("gnODE", "gnODE, deep gate", "nODE", "RNN", "mGRU", "GRU")
    square = {m: _mse(store, "square", m) for m in models}
    known = {m: float(v.mean()) for m, v in square.items() if v is not None}
    if len(known) < len(models):
        yield ("C9", "at N = 2 the gnODE beats RNN, mGRU and GRU on the square", NOT_RUN, "")
        return
    best = min(known["gnODE"], known["gnODE, deep gate"])
    good = best <= 0.02 and min(known[m] for m in ("RNN", "mGRU", "GRU")) >= 0.07
    numbers = ", ".join(f"{m} {v:.4f}" for m, v in known.items())
    yield ("C9", "at N = 2, square: gnODE ≤ 0.02, RNN, mGRU, GRU ≥ 0.07", YES if good else PART, numbers)


def _attractors(store: Store) -> Iterator[Verdict]:
    found = {t: store.read("attractors", t) for t in ("square", "rectangle", "disk", "ring", "fixed_2bit")}
    if any(f is None for f in found.values()):
        yield ("C10-C13", "the sets that two-latent gnODEs remember", NOT_RUN, "")
        return
    cells = {t: f for t, f in found.items() if f is not None}
    continua = ("square", "rectangle", "disk", "ring")
    drift = {t: cells[t]["drift_1s"] for t in continua}
    ends = ", ".join(f"{t} {cells[t]['end_points']}" for t in continua)
    numbers = (
        ", ".join(f"{t} {v:.3f}" for t, v in drift.items()) + f"; distinct end points after 10 s: {ends}"
    )
    kept = [v <= 0.1 for v in drift.values()]
    verdict = YES if all(kept) else PART if any(kept) else NO
    yield ("C10", "median drift in 1 s without input ≤ 0.1 half-widths", verdict, numbers)
    shapes = {t: cells[t]["shape"] for t in cells}
    checks = {
        f"aspect of the square {shapes['square']['aspect']:.2f}": abs(shapes["square"]["aspect"] - 1) < 0.1,
        f"of the rectangle {shapes['rectangle']['aspect']:.2f}": abs(shapes["rectangle"]["aspect"] - 2) < 0.2,
        f"radius of the ring {shapes['ring']['radius_median']:.2f}": abs(shapes["ring"]["radius_median"] - 2)
        < 0.1,
        f"radii of the annulus {shapes['disk']['radius_inner']:.2f} to {shapes['disk']['radius_outer']:.2f}": (
            abs(shapes["disk"]["radius_inner"] - 1) < 0.15 and abs(shapes["disk"]["radius_outer"] - 2) < 0.15
        ),
        f"end points of the fixed task {cells['fixed_2bit']['end_points']}, near corners "
        f"{shapes['fixed_2bit']['near_corners']:.0%}": cells["fixed_2bit"]["end_points"] == 4
        and shapes["fixed_2bit"]["near_corners"] > 0.95,
    }
    verdict = YES if all(checks.values()) else PART if any(checks.values()) else NO
    yield ("C11", "the remembered sets have the shape of the task", verdict, "; ".join(checks))
    slow = {t: cells[t]["rates"] for t in continua}
    ratio = {t: cells[t]["gate_quiet"] / cells[t]["gate_pulse"] for t in continua}
    good = all(abs(r[1]) < 0.3 for r in slow.values()) and slow["ring"][0] < -1 and max(ratio.values()) < 0.3
    rates = "; ".join(f"{t} {r[0]:.2f}, {r[1]:.2f} 1/s" for t, r in slow.items())
    gates = ", ".join(f"{t} {v:.2f}" for t, v in ratio.items())
    yield ("C12", "slow rates on the sets; closed gates without input", YES if good else PART,
           f"median rates {rates}; gate without : with pulse {gates}")  # fmt: skip
    worse = {t: cells[t]["drift_open_gate"] / max(cells[t]["drift_1s"], 1e-6) for t in continua}
    numbers = "drift with the gate held open / as trained: " + ", ".join(
        f"{t} {v:.1f}" for t, v in worse.items()
    )
    yield ("C13", "memory needs the closed gate", YES if min(worse.values()) >= 5 else PART, numbers)


def _expressivity(store: Store, scale: Scale) -> Iterator[Verdict]:
    dims = critical_dims(store, scale)
    if not dims:
        yield ("C14, C15", "expressivity grows with depth; gates help somewhere", NOT_RUN, "")
        return
    lengths = sorted({k[0] for k in dims}, reverse=True)
    depths = sorted({k[2] for k in dims})
    falls = [all(dims[a, "nODE", 0] >= dims[a, "nODE", d] for d in depths[1:])
             and dims[a, "nODE", 0] > dims[a, "nODE", depths[-1]] for a in lengths]  # fmt: skip
    numbers = "; ".join(
        f"length {a}: N* = " + ", ".join(f"{dims[a, 'nODE', d]:g}" for d in depths) + " for depth 0, 1, ..."
        for a in lengths
    )
    yield (
        "C14",
        "fewer latents suffice when F is deeper",
        YES if sum(falls) >= 2 else PART if any(falls) else NO,
        numbers,
    )
    wins = losses = 0
    for a in lengths:
        for d in depths:
            for n in scale.latent_dims:
                one, two = (
                    store.read("expressivity", f"length {a}", f"{m} depth {d}", f"N {n}")
                    for m in ("gnODE", "nODE")
                )
                if one and two:
                    wins += np.median(one["nmse"]) < np.median(two["nmse"])
                    losses += np.median(one["nmse"]) >= np.median(two["nmse"])
    numbers = f"gnODE better in {wins} cells, nODE in {losses}"
    yield ("C15", "there are cells where the gnODE is the better", YES if wins else NO, numbers)


def critical_dims(store: Store, scale: Scale) -> dict[tuple[float, str, int], float]:
    """(length, model, depth) -> smallest number of latents that suffices."""
    found = {}
    for a in expressivity.SCALES[scale.name]:
        for model in ("nODE", "gnODE"):
            for depth in expressivity.WIDTHS:
                errors = {}
                for n in scale.latent_dims:
                    cell = store.read("expressivity", f"length {a}", f"{model} depth {depth}", f"N {n}")
                    if cell:
                        errors[n] = cell["nmse"]
                if errors:
                    found[a, model, depth] = expressivity.critical_dim(errors)
    return found


def _real(store: Store) -> Iterator[Verdict]:
    rows = []
    drops = [f"characters, {share}% dropped" for share in (0, 30, 50, 70)]
    for task in (*drops, "digits, takes", "digits, speaker george", "walker"):
        one, two = (store.read("real_world", task, m) for m in ("gnODE", "nODE"))
        if one and two:
            key = "accuracy" if "accuracy" in one else "squared_error"
            a, b = float(np.mean(one[key])), float(np.mean(two[key]))
            rows.append((a >= b if key == "accuracy" else a <= b, f"{task}: {a:.3f} : {b:.3f}"))
    if not rows:
        yield ("C16", "gnODE at least as good as nODE on each real task", NOT_RUN, "")
        return
    good = all(r[0] for r in rows)
    verdict = YES if good else PART if any(r[0] for r in rows) else NO
    yield ("C16", "gnODE at least as good as nODE on each real task", verdict, "; ".join(r[1] for r in rows))
