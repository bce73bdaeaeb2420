"""What a hypothesis is: criteria on a portrait, a statistic, a signature in the data, and a null.

To add one, subclass `Hypothesis` in a file of its own and register it under the entry point
``neurognode.hypotheses``. It must set the class attributes and `criteria`; it may replace `statistic`, `effect`,
`variant` and `signature`. It should not look at other hypotheses: `compare` does that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.spatial import cKDTree

from neurognode.interpret import Flow, Portrait, topology
from neurognode.interpret.rollouts import AWAY

PASS, FAIL, OPEN = 1, -1, 0
NUMBER = re.compile(r"\{value[^}]*\}")
MOST_STATES = 2000
"""States of the trajectories in which loops are looked for."""


@dataclass(frozen=True)
class Criterion:
    """One thing a hypothesis demands.

    Attributes
    ----------
    value : float
        What was measured.
    outcome : int
        1 met, -1 violated, 0 in between or not measurable.
    text : str
        What was found, as the reason to give if this decides.
    """

    value: float
    outcome: int
    text: str


def above(value: float, met: float, violated: float, text: str) -> Criterion:
    """Met from `met` upwards, violated below `violated`. `text` may hold ``{value}``.

    Examples
    --------
    >>> from neurognode.hypotheses.base import above
    >>> [above(v, 0.5, 0.2, "").outcome for v in (0.9, 0.3, 0.1, float("nan"))]
    [1, 0, -1, 0]
    """
    outcome = PASS if value >= met else FAIL if value < violated else OPEN
    return Criterion(float(value), outcome, _worded(text, value))


def below(value: float, met: float, violated: float, text: str) -> Criterion:
    """Met up to `met`, violated above `violated`."""
    outcome = PASS if value <= met else FAIL if value > violated else OPEN
    return Criterion(float(value), outcome, _worded(text, value))


def _worded(text: str, value: float) -> str:
    if np.isnan(value):
        return f"It could not be measured whether this holds: {NUMBER.sub('(unknown)', text)}"
    return text.format(value=value)


def demand(holds: bool | None, text: str) -> Criterion:
    """Met or violated; None where it cannot be told."""
    outcome = OPEN if holds is None else PASS if holds else FAIL
    return Criterion(float("nan") if holds is None else float(holds), outcome, text)


@dataclass(frozen=True, eq=False)
class View:
    """One member's evidence.

    Attributes
    ----------
    portrait : Portrait
    flow : Flow or None
        The field, for hypotheses that look at more than the portrait holds.
    trajectories : array (trial, time, N) or None
        Latents of the data; NaN outside trials.
    bin_size : float or None
        Seconds.
    inputs : array (trial, time, I) or None
    columns : mapping
        Trial columns by name, arrays (trial,).
    """

    portrait: Portrait
    flow: Flow | None = None
    trajectories: np.ndarray | None = None
    bin_size: float | None = None
    inputs: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def loops(self) -> tuple[float, float]:
        """Lives of the two longest loops of the trajectories themselves, relative to their size."""
        if self.trajectories is None:
            states = self.portrait.region.states
        else:
            states = self.trajectories.reshape(-1, self.trajectories.shape[-1])
            states = states[np.isfinite(states).all(1)]
        if len(states) < 20:
            return float("nan"), float("nan")
        kept = np.random.default_rng(0).permutation(len(states))[:MOST_STATES]
        shape = topology(self.portrait.region.measure(states[kept]), 1, n_points=120, n_resamples=0)
        return shape.loop, shape.second_loop

    @cached_property
    def late_motion(self) -> float:
        """How far states go in a quarter of a trial in the second half of trials, over their spread there.

        Root mean squares, in the region's metric; NaN without trajectories. States that are held keep it small; it is
        above 1 where every memory of the place is lost within that time.
        """
        if self.trajectories is None or self.trajectories.shape[1] < 8:
            return float("nan")
        paths = self.portrait.region.measure(self.trajectories)
        late, lag = paths[:, paths.shape[1] // 2 :], paths.shape[1] // 4
        moved = ((late[:, lag:] - late[:, :-lag]) ** 2).sum(2)
        spread = np.nanvar(late.reshape(-1, late.shape[2]), axis=0).sum()
        return float(np.sqrt(np.nanmean(moved) / max(float(spread), 1e-300)))

    def held(self, places: np.ndarray) -> np.ndarray:
        """Of the data's own states near each place (n, N), the share (n,) that are near it half a trial later.

        Near: within a tenth of the region's diameter, and half as far again later. NaN where fewer than twenty states
        came so near with half a trial left, as at the end of a way that no trial goes beyond.
        """
        share = np.full(len(places), np.nan)
        if self.trajectories is None or self.trajectories.shape[1] < 8 or not len(places):
            return share
        region = self.portrait.region
        paths, lag = region.measure(self.trajectories), self.trajectories.shape[1] // 2
        for k, place in enumerate(region.measure(places)):
            distance = np.linalg.norm(paths - place, axis=2) / region.diameter
            now, later = distance[:, :-lag], distance[:, lag:]
            near = (now < AWAY) & np.isfinite(later)
            if near.sum() >= 20:
                share[k] = (later[near] < 1.5 * AWAY).mean()
        return share

    @cached_property
    def group_middles(self) -> np.ndarray:
        """Medians (n, N) of the groups of end points."""
        roll = self.portrait.behaviour
        middles = [np.median(roll.ends[roll.labels == k], axis=0) for k in range(roll.n_clusters)]
        return np.reshape(middles, (len(middles), self.portrait.latent_dim))

    @cached_property
    def groups_held(self) -> np.ndarray:
        """`held` at the middles of the groups that the flow ends in."""
        return self.held(self.group_middles)

    def in_groups(self, chosen: np.ndarray) -> float:
        """Share of the end points that lie in the chosen groups, bool (n,)."""
        labels = self.portrait.behaviour.labels
        return float(np.isin(labels, np.flatnonzero(chosen)).sum() / max(1, (labels >= 0).sum()))

    @cached_property
    def late_in_groups(self) -> float:
        """Share of the data's own states, in the second half of trials, that are near the middle of some group."""
        if self.trajectories is None or not len(self.group_middles):
            return float("nan")
        region = self.portrait.region
        paths = region.measure(self.trajectories[:, self.trajectories.shape[1] // 2 :])
        flat = paths[np.isfinite(paths).all(2)]
        if not len(flat):
            return float("nan")
        gap, _ = cKDTree(region.measure(self.group_middles)).query(flat)
        return float((gap < AWAY * region.diameter).mean())

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The portrait's scalars."""
        return self.portrait.scalars()


@dataclass(frozen=True, eq=False)
class Reading:
    """What one member says about one hypothesis."""

    status: str
    statistic: float
    effect_size: float
    reason: str
    variant: str = ""


class Hypothesis:
    """Base class of all hypotheses; see the module's text for what a subclass must provide.

    Attributes
    ----------
    name, title : str
        Name in the registry, and in words.
    predicts : str
        What the flow must do.
    refuted_by : str
        What would refute it.
    statistic_name, effect_name : str
    null : str
        Name of the surrogate that destroys what is claimed and keeps the rest.
    citation : str
    compatible : tuple of str
        Hypotheses that may be true at the same time.
    draws_null : bool
        Whether `null_sample` draws the null from the latents, instead of surrogates of the recording.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    predicts: ClassVar[str] = ""
    refuted_by: ClassVar[str] = ""
    statistic_name: ClassVar[str] = ""
    effect_name: ClassVar[str] = ""
    null: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    compatible: ClassVar[tuple[str, ...]] = ()
    draws_null: ClassVar[bool] = False

    def criteria(self, view: View) -> list[Criterion]:
        """What this hypothesis demands of a portrait, the most basic first."""
        raise NotImplementedError

    def statistic(self, view: View) -> float:
        """One number of the fitted flow, larger the more it looks like this hypothesis."""
        raise NotImplementedError

    def effect(self, view: View) -> float:
        """Size of the effect; the statistic itself unless replaced."""
        return self.statistic(view)

    def variant(self, view: View) -> str:
        """A form of the hypothesis, or nothing."""
        return ""

    def signature(self, view: View) -> float:
        """One number of the data's latents alone, for surrogates that are re-scored and not refitted.

        NaN where the hypothesis has none.
        """
        return float("nan")

    def null_sample(self, view: View, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` draws of the signature under the null, for hypotheses with ``draws_null``."""
        raise NotImplementedError

    def reason(self, view: View) -> str:
        """The sentence to give when everything demanded is met."""
        return self.predicts

    def read(self, view: View) -> Reading:
        """Judge one portrait: a violated criterion rejects, an open one leaves it open."""
        with np.errstate(all="ignore"):
            try:
                found = self.criteria(view)
                statistic, effect = float(self.statistic(view)), float(self.effect(view))
            except (np.linalg.LinAlgError, ArithmeticError) as error:
                return Reading(
                    "cannot_tell", float("nan"), float("nan"), f"It could not be computed: {error}."
                )
        for outcome, status in ((FAIL, "rejected"), (OPEN, "cannot_tell")):
            for criterion in found:
                if criterion.outcome == outcome:
                    return Reading(status, statistic, effect, criterion.text)
        return Reading("supported", statistic, effect, self.reason(view), self.variant(view))

    def describe(self) -> dict[str, Any]:
        """What is printed about it."""
        keys = ("title", "predicts", "refuted_by", "statistic_name", "effect_name", "null", "citation")
        return {key: getattr(self, key) for key in keys}
