"""Single-trial latents, over time and through latent space."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from neurognode import plot
from neurognode.report.content import Content
from neurognode.report.drawing import svg
from neurognode.report.page import Figure, Section

MAX_TRACES = 6
KIND_COLOURS = {"stable": "#1d8a55", "unstable": "#d5504c", "saddle": "#d08a1d"}


def latents(content: Content) -> Section:
    """Traces, the plane of most variance, and a view to turn for three latents and more."""
    values = content.latents
    n_latents = values.sizes["latent"]
    colours = plot.condition_colours(content.groups, values.sizes["trial"])
    named = f"coloured by {content.condition}" if content.groups is not None else "all in one colour"
    figures = []
    if n_latents >= 3:
        figures.append(
            Figure(
                f"Single trials in latent space, {named}. Drag to turn, use the slider to move through time."
                + _axes_note(n_latents)
                + _marks_note(content),
                space=space(content, colours),
                size="wide",
                legend=colours.legend,
            )
        )
    if n_latents > 1:
        where = " in the plane of most latent variance" if n_latents > 2 else ""
        picture = svg(
            lambda ax: plot.trajectories(values, condition=content.groups, ax=ax),
            name="paths",
            size=(4.6, 4.0),
            label="Single-trial paths in the plane of most latent variance",
        )
        figures.append(Figure(f"Single trials{where}, {named}; dots mark starts.", picture))
    for k in range(min(n_latents, MAX_TRACES)):
        picture = svg(
            partial(plot.latent_traces, values, k, condition=content.groups),
            name=f"latent-{k}",
            label=f"Latent {k} over time",
        )
        figures.append(
            Figure(f"Latent {k} on single trials (thin) and its mean by condition (thick).", picture)
        )
    more = (
        f" The first {MAX_TRACES} of {n_latents} latents are drawn over time."
        if n_latents > MAX_TRACES
        else ""
    )
    lead = "What the model infers on each trial; time is relative to the event." + more
    return Section("latents", "Latents", lead, notes=_notes(content), figures=figures)


def _notes(content: Content) -> list[str]:
    encoder = getattr(_first(content.model), "encoder", None)
    if encoder is None or "causal" in str(encoder):
        return []
    return [
        f"The encoder ({encoder}) reads each trial in both directions. Latents before an event may "
        "therefore know what comes after it: do not read a difference before the event as prediction by "
        "the brain. Refit "
        "with --encoder causal_gru to see what can be told from the past alone."
    ]


def _first(model: Any) -> Any:
    return getattr(model, "model", model)


def _axes_note(n_latents: int) -> str:
    return "" if n_latents == 3 else " The three axes are the directions of most latent variance."


def _marks_note(content: Content) -> str:
    if content.portrait is None or not len(content.portrait.fixed_points):
        return ""
    return " Green: stable fixed points; orange: saddles; red: unstable; hollow: where no data have been."


def space(content: Content, colours: plot.style.Colours) -> dict[str, Any]:
    """Paths and fixed points for the turning view, as whole numbers between -1000 and 1000."""
    values = content.latents.transpose("trial", "time", "latent").values
    flat = values.reshape(-1, values.shape[-1])
    flat = flat[np.isfinite(flat).all(1)]
    centre, axes, names = np.zeros(3), np.eye(3), ["latent 0", "latent 1", "latent 2"]
    if values.shape[-1] > 3:
        centre = flat.mean(0)
        axes = np.linalg.svd(flat[:20_000] - centre, full_matrices=False)[2][:3]
        names = ["1st direction", "2nd direction", "3rd direction"]
    turned = (flat - centre) @ axes.T
    low, high = np.percentile(turned, [0.2, 99.8], axis=0)
    middle, scale = (low + high) / 2, 1000 / max(float((high - low).max()) / 2, 1e-12)

    def place(points: np.ndarray) -> np.ndarray:
        return np.clip((((points - centre) @ axes.T) - middle) * scale, -3000, 3000).round().astype(int)

    stride = max(1, values.shape[1] // 150)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), 150)).astype(int))
    paths = []
    for k in chosen:
        path = values[k, ::stride]
        path = path[np.isfinite(path).all(1)]
        if len(path) > 1:
            paths.append({"points": place(path).ravel().tolist(), "colour": colours.per_trial[k]})
    time = content.latents["time"].values[::stride]
    return {
        "paths": paths,
        "marks": _marks(content, place),
        "names": names,
        "time": np.round(time, 4).tolist(),
    }


def _marks(content: Content, place: Any) -> list[dict[str, Any]]:
    if content.portrait is None:
        return []
    fixed = content.portrait.fixed_points
    marks = []
    for i in np.flatnonzero(fixed.isolated):
        colour = KIND_COLOURS.get(str(fixed.kind[i]).split()[0], "#8a70dc")
        at = place(fixed.points[i][None])[0]
        if np.abs(at).max() <= 1500:
            marks.append({"point": at.tolist(), "colour": colour, "hollow": not bool(fixed.inside[i])})
    return marks
