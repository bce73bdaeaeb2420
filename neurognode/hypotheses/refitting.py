"""Fitted models trained on for a while on surrogates: warm starts, all of them as one population."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurognode.models.fitting import Prepared, can_fit_together, parts_of
from neurognode.models.population import NetworkPopulation
from neurognode.models.together import train_together
from neurognode.training import CallbackList


def refit(model: Any, several: Sequence[xr.Dataset], n_steps: int, seeds: Sequence[int]) -> list[Any]:
    """Copies of a fitted `LatentDynamics`, each trained for `n_steps` more steps on trials of its own.

    Every weight may change, from where the fit of the data had left it. The learning rate rises and falls as in a
    whole fit. The copies are trained in one pass along the population axis where the model allows it, and in turn
    where it does not.

    Parameters
    ----------
    model : LatentDynamics
        Fitted.
    several : sequence of Trials
        Of the same units and bins; each for one copy.
    n_steps : int
    seeds : sequence of int
        Of each copy's batches.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses.refitting import refit
    >>> from neurognode.models import LatentDynamics
    >>> trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(20, 30, 8)), bin_size=0.01)
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(trials)
    >>> [other.transform(trials).shape for other in refit(model, [trials, trials], 3, [0, 1])]
    [(20, 30, 2), (20, 30, 2)]
    """
    others = [_copy(model, n_steps, seed) for seed in seeds]
    fits = [
        Prepared(other, other.network_, *parts_of(other, trials), other.seed_)
        for other, trials in zip(others, several)
    ]
    if len(fits) > 1 and can_fit_together(others, several[0]):
        for fit in fits:
            fit.network.noise_factor = 1.0
        outcomes = train_together(
            NetworkPopulation([fit.network for fit in fits]),
            [fit.training[0] for fit in fits],
            [fit.settings() for fit in fits],
            [fit.score() for fit in fits],
            [CallbackList([]) for _ in fits],
        )
        for fit, outcome in zip(fits, outcomes):
            fit.ended(outcome)
            fit.keep(outcome)
    else:
        for fit in fits:
            fit.network.train()
            fit.keep(fit.train())
    return others


def _copy(model: Any, n_steps: int, seed: int) -> Any:
    other = copy.copy(model)
    other.network_ = copy.deepcopy(model.network_)
    other.max_steps, other.max_seconds, other.random_state = n_steps, None, seed
    other.progress, other.callbacks, other.checkpoint, other.resume = False, None, None, False
    other.seed_ = int(np.random.SeedSequence([model.seed_ % 2**32, seed]).generate_state(1)[0])
    return other
