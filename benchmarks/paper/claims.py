"""The paper's claims, each marked reproduced, not reproduced or not run, with its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.paper import expressivity, initialisation
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Store

Verdict = tuple[str, str, str, str]
YES, NO, PART, NOT_RUN = "reproduced", "**not reproduced**", "in part", "not run"


def claims(store: Store, scale: Scale) -> list[Verdict]:
    """Rows (number, claim, verdict, numbers)."""
    by_part = (_exact, _gating, _initialisation, _attractors, lambda s: _expressivity(s, scale), _real)
    rows = []
    for part in by_part:
        store.short = False
        for number, claim, verdict, numbers in part(store):
            rows.append(
                (number, claim, verdict + (" †" if store.short and verdict != NOT_RUN else ""), numbers)
            )
            store.short = False
    return sorted(rows, key=lambda row: int("".join(itertools.takewhile(str.isdigit, row[0][1:]))))


def _exact(store: Store) -> Iterator[Verdict]:
    found = store.shown("exactness", "all")
    if found is None:
        yield (
            "C1-C5",
            "cells, generators, optimiser, initialisation and Jacobians are those of the released code",
            NOT_RUN,
            "",
        )
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
    radii = found["critical_closed"]
    good = found["critical_numeric"] < 1e-3 and all(0.9 <= r <= 1.2 for r in radii)
    numbers = f"numeric form: leading eigenvalue at most {found['critical_numeric']:.0e} from 0 (N = 2, 6, 100, one to "
    numbers += "four layers); closed form, N = 300: spectral radii " + ", ".join(f"{r:.2f}" for r in radii)
    yield ("C4", "both critical initialisations are critical", YES if good else NO, numbers)
    off = f"largest difference {found['jacobian']:.0e} 1/s"
    text = "the Jacobian at a fixed point is gate (dF/dh - 1) / tau"
    yield ("C5", text, YES if found["jacobian"] < 1e-5 else NO, off)


def _mse(store: Store, task: str, model: str) -> np.ndarray | None:
    found = store.shown("trainability", task, model)
    return None if found is None else np.asarray(found["mse"])


def _gating(store: Store) -> Iterator[Verdict]:
    one, two = _mse(store, "variable_3bit", "gnODE"), _mse(store, "variable_3bit", "nODE")
    three, four = _mse(store, "variable_3bit", "mGRU"), _mse(store, "variable_3bit", "RNN")
    text = "gating lowers the error on the variable 3-bit task, N = 6"
    if one is None or two is None or three is None or four is None:
        yield ("C6", text, NOT_RUN, "")
    else:
        pairs = ((one, two), (three, four))
        better = [bool((np.subtract.outer(a, b) < 0).mean() >= 0.8) for a, b in pairs]
        a, b, c, d = (float(np.median(mse)) for mse in (one, two, three, four))
        numbers = f"medians of seeds: gnODE {a:.4f} : nODE {b:.4f}; mGRU {c:.4f} : RNN {d:.4f}"
        yield ("C6", text, YES if all(better) else PART if any(better) else NO, numbers)
    fixed = {m: store.shown("trainability", "fixed_3bit", m) for m in ("mGRU", "gnODE", "gnODE, deep gate")}
    known = {m: float(np.median(f["r2"])) for m, f in fixed.items() if f}
    numbers = "medians of seeds: " + ", ".join(f"{m} R² {v:.3f}" for m, v in known.items())
    verdict = NOT_RUN if not known else YES if max(known.values()) >= 0.95 else NO
    yield ("C7", "gated nets solve the fixed 3-bit task at N = 6 (R² ≥ 0.95)", verdict, numbers)
    models = ("gnODE", "gnODE, deep gate", "nODE", "RNN", "mGRU", "GRU")
    square = {m: _mse(store, "square", m) for m in models}
    known = {m: float(np.median(v)) for m, v in square.items() if v is not None}
    if len(known) < len(models):
        yield ("C9", "at N = 2 the gnODE beats RNN, mGRU and GRU on the square", NOT_RUN, "")
        return
    best = min(known["gnODE"], known["gnODE, deep gate"])
    good = best <= 0.02 and min(known[m] for m in ("RNN", "mGRU", "GRU")) >= 0.07
    numbers = "medians of seeds: " + ", ".join(f"{m} {v:.4f}" for m, v in known.items())
    yield ("C9", "at N = 2, square: gnODE ≤ 0.02, RNN, mGRU, GRU ≥ 0.07", YES if good else PART, numbers)


def _initialisation(store: Store) -> Iterator[Verdict]:
    text = "critical initialisation lowers the nODE's error at equal steps on at least one task, most with deep F"
    rows = []
    for task, setting in initialisation_settings(store):
        plain, critical = (
            store.shown("initialisation", task, setting, i) for i in ("glorot", "critical_closed")
        )
        if plain and critical:
            a, b = float(np.median(critical["mse"])), float(np.median(plain["mse"]))
            rows.append((task, setting, a, b))
    if not rows:
        yield ("C8", text, NOT_RUN, "")
        return
    numbers = "; ".join(f"{task}, {setting}: {a:.4f} : {b:.4f}" for task, setting, a, b in rows)
    good = [a < b for _, _, a, b in rows]
    deepest = [a < b for _, setting, a, b in rows if setting.split(", ")[1].startswith("6")]
    verdict = NO if not any(good) else YES if deepest and all(deepest) else PART
    yield ("C8", text, verdict, f"median of seeds, critical : glorot: {numbers}")


def initialisation_settings(store: Store) -> list[tuple[str, str]]:
    """(task, setting) of the comparison of initialisations, in order."""
    keys = [cell[0] for cell in initialisation.cells(store, store.scale)]
    return list(dict.fromkeys((str(k[1]), str(k[2])) for k in keys))


def _attractors(store: Store) -> Iterator[Verdict]:
    found = {t: store.shown("attractors", t) for t in ("square", "rectangle", "disk", "ring", "fixed_2bit")}
    if any(f is None for f in found.values()):
        yield ("C10-C13", "the sets that two-latent gnODEs remember", NOT_RUN, "")
        return
    cells = {t: f["members"] for t, f in found.items() if f is not None}
    yield _drift(cells)
    yield _shape(cells)
    yield _slowness(cells)
    yield _ablation(cells)


CONTINUA = ("square", "rectangle", "disk", "ring")
Members = dict[str, list[dict]]


def _median(members: list[dict], pick: Callable[[dict], float]) -> float:
    return float(np.median([pick(m) for m in members]))


def _drift(cells: Members) -> Verdict:
    drift = {t: _median(cells[t], lambda m: m["drift_1s"]) for t in CONTINUA}
    within = {t: f"{sum(m['drift_1s'] <= 0.1 for m in cells[t])} of {len(cells[t])}" for t in CONTINUA}
    ends = ", ".join(f"{t} {_median(cells[t], lambda m: m['end_points']):.0f}" for t in CONTINUA)
    numbers = ", ".join(f"{t} {v:.3f} ({within[t]} seeds)" for t, v in drift.items())
    kept = [v <= 0.1 for v in drift.values()]
    verdict = YES if all(kept) else PART if any(kept) else NO
    text = "median drift in 1 s without input ≤ 0.1 half-widths"
    return ("C10", text, verdict, f"{numbers}; distinct end points of 200 states after 10 s: {ends}")


def _shape(cells: Members) -> Verdict:
    wanted = {
        "aspect of the square": ("square", "aspect", 1.0, 0.1),
        "aspect of the rectangle": ("rectangle", "aspect", 2.0, 0.2),
        "radius of the ring": ("ring", "radius_median", 2.0, 0.1),
        "inner radius of the annulus": ("disk", "radius_inner", 1.0, 0.15),
        "outer radius of the annulus": ("disk", "radius_outer", 2.0, 0.15),
    }
    checks = {}
    for name, (task, key, value, margin) in wanted.items():
        found = _median(cells[task], lambda m, key=key: m["shape"][key])  # type: ignore[misc]
        checks[f"{name} {found:.2f}"] = abs(found - value) <= margin
    holes = [m["shape"]["radius_inner"] > 1.5 for m in cells["ring"]]
    checks[f"hole in the ring in {sum(holes)} of {len(holes)} seeds"] = all(holes)
    fixed = cells["fixed_2bit"]
    four = [m["end_points"] == 4 and m["shape"]["near_corners"] > 0.95 for m in fixed]
    checks[f"four corners of the fixed task in {sum(four)} of {len(four)} seeds"] = all(four)
    verdict = YES if all(checks.values()) else PART if any(checks.values()) else NO
    return ("C11", "the remembered sets have the shape of the task", verdict, "; ".join(checks))


def _slowness(cells: Members) -> Verdict:
    """Slow rates, and which of the two causes holds: closed gates, or a flow in balance."""
    parts, good = [], []
    for task in CONTINUA:
        fast, slow = (_median(cells[task], lambda m, i=i: m["rates"][i]) for i in (0, 1))  # type: ignore[misc]
        gate = _median(cells[task], lambda m: m["gate_quiet"] / m["gate_pulse"])
        balance = _median(cells[task], lambda m: m["imbalance_quiet"] / m["imbalance_pulse"])
        good.append(abs(slow) < 0.3 and (fast < -1 if task == "ring" else True) and min(gate, balance) < 0.3)
        cause = (
            "closed gates"
            if gate < 0.3 and gate < balance
            else "a flow in balance"
            if balance < 0.3
            else "neither"
        )
        parts.append(f"{task} {fast:.2f}, {slow:.2f} 1/s, gate {gate:.2f}, imbalance {balance:.2f}: {cause}")
    two = all(abs(_median(cells[t], lambda m: m["rates"][0])) < 0.3 for t in ("square", "rectangle", "disk"))
    verdict = YES if all(good) and two else PART if any(good) else NO
    text = "slow rates on the sets, from closed gates or from a flow in balance (without input : in a pulse)"
    return ("C12", text, verdict, "; ".join(parts))


def _ablation(cells: Members) -> Verdict:
    worse = {
        t: _median(cells[t], lambda m: m["drift_open_gate"] / max(m["drift_1s"], 1e-6)) for t in CONTINUA
    }
    gates = {t: _median(cells[t], lambda m: m["gate_quiet"] / m["gate_pulse"]) for t in CONTINUA}
    closed = [t for t in CONTINUA if gates[t] < 0.3]
    numbers = "drift with the gate held open / as trained: " + ", ".join(
        f"{t} {v:.1f}" for t, v in worse.items()
    )
    numbers += f"; gates close without input in: {', '.join(closed) or 'none'}"
    verdict = NOT_RUN if not closed else YES if min(worse[t] for t in closed) >= 5 else PART
    return ("C13", "where gates close, memory needs them: drift grows at least fivefold", verdict, numbers)


def _expressivity(store: Store, scale: Scale) -> Iterator[Verdict]:
    dims = critical_dims(store, scale)
    if not dims:
        yield ("C14-C15", "expressivity grows with depth; gates help somewhere", NOT_RUN, "")
        return
    lengths = sorted({k[0] for k in dims}, reverse=True)
    depths = sorted({k[2] for k in dims})
    both = [a for a in lengths if all((a, "nODE", d) in dims for d in depths)]
    falls = [all(dims[a, "nODE", 0][0] >= dims[a, "nODE", d][0] for d in depths[1:])
             and dims[a, "nODE", 0][0] > dims[a, "nODE", depths[-1]][0] for a in both]  # fmt: skip
    numbers = "; ".join(
        f"length {a} s: N* = " + ", ".join(shown(dims[a, "nODE", d]) for d in depths) + " for depth 0, 1, ..."
        for a in both
    )
    rises = all(
        dims[a, "nODE", d][0] <= dims[b, "nODE", d][0] for a, b in itertools.pairwise(both) for d in depths
    )
    numbers += "; N* never falls with complexity" if rises else "; N* falls with complexity somewhere"
    yield (
        "C14",
        "fewer latents suffice when F is deeper",
        YES if sum(falls) >= 2 else PART if any(falls) else NO,
        numbers,
    )
    yield _gated_or_not(store, scale, list(itertools.product(lengths, depths, scale.latent_dims)))


def _gated_or_not(store: Store, scale: Scale, cells: list[tuple[float, int, int]]) -> Verdict:
    """Where gates lower the error in at least four of five pairs of seeds, and where they raise it."""
    wins, losses, undecided = 0, [], 0
    for a, d, n in cells:
        one, two = (
            store.shown("expressivity", f"length {a}", expressivity.model(gated, d), f"N {n}")
            for gated in (True, False)
        )
        if one and two:
            better = (np.subtract.outer(one["nmse"], two["nmse"]) < 0).mean()
            wins += better >= 0.8
            undecided += 0.2 < better < 0.8
            losses += [f"length {a} s, depth {d}, N = {n}"] if better <= 0.2 else []
    text = "there are cells where the gnODE is the better"
    if wins + len(losses) + undecided == 0:
        return ("C15", text, NOT_RUN, "")
    numbers = f"in pairs of seeds the gnODE is clearly better in {wins} cells, the nODE in {len(losses)}"
    numbers += (f" ({'; '.join(losses)})" if losses else "") + f", {undecided} open"
    return ("C15", text, YES if wins else NO, numbers)


def shown(found: tuple[float, float, float]) -> str:
    """N* with its 95 % interval over seeds."""
    value, low, high = (("> all" if not np.isfinite(v) else f"{v:g}") for v in found)
    return value if low == value == high else f"{value} ({low} to {high})"


def critical_dims(
    store: Store, scale: Scale, variant: str = ""
) -> dict[tuple[float, str, int], tuple[float, float, float]]:
    """(length, model, depth) -> smallest number of latents that suffices."""
    found = {}
    lengths, depths, sizes = expressivity.extent(scale, variant)
    for a, gated, depth in itertools.product(lengths, (False, True), depths):
        key = ("expressivity", f"length {a}{variant}", expressivity.model(gated, depth))
        own = any(store.read(*key, f"N {n}") for n in sizes)
        look = store.read if own else store.shown
        cells = {n: look(*key, f"N {n}") for n in sizes}
        errors = {n: cell["nmse"] for n, cell in cells.items() if cell}
        if errors:
            found[a, "gnODE" if gated else "nODE", depth] = expressivity.critical_dim(errors)
    return found


def _real(store: Store) -> Iterator[Verdict]:
    rows = []
    drops = [f"characters, {share}% dropped" for share in (0, 30, 50, 70)]
    keys = [("real_world", task) for task in (*drops, "digits, takes", "digits, speaker george")]
    for *where, task in [*keys, ("walker",)]:
        one, two = (store.shown(*where, task, m) for m in ("gnODE", "nODE"))
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
