"""`compare`: every hypothesis against every member, its nulls, and the other hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from neurognode.hypotheses.base import Reading
from neurognode.hypotheses.evidence import members_of, views_of
from neurognode.hypotheses.judging import Null, agreed, hypotheses_named, judge, read_all
from neurognode.hypotheses.nulls import refitted, rescored
from neurognode.hypotheses.verdict import Verdicts
from neurognode.interpret.agreements import agreement
from neurognode.models.presets import setting
from neurognode.trials import make_trials

WORSE = 0.75
"""Members whose validation score is below this share of the best one's have not learned the data."""
STEERED = "The model infers inputs on every trial, so its latents are not its flow's alone; fit with preset dynamics."
"""Why a model with inferred inputs decides nothing."""


def compare(
    fits: Any,
    trials: Any,
    *,
    hypotheses: Sequence[str] | None = None,
    n_rescored: int = 250,
    n_refits: int = 0,
    refit_steps: int = 200,
    inputs: np.ndarray | None = None,
    views: Sequence[Any] | None = None,
    random_state: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Verdicts:
    """Test hypotheses about the dynamics of a recorded population.

    Members whose score on held-out trials is below three quarters of the best one's are left out first. For every
    other member of the ensemble a portrait is drawn and every hypothesis's demands are checked on it. A
    hypothesis is supported if at least 60 % of members decide and 80 % of these say so, its statistic exceeds that of
    surrogates (corrected over hypotheses after Holm), and no hypothesis that excludes it is supported too; it is
    rejected if 80 % of all members say so. Models that infer inputs (preset "denoise") decide nothing: their latents
    are not their flow's alone.

    Parameters
    ----------
    fits : Ensemble, or sequence of fitted models
        A single model gives no verdict better than "cannot_tell": agreement is then unchecked.
    trials : Trials or array (trial, time, unit)
        What the models were fitted to.
    hypotheses : sequence of str, optional
        Names in the registry; all by default.
    n_rescored : int
        Surrogates passed through the fitted model, for the hypotheses that enough members speak for. The p value is
        that of the hypothesis's signature in the latents,
        weighed by the bits per spike they explain. With fewer than 20 times as many as there are hypotheses, less
        one, nothing can be supported after correction. 0 for none: then nothing can be supported unless `n_refits`
        is given.
    n_refits : int
        Surrogates to which the reference member is fitted again, from a warm start; with five or more the p value
        is that of the flow's own statistic, weighed likewise, and what the verdict says.
    refit_steps : int
        Training steps of each of these.
    inputs : array (I,), optional
        Constant input under which the fields are looked at; zero by default.
    views : sequence of View, optional
        From `views_of`, if they are at hand.
    random_state : int
        Seed of everything.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    Verdicts

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses import compare
    >>> from neurognode.models import Ensemble, LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0)
    >>> verdicts = compare(Ensemble(model, 2).fit(counts), counts, n_rescored=0)
    >>> verdicts.supported()
    []
    """
    told = progress or (lambda what, done, total: None)
    members = members_of(fits)
    if not isinstance(trials, xr.Dataset):
        kind = getattr(members[0], "activity_kind_", "counts")
        trials = make_trials(np.asarray(trials), bin_size=float(members[0].bin_size_), kind=kind)
    chosen = hypotheses_named(hypotheses)
    kept, reference, notes = _good_enough(members, int(getattr(fits, "reference_", 0)))
    if views is not None and len(views) == len(members):
        views = [views[k] for k in kept]
    members = [members[k] for k in kept]
    seen = list(views or views_of(members, trials, random_state=random_state, told=told, inputs=inputs))
    readings = read_all(seen, chosen)
    if any(_infers_inputs(member) for member in members):
        readings = {name: _undecided(found) for name, found in readings.items()}
    claimed = {name: one for name, one in chosen.items() if _claimed(readings[name])}
    nulls: dict[str, Null] = {}
    if n_rescored and claimed:
        nulls |= rescored(
            members[reference], seen[reference], trials, claimed, n_rescored, random_state, told
        )
    if n_refits and claimed:
        again = refitted(
            members[reference], seen[reference], trials, claimed, n_refits, refit_steps, random_state, told
        )
        nulls |= {name: null for name, null in again.items() if np.isfinite(null.p)}
    elif n_rescored:
        notes.append("Surrogates were only re-scored by the fitted model, not refitted (n_refits=0).")
    if not (n_rescored or n_refits):
        notes.append("No null was run; nothing can be supported without one.")
    nulls = {name: nulls.get(name, Null("not tested", float("nan"), np.empty(0))) for name in chosen}
    agreed = _field_agreement(seen, reference)
    return judge(seen, chosen, nulls, readings=readings, field_agreement=agreed, notes=notes)


def _infers_inputs(member: Any) -> bool:
    return hasattr(member, "preset") and bool(setting(member, "inferred_inputs"))


def _undecided(readings: Sequence[Reading]) -> list[Reading]:
    return [replace(reading, status="cannot_tell", reason=STEERED) for reading in readings]


def _claimed(readings: Sequence[Reading]) -> bool:
    """Whether enough members speak for a hypothesis: only then does it matter what surrogates look like."""
    return agreed(readings) == "supported"


def _good_enough(members: list[Any], reference: int) -> tuple[list[int], int, list[str]]:
    """Which members predict held-out trials nearly as well as the best, the reference's place, notes."""
    scores = np.array([float(getattr(member, "validation_score_", np.nan)) for member in members])
    best = np.nanmax(scores) if np.isfinite(scores).any() else np.nan
    if not best > 0:
        return list(range(len(members))), min(reference, len(members) - 1), []
    kept = np.flatnonzero(~(scores < WORSE * best))
    place = (
        int(np.flatnonzero(kept == reference)[0]) if reference in kept else int(np.nanargmax(scores[kept]))
    )
    left_out = len(members) - len(kept)
    words = f"{left_out} of {len(members)} members predict held-out trials much worse than the best and were left out."
    return [int(k) for k in kept], place, [words] if left_out else []


def _field_agreement(views: list[Any], reference: int) -> float:
    if len(views) < 2:
        return float("nan")
    paths = [view.trajectories for view in views]
    try:
        found = agreement(
            [view.portrait for view in views], [view.flow.field for view in views], paths, reference=reference
        )
    except (ValueError, np.linalg.LinAlgError):
        return float("nan")
    return found.field_cosine
