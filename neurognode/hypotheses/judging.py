"""From what every member says to one verdict a hypothesis: agreement, nulls, multiplicity, competition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from neurognode import registry
from neurognode.hypotheses.base import Hypothesis, Reading, View
from neurognode.hypotheses.verdict import Verdict, Verdicts
from neurognode.interpret import Flow, Portrait

AGREE, DECIDED = 0.8, 0.6
"""Share of members that must reject a hypothesis for it to be rejected; of those that decide, the share that must
support it, and the share of members that must decide, for it to be supported."""
ALPHA = 0.05
MANY = 100
"""From this many surrogates on, p is a rank; below, it comes from the t distribution that predicts a new one."""


@dataclass(frozen=True, eq=False)
class Null:
    """A statistic on the data and on surrogates.

    Attributes
    ----------
    name : str
        Of the surrogate, with "refitted" or "re-scored".
    observed : float
    sample : array (n,)
    """

    name: str
    observed: float
    sample: np.ndarray

    @property
    def p(self) -> float:
        """Probability of a surrogate as large as the data, one-sided; NaN with fewer than five surrogates.

        Examples
        --------
        >>> import numpy as np
        >>> from neurognode.hypotheses.judging import Null
        >>> round(Null("", 5.0, np.arange(199) / 100).p, 3)
        0.005
        """
        sample = self.sample[np.isfinite(self.sample)]
        n = len(sample)
        if n < 5 or not np.isfinite(self.observed):
            return float("nan")
        rank = float((1 + (sample >= self.observed).sum()) / (1 + n))
        spread = sample.std(ddof=1)
        if n >= MANY or spread < 1e-12:
            return rank
        return float(stats.t.sf((self.observed - sample.mean()) / (spread * np.sqrt(1 + 1 / n)), n - 1))


def hypotheses_named(names: Sequence[str] | None) -> dict[str, Hypothesis]:
    """Instances of the hypotheses asked for, all of them by default.

    Raises
    ------
    ValueError
        If a name is not known.
    """
    if names is None:
        return {name: made() for name, made in registry.members("hypotheses").items()}
    return {name: registry.resolve("hypotheses", name)() for name in names}


def compare_portraits(
    portraits: Sequence[Portrait],
    fields: Sequence[Any],
    *,
    trajectories: Sequence[np.ndarray] | None = None,
    inputs: np.ndarray | None = None,
    bin_size: float | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
    hypotheses: Sequence[str] | None = None,
) -> Verdicts:
    """Test all hypotheses on portraits alone, without a null from the data.

    Parameters
    ----------
    portraits : sequence of Portrait
        One a member.
    fields : sequence of VectorField or Map
        The members' fields, in the same order.
    trajectories : sequence of arrays (trial, time, N), optional
        The members' latents.
    inputs : array (trial, time, I), optional
    bin_size : float, optional
        Seconds.
    columns : mapping, optional
        Trial columns.
    hypotheses : sequence of str, optional
        Names; all by default.

    Examples
    --------
    >>> from neurognode.hypotheses import compare_portraits
    >>> from neurognode.interpret import portrait
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("ring")
    >>> pictures = [
    ...     portrait(circuit.field, circuit.simulate(60, random_state=k).latents, horizon=1.6, diffusion=circuit.noise)
    ...     for k in range(2)
    ... ]
    >>> compare_portraits(pictures, [circuit.field] * 2).supported()
    ['ring_attractor']
    """
    if len(portraits) != len(fields):
        raise ValueError(
            f"There are {len(portraits)} portraits and {len(fields)} fields; give one field a portrait."
        )
    paths = list(trajectories) if trajectories is not None else [None] * len(portraits)
    views = [
        View(picture, Flow(field), path, bin_size, inputs, dict(columns or {}))
        for picture, field, path in zip(portraits, fields, paths)
    ]
    return judge(views, hypotheses_named(hypotheses))


def read_all(views: Sequence[View], hypotheses: Mapping[str, Hypothesis]) -> dict[str, list[Reading]]:
    """What every member says about every hypothesis, by name."""
    return {name: [one.read(view) for view in views] for name, one in hypotheses.items()}


def judge(
    views: Sequence[View],
    hypotheses: Mapping[str, Hypothesis],
    nulls: Mapping[str, Null] | None = None,
    *,
    readings: Mapping[str, list[Reading]] | None = None,
    field_agreement: float = float("nan"),
    notes: Sequence[str] = (),
) -> Verdicts:
    """Verdicts from the members' views.

    Parameters
    ----------
    views : sequence of View
        One a member.
    hypotheses : mapping
        Name -> hypothesis.
    nulls : mapping, optional
        Name -> its null, where one was run.
    readings : mapping, optional
        What `read_all` gave, if it is at hand.
    field_agreement : float
        Median similarity of the members' fields, for the notes.
    """
    if not views:
        raise ValueError("There is no member to judge.")
    readings = readings or read_all(views, hypotheses)
    verdicts = [_alone(name, one, readings[name]) for name, one in hypotheses.items()]
    verdicts = _with_nulls(verdicts, hypotheses, nulls or {})
    verdicts = _competing(verdicts, hypotheses)
    extra = []
    if len(views) == 1:
        extra.append(
            "One fit only: agreement is unchecked, so nothing is supported or rejected. Fit an Ensemble."
        )
    if np.isfinite(field_agreement):
        extra.append(f"Cosine between members' drifts, after alignment: {field_agreement:.2f} (median).")
    return Verdicts(verdicts, (*notes, *extra))


def _alone(name: str, hypothesis: Hypothesis, readings: list[Reading]) -> Verdict:
    counts = Counter(reading.status for reading in readings)
    status = agreed(readings)
    shown = status if counts[status] else counts.most_common(1)[0][0]
    chosen = [reading for reading in readings if reading.status == shown]
    reason = Counter(reading.reason for reading in chosen).most_common(1)[0][0]
    values = np.array([reading.statistic for reading in readings])
    effects = np.array([reading.effect_size for reading in readings])
    agreement = counts[shown] / len(readings)
    if len(readings) == 1:
        reason = f"{_word(status)}, but agreement is unchecked: one fit cannot be sure. {reason}"
        status, agreement = "cannot_tell", float("nan")
    elif len(counts) > 1:
        parts = ", ".join(f"{count} {key.replace('_', ' ')}" for key, count in counts.most_common())
        reason = f"Members {'differ' if status == 'supported' else 'disagree'} ({parts}). {reason}"
    return Verdict(
        name, status, reason,
        statistic=_median(values), statistic_name=hypothesis.statistic_name,
        effect_size=_median(effects), effect_name=hypothesis.effect_name,
        interval=_interval(values), agreement=agreement,
        variant=Counter(reading.variant for reading in chosen).most_common(1)[0][0],
        members=tuple(reading.status for reading in readings),
    )  # fmt: skip


def agreed(readings: Sequence[Reading]) -> str:
    """What members say together: an open member abstains, but too many of them leave it open.

    Examples
    --------
    >>> from neurognode.hypotheses.base import Reading
    >>> from neurognode.hypotheses.judging import agreed
    >>> said = lambda *names: agreed([Reading(name, 0.0, 0.0, "") for name in names])
    >>> said("supported", "supported", "cannot_tell"), said("supported", "supported", "rejected")
    ('supported', 'cannot_tell')
    >>> said("rejected", "rejected", "cannot_tell")
    'cannot_tell'
    """
    counts, n = Counter(reading.status for reading in readings), len(readings)
    decided = counts["supported"] + counts["rejected"]
    if decided >= DECIDED * n and counts["supported"] >= AGREE * decided:
        return "supported"
    return "rejected" if counts["rejected"] >= AGREE * n else "cannot_tell"


def _word(status: str) -> str:
    words = {"supported": "This fit speaks for it", "rejected": "This fit speaks against it"}
    return words.get(status, "This fit leaves it open")


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _interval(values: np.ndarray) -> np.ndarray:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.full(2, np.nan)
    if len(values) < 6:
        return np.array([values.min(), values.max()])
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return np.array([values.mean() - half, values.mean() + half])


def holm(p: np.ndarray, count: int | None = None) -> np.ndarray:
    """P values corrected for `count` tests (Holm 1979), by default for their number; NaN stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses.judging import holm
    >>> holm(np.array([0.01, 0.04, np.nan])).tolist()
    [0.02, 0.04, nan]
    """
    corrected = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = (len(order) if count is None else count) - np.arange(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def _with_nulls(
    verdicts: list[Verdict], hypotheses: Mapping[str, Hypothesis], nulls: Mapping[str, Null]
) -> list[Verdict]:
    if not nulls:
        return verdicts
    p = np.array([nulls[v.hypothesis].p if v.hypothesis in nulls else np.nan for v in verdicts])
    corrected = holm(p, len(verdicts))
    out = []
    for verdict, alone, value in zip(verdicts, p, corrected):
        null = nulls.get(verdict.hypothesis)
        if null is not None:
            verdict = replace(
                verdict, null=null.name, null_sample=null.sample, null_statistic=null.observed, p=float(alone),
                p_corrected=float(value),
            )  # fmt: skip
        out.append(_weighed(verdict, null))
    return out


def _weighed(verdict: Verdict, null: Null | None) -> Verdict:
    """A hypothesis that does no better than its null is not supported."""
    if verdict.status != "supported":
        return verdict
    if null is None or not np.isfinite(verdict.p_corrected):
        name = "its null" if null is None else null.name
        return replace(
            verdict, status="cannot_tell", reason=f"No p value against {name} could be had. {verdict.reason}"
        )
    if verdict.p_corrected > ALPHA:
        reason = f"Surrogates look the same (p = {verdict.p_corrected:.2g}, {null.name}). {verdict.reason}"
        return replace(verdict, status="cannot_tell", reason=reason)
    return verdict


def _competing(verdicts: list[Verdict], hypotheses: Mapping[str, Hypothesis]) -> list[Verdict]:
    """Two supported hypotheses that exclude one another leave both open."""
    supported = [v.hypothesis for v in verdicts if v.status == "supported"]
    out = []
    for verdict in verdicts:
        rivals = [
            other for other in supported
            if other != verdict.hypothesis
            and other not in hypotheses[verdict.hypothesis].compatible
            and verdict.hypothesis not in hypotheses[other].compatible
        ]  # fmt: skip
        if verdict.status == "supported" and rivals:
            words = " and ".join(name.replace("_", " ") for name in rivals)
            verdict = replace(
                verdict, status="cannot_tell", reason=f"{words.capitalize()} fits as well. {verdict.reason}"
            )
        out.append(verdict)
    return out
