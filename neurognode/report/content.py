"""What a report is made of, and the page built from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from neurognode.report.page import Page, Section


@dataclass
class Content:
    """Everything a report may show; what is None or empty is left out.

    Attributes
    ----------
    title : str
        Heading of the page.
    lead : str
        One or two sentences: what was fitted to what.
    trials : Dataset
        All trials, test trials included.
    latents, rates : DataArray
        Of the same trials, (trial, time, latent) and (trial, time, unit).
    is_test : bool array of shape (trial,)
        Trials that were not fitted.
    model : estimator or ensemble
        For its field.
    metrics : dict
        As `neurognode.runs.evaluate_run` writes it: ``names``, ``table``, ``decoding`` ...
    history : list of dict
        Training records.
    portrait, verdicts : optional
        As the rooms `interpret` and `hypotheses` make them.
    agreement : dict, optional
        ``members``, ``field_cosine`` and ``fixed_points`` (``found``, ``growth_low``, ``growth_high``).
    condition : str, optional
        Trial column that colours and groups the trials.
    command, config : str
        How to repeat the run.
    provenance : dict
        Versions, machine, commit.
    limits : list of str
        What could not be told and why, one sentence each.
    planted : list of (name, planted, found), optional
        For simulated recordings: the truth beside the answer.
    """

    title: str
    lead: str
    trials: xr.Dataset
    latents: xr.DataArray
    rates: xr.DataArray
    is_test: np.ndarray
    model: Any = None
    metrics: dict[str, Any] = field(default_factory=dict)
    history: Sequence[dict[str, Any]] = ()
    portrait: Any = None
    agreement: Any = None
    verdicts: Any = None
    condition: str | None = None
    command: str = ""
    config: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    limits: Sequence[str] = ()
    planted: Sequence[tuple[str, str, str]] = ()

    @property
    def groups(self) -> np.ndarray | None:
        """Values of the condition column, (trial,); None if there is none."""
        if self.condition is None or self.condition not in self.trials.coords:
            return None
        return self.trials[self.condition].values

    @property
    def table(self) -> list[dict[str, Any]]:
        """Rows of the score table."""
        return self.metrics.get("table", [])


def number(value: Any, digits: int = 3) -> str:
    """A number for people: three significant digits, a true minus sign, a dash where there is none.

    Examples
    --------
    >>> from neurognode.report.content import number
    >>> number(0.123456), number(-1200.0), number(None), number(3)
    ('0.123', '−1200', '–', '3')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(value).replace("-", "−")
    size = abs(float(value))
    if math.isinf(size):
        return "∞" if value > 0 else "−∞"
    places = 0 if size == 0 else max(digits - 1 - math.floor(math.log10(size)), 0)
    text = f"{value:.{min(places, digits + 1)}f}" if size < 1e6 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def build(content: Content) -> Page:
    """Build the page; sections for which there is nothing are left out.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from neurognode import make_trials
    >>> from neurognode.report import Content, build
    >>> trials = make_trials(np.ones((4, 10, 3), int), bin_size=0.1)
    >>> dims, time = ("trial", "time", "latent"), {"time": trials.time}
    >>> latents = xr.DataArray(np.zeros((4, 10, 2)), dims=dims, coords=time)
    >>> rates = xr.DataArray(np.ones((4, 10, 3)), dims=("trial", "time", "unit"))
    >>> page = build(Content("A fit", "Of nothing.", trials, latents, rates, np.zeros(4, bool)))
    >>> [section.title for section in page.sections]
    ['Latents', 'Rates', 'Repeat this run']
    """
    from neurognode.report import sections

    made: list[Section | None] = [
        sections.planted(content),
        sections.verdicts(content),
        sections.scores(content),
        sections.latents(content),
        sections.rates(content),
        sections.flow(content),
        sections.limits(content),
        sections.repeat(content),
    ]
    versions = content.provenance.get("versions", {})
    footer = f"Written by neurognode {versions.get('neurognode', '')}".strip()
    if content.provenance.get("created"):
        footer += f", fit started {content.provenance['created'].replace('T', ' ').replace('+00:00', ' UTC')}"
    return Page(
        title=content.title,
        lead=content.lead,
        tiles=_tiles(content),
        sections=[section for section in made if section is not None],
        footer=footer + ".",
    )


def _tiles(content: Content) -> list[dict[str, str]]:
    tiles = []
    names = content.metrics.get("names", {})
    ours = [row for row in content.table if row.get("ours")]
    for key, name in list(names.items())[:2]:
        if ours and ours[0].get(key) is not None:
            others = [row[key] for row in content.table if not row.get("ours") and row.get(key) is not None]
            beside = f" (best baseline {number(max(others))})" if others else ""
            tiles.append({"value": number(ours[0][key]), "name": name + beside})
    if content.portrait is not None:
        fixed = content.portrait.fixed_points
        seen = fixed.inside & fixed.isolated
        text = f"{int((seen & fixed.stable).sum())} / {int(seen.sum())}"
        tiles.append({"value": text, "name": "stable / all fixed points where data have been"})
    if content.verdicts is not None and len(content.verdicts):
        good = [v.hypothesis.replace("_", " ") for v in content.verdicts if v.status == "supported"]
        tiles.append({"value": ", ".join(good[:3]) or "none", "name": "hypotheses supported"})
    sizes = content.trials.sizes
    tiles.append(
        {
            "value": f"{sizes['trial']} × {sizes['unit']}",
            "name": f"trials × units, {sizes['time']} bins a trial",
        }
    )
    return tiles
