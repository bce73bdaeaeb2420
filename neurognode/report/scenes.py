"""A portrait in three dimensions that can be turned, as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurognode.plot.style import PALETTE
from neurognode.report.page import Figure, Page, Section

COLOURS = {"stable": "#1d8a55", "unstable": "#d5504c", "saddle": "#d08a1d"}
MOST, MOST_POINTS = 80, 600


def scene(portrait: Any, trials: np.ndarray | None = None, *, names: Iterable[str] | None = None) -> Page:
    """Draw a portrait of three or more latents so that it can be turned, zoomed and run through time.

    Parameters
    ----------
    portrait : Portrait
        Of three latents or more; more are turned into their three directions of most variance.
    trials : array (trial, time, N), optional
        Paths to show; by default the portrait's roll-outs from visited states.
    names : sequence of three str, optional
        Labels of the axes.

    Returns
    -------
    Page
        Its ``save(path)`` writes one HTML file that needs no network.

    Raises
    ------
    ValueError
        For a portrait of fewer than three latents; `neurognode.plot.flow_field` draws these.

    Examples
    --------
    >>> from neurognode.interpret import portrait
    >>> from neurognode.report import scene
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.embed(circuits.make("bistable"), 3)
    >>> page = scene(portrait(circuit.field, circuit.simulate(30).latents, horizon=1.2))
    >>> "<canvas" in page.to_html()
    True
    """
    if portrait.latent_dim < 3:
        raise ValueError(
            f"A portrait of {portrait.latent_dim} latents is drawn flat; use neurognode.plot.flow_field."
        )
    placing = _Placing(portrait.region.states, names)
    space = {
        "paths": [*_moving(portrait, trials, placing), *_standing(portrait, placing)],
        "marks": _marks(portrait, placing),
        "names": placing.names,
        "time": _times(portrait, trials),
    }
    text = (
        "Grey: states as they run. Blue: slow set. Purple: cycles. Orange: ways from saddles to attractors. Red: "
        "stable manifolds of saddles. Points: green stable, orange saddle, red unstable; hollow: outside the data."
    )
    figure = Figure(text, space=space, size="wide")
    section = Section(
        "flow", "Flow", f"{portrait.latent_dim} latents over {portrait.horizon:g} s.", figures=[figure]
    )
    return Page(
        title="Portrait of a flow",
        lead="Drag to turn, scroll to zoom.",
        tiles=[],
        sections=[section],
        footer="",
    )


class _Placing:
    """Latent space to whole numbers between -1000 and 1000 along three axes."""

    def __init__(self, states: np.ndarray, names: Iterable[str] | None) -> None:
        dim = states.shape[1]
        self.axes = np.eye(dim)[:3]
        self.names = [f"latent {k}" for k in range(3)]
        if dim > 3:
            self.axes = np.linalg.svd(states - states.mean(0), full_matrices=False)[2][:3]
            self.names = ["1st direction", "2nd direction", "3rd direction"]
        self.names = self.names if names is None else [str(name) for name in names]
        low, high = np.percentile(states @ self.axes.T, [0.2, 99.8], axis=0)
        self.middle, self.scale = (low + high) / 2, 1000 / max(float((high - low).max()) / 2, 1e-12)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        placed = (points @ self.axes.T - self.middle) * self.scale
        return np.clip(placed, -3000, 3000).round().astype(int)


def _line(points: np.ndarray, colour: str, place: _Placing, **more: Any) -> dict[str, Any]:
    return {"points": place(points).ravel().tolist(), "colour": colour, **more}


def _shown(portrait: Any, trials: np.ndarray | None) -> np.ndarray:
    paths = portrait.behaviour.paths if trials is None else np.asarray(trials, float)
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), MOST)).astype(int))
    return np.asarray(paths[chosen])


def _times(portrait: Any, trials: np.ndarray | None) -> list[float]:
    if trials is None:
        return [round(float(t), 4) for t in portrait.behaviour.times]
    return np.linspace(0, portrait.horizon, np.shape(trials)[1]).round(4).tolist()


def _moving(portrait: Any, trials: np.ndarray | None, place: _Placing) -> list[dict[str, Any]]:
    lines = []
    for path in _shown(portrait, trials):
        path = path[np.isfinite(path).all(1)]
        if len(path) > 1:
            lines.append(_line(path, "#8a93a0", place, alpha=0.45))
    return lines


def _standing(portrait: Any, place: _Placing) -> list[dict[str, Any]]:
    lines = [_line(c.orbit, PALETTE[3], place, always=True, width=2.4, alpha=0.95) for c in portrait.cycles]
    for path in portrait.connections.paths:
        path = path[np.isfinite(path).all(1)]
        if len(path) > 1:
            lines.append(_line(path, COLOURS["saddle"], place, always=True, width=1.8, alpha=0.9))
    clouds = [(portrait.slow.points, "#2a6fdb"), *((points, "#c2452d") for points in portrait.separatrices)]
    for points, colour in clouds:
        kept = points[:: max(1, len(points) // MOST_POINTS)]
        lines += [_dot(point, colour, place) for point in kept[np.isfinite(kept).all(1)]]
    return lines


def _dot(point: np.ndarray, colour: str, place: _Placing) -> dict[str, Any]:
    at = place(point[None])[0]
    return {
        "points": [*at.tolist(), *(at + 6).tolist()],
        "colour": colour,
        "always": True,
        "width": 3,
        "alpha": 0.5,
    }


def _marks(portrait: Any, place: _Placing) -> list[dict[str, Any]]:
    fixed, marks = portrait.fixed_points, []
    for i in np.flatnonzero(fixed.isolated):
        at = place(fixed.points[i][None])[0]
        if np.abs(at).max() <= 1500:
            colour = COLOURS.get(str(fixed.kind[i]).split()[0], "#8a70dc")
            marks.append({"point": at.tolist(), "colour": colour, "hollow": not bool(fixed.inside[i])})
    return marks
