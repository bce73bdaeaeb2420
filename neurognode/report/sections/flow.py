"""The flow field: where it leads, what stands still in it, and how fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode import plot
from neurognode.interpret import Flow, separatrix
from neurognode.models.presets import chosen_preset
from neurognode.plot.plane import Plane
from neurognode.report.content import Content, number
from neurognode.report.drawing import svg
from neurognode.report.page import Figure, Section, Table

MAX_POINTS = 12


def flow(content: Content) -> Section | None:
    """Picture of the flow, fixed points with their rates and time constants, cycles, slow set."""
    portrait = content.portrait
    if portrait is None:
        return None
    notes = []
    single = getattr(content.model, "model", content.model)
    if chosen_preset(getattr(single, "preset", "dynamics"), getattr(single, "latent_dim", None)) == "denoise":
        notes.append(
            "This model infers inputs and has many latents (preset denoise): it is close to a smoother, and "
            "its flow must not be read as the population's own dynamics. Fit with --preset dynamics for that."
        )
    lead = (
        "The fitted flow at zero external input. Shaded, with bold arrows, where data have been; thin "
        f"grey arrows are extrapolation. Claims hold over {number(portrait.horizon)} s, one trial length."
    )
    return Section(
        "flow",
        "Flow",
        lead + _agreed(content.agreement),
        notes,
        tables=_tables(portrait, content.agreement),
        figures=_figures(content, portrait),
        figures_first=True,
    )


def _agreed(agreement: dict[str, Any] | None) -> str:
    """How far the members' flows agree, in a sentence."""
    cosine = (agreement or {}).get("field_cosine")
    if cosine is None:
        return ""
    members = agreement["members"] if agreement else 0
    return (
        f" It is the flow of the best member; after alignment, the flows of the {members} members point "
        f"the same way "
        f"with a median cosine of {number(cosine, 2)} where data have been."
    )


def plain_kind(kind: str) -> str:
    """Marker of a fixed point's type: the first word, if `plot.flow.KINDS` knows it.

    Examples
    --------
    >>> from neurognode.report.sections.flow import plain_kind
    >>> plain_kind("stable focus"), plain_kind("undefined")
    ('stable', 'marginal')
    """
    word = str(kind).split()[0] if str(kind) else ""
    return word if word in ("stable", "saddle", "unstable") else "marginal"


def _listed(portrait: Any) -> np.ndarray:
    fixed = portrait.fixed_points
    where = np.flatnonzero(fixed.isolated)
    return where[np.argsort(~fixed.inside[where], kind="stable")][:MAX_POINTS]


def _figures(content: Content, portrait: Any) -> list[Figure]:
    fixed, figures = portrait.fixed_points, []
    states = portrait.region.states
    shown = _listed(portrait)
    field = getattr(content.model, "field_", None)
    share = ""
    if field is not None:
        if states.shape[1] > 2:
            part = Plane.through(states).share
            share = (
                f" The plane of most latent variance ({part:.0%}) is drawn, at the height where the data lie."
            )
        parting = _separatrices(field, portrait)
        means, colours = _means(content)
        picture = svg(
            lambda ax: plot.flow_field(
                field,
                states,
                fixed_points=fixed.points[shown],
                kinds=[plain_kind(k) for k in fixed.kind[shown]],
                trials=[*means, *(c.orbit for c in portrait.cycles[:2])],
                colours=[*colours, *[plot.style.PALETTE[3]] * 2],
                separatrices=parting,
                ax=ax,
            ),
            name="flow",
            size=(6.4, 5.0),
            label="Flow field with fixed points and the visited region",
        )
        cycle = " The closed line is a periodic orbit." if portrait.cycles else ""
        cycle += " Dashed: what parts the basins (stable manifold of a saddle)." if parting else ""
        text = (
            "Flow with fixed points and mean paths by condition; shading is speed in latent units per second."
            f"{share}{cycle}"
        )
        figures.append(Figure(text, picture, size="double"))
    if len(shown):
        labels = [f"{i + 1}: {fixed.kind[k]}" for i, k in enumerate(shown)]
        picture = svg(
            lambda ax: plot.eigenvalues(
                fixed.eigenvalues[shown], labels=labels, outside=~fixed.inside[shown], ax=ax
            ),
            name="eigenvalues",
            label="Eigenvalues of the fixed points",
        )
        figures.append(
            Figure(
                "Eigenvalues at the fixed points: left decays, right grows. Hollow: outside the data.",
                picture,
            )
        )
    if field is not None and portrait.slow.dimension == 1 and len(portrait.slow.points) > 10:
        figures.append(_along(field, portrait))
    if field is not None and hasattr(field, "gate") and states.shape[1] > 1:
        picture = svg(
            lambda ax: plot.gates(field, states, ax=ax), name="gates", label="Mean gate", size=(4.6, 3.8)
        )
        figures.append(
            Figure("Mean opening of the gates: slow because closed (dark), or because balanced.", picture)
        )
    return figures


