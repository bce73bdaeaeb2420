"""From fitted members and trials to the views that hypotheses read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurognode.hypotheses.base import View
from neurognode.interpret import Flow
from neurognode.interpret.fitted import Evidence, evidence_of, portrait_from, with_noise
from neurognode.models.noise_level import noise_scale


def members_of(fits: Any) -> list[Any]:
    """The fitted models in an ensemble, in a list of models, or the one model."""
    if hasattr(fits, "members_"):
        return list(fits.members_)
    if isinstance(fits, Sequence):
        return [member for one in fits for member in members_of(one)]
    return [fits]


def trial_columns(trials: Any) -> dict[str, np.ndarray]:
    """Columns of trials by name; none for bare arrays."""
    if not isinstance(trials, xr.Dataset):
        return {}
    return {str(n): c.values for n, c in trials.coords.items() if c.dims == ("trial",) and n != "trial"}


def view_of(
    found: Evidence, trials: Any, *, depth: str = "full", random_state: int = 0, **options: Any
) -> View:
    """The view of one fitted field."""
    picture = portrait_from(found, depth=depth, random_state=random_state, **options)
    flow = Flow(found.field, options.get("inputs"))
    return View(picture, flow, found.trajectories, found.bin_size, found.inputs, trial_columns(trials))


def views_of(
    fits: Any,
    trials: Any,
    *,
    depth: str = "full",
    random_state: int = 0,
    told: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> list[View]:
    """One view a member of a fitted ensemble (or of a list of models), its process noise at the likeliest level.

    Parameters
    ----------
    fits : Ensemble, LatentDynamics, or a sequence of them
        Fitted to `trials`.
    trials : Trials or array
        What was recorded.
    depth : {"full", "quick"}
        As for `portrait`.
    told : callable, optional
        Called as ``told("portraits", done, total)``.
    **options
        Passed to `portrait`, such as ``inputs`` or ``n_starts``.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.hypotheses import views_of
    >>> from neurognode.models import LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> len(views_of(model, counts, depth="quick"))
    1
    """
    members = members_of(fits)
    views = []
    for k, member in enumerate(members):
        found = with_noise(evidence_of(member, trials), noise_scale(member, trials))
        views.append(view_of(found, trials, depth=depth, random_state=random_state, **options))
        if told is not None:
            told("portraits", k + 1, len(members))
    return views