def _along(field: Any, portrait: Any) -> Figure:
    """Growth rates at every point of a slow curve, in order of angle around a ring and of length along a line."""
    points = portrait.slow.points
    centred = points - points.mean(0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    ring = portrait.slow.topology.name == "ring" and along.shape[1] > 1
    position = np.degrees(np.arctan2(along[:, 1], along[:, 0])) if ring else along[:, 0]
    name = "angle around the slow set (degrees)" if ring else "position along the slow set (latent units)"
    picture = svg(
        lambda ax: plot.spectrum_along(Flow(field).rates(points), position=position, name=name, ax=ax),
        name="spectrum",
        label="Growth rates along the slow set",
    )
    return Figure("Growth rates along the slow set: a continuum shows one flat line at zero.", picture)


def _means(content: Content) -> tuple[list[np.ndarray], list[str]]:
    """Mean latent path of each condition and its colour; more than eight conditions are left out."""
    values = content.latents.transpose("trial", "time", "latent").values
    colours = plot.condition_colours(content.groups, len(values))
    paths, shown = [], []
    for group in np.unique(colours.groups[colours.groups >= 0])[:8]:
        rows = colours.groups == group
        seen = np.isfinite(values[rows]).all(2).sum(0) > rows.sum() / 2
        if seen.any():
            paths.append(np.nanmean(values[rows][:, seen], axis=0))
            shown.append(colours.per_trial[int(np.argmax(rows))])
    return paths, shown


def _separatrices(field: Any, portrait: Any) -> list[np.ndarray]:
    """Stable manifolds of the saddles of a two-latent flow, each branch a curve."""
    fixed, curves = portrait.fixed_points, []
    if portrait.latent_dim != 2:
        return []
    flow = Flow(field)
    for k in np.flatnonzero((fixed.kind == "saddle") & fixed.isolated & fixed.inside):
        points = separatrix(flow, portrait.region, fixed, int(k), portrait.horizon)
        side = (
            (points - fixed.points[k]) @ (points[0] - fixed.points[k]) > 0
            if len(points)
            else np.zeros(0, bool)
        )
        for branch in (points[side], points[~side]):
            if len(branch) > 1:
                order = np.argsort(np.linalg.norm(branch - fixed.points[k], axis=1))
                curves.append(np.vstack([fixed.points[k], branch[order]]))
    return curves


def _tables(portrait: Any, agreement: dict[str, Any] | None) -> list[Table]:
    tables, shown = [], _listed(portrait)
    if len(shown):
        tables.append(_fixed_points(portrait, shown, agreement))
    elif (~portrait.fixed_points.isolated).any():
        tables.append(Table(("fixed points",), [("a continuum: no isolated ones",)], text=(0,)))
    if portrait.cycles:
        rows = [
            (
                f"{k + 1}",
                "stable" if c.stable else "unstable",
                f"{number(c.period)} s",
                f"{number(1 / c.period)} Hz",
                f"{c.inside:.0%}",
                ", ".join(number(abs(m)) for m in c.multipliers[:4]),
            )
            for k, c in enumerate(portrait.cycles[:6])
        ]
        names = ("cycle", "type", "period", "frequency", "inside the data", "Floquet multipliers (size)")
        tables.append(Table(names, rows, title="Periodic orbits", text=(0, 1)))
    tables.append(_slow_set(portrait))
    return tables


def _fixed_points(portrait: Any, shown: np.ndarray, agreement: dict[str, Any] | None) -> Table:
    fixed = portrait.fixed_points
    rows: list[tuple[str, ...]] = []
    for i, k in enumerate(shown):
        values = fixed.eigenvalues[k]
        rates = ", ".join(_complex(v) for v in values[:4]) + (" …" if len(values) > 4 else "")
        constants = ", ".join(_milliseconds(v.real) for v in values[:4]) + (" …" if len(values) > 4 else "")
        rows.append(
            (
                str(i + 1),
                str(fixed.kind[k]),
                "yes" if fixed.inside[k] else "no: extrapolated",
                rates,
                constants,
                number(float(fixed.frequencies[k].max())),
                f"{portrait.basin_shares[k]:.0%}",
            )
        )
    names: tuple[str, ...] = (
        "point",
        "type",
        "inside the data",
        "eigenvalues (1/s)",
        "time constants (ms)",
        "frequency (Hz)",
        "basin",
    )
    shared = (agreement or {}).get("fixed_points")
    if shared:
        names = (*names, "in members", "their growth (1/s)")
        place = np.cumsum(fixed.inside & fixed.isolated) - 1
        rows = [(*row, *_shared(shared, int(place[k]), bool(fixed.inside[k]))) for row, k in zip(rows, shown)]
    left = int(fixed.isolated.sum()) - len(shown)
    note = "Time constants: time to shrink e-fold, or to grow (↑). Basin: share of visited states drawn in."
    note += f" {left} more are in portrait.nc." if left > 0 else ""
    if (~fixed.isolated).any():
        note += " A continuum of further fixed points was found and is not listed."
    return Table(names, rows, title="Fixed points", note=note, text=(0, 1, 2))


def _shared(points: list[dict[str, Any]], place: int, inside: bool) -> tuple[str, str]:
    """Share of members that have a fixed point, and the range of its growth rate over them."""
    if not inside or place >= len(points):
        return "–", "–"
    point = points[place]
    return f"{point['found']:.0%}", f"{number(point['growth_low'])} to {number(point['growth_high'])}"


def _complex(value: complex) -> str:
    if abs(value.imag) < 1e-9:
        return number(float(value.real))
    return f"{number(float(value.real))} {'+' if value.imag > 0 else '−'} {number(float(abs(value.imag)))}i"


def _milliseconds(rate: float) -> str:
    if not np.isfinite(rate) or abs(rate) < 1e-9:
        return "∞"
    return number(float(1000 / abs(rate))) + ("↑" if rate > 0 else "")


def _slow_set(portrait: Any) -> Table:
    numbers = portrait.scalars()
    shape = portrait.slow.topology.name
    rows = [
        ("shape of the slow set", str(shape)),
        ("its dimension", number(int(numbers["dimension"]))),
        ("fastest rate along it", f"{number(numbers['tangent_rate'])} /s"),
        ("slowest rate across it", f"{number(numbers['normal_rate'])} /s"),
        ("groups of end points after two trial lengths", number(int(numbers.get("n_clusters", 0)))),
        ("noise moves an end point elsewhere within a trial", _share(numbers.get("switching"))),
        ("states that leave their well within a trial (fitted noise)", _share(numbers.get("escape"))),
        ("largest Lyapunov exponent", f"{number(numbers['largest_exponent'])} /s"),
        ("what makes it slow", str(portrait.slowness.cause)),
    ]
    return Table(("", ""), rows, title="Where the flow leads", text=(0, 1))


def _share(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.0%}"
