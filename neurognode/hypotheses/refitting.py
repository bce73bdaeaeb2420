"""A fitted model trained on for a while on other trials: the warm start of a surrogate's fit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import xarray as xr

from neurognode.models.fitting import train_on


def refit(model: Any, trials: xr.Dataset, n_steps: int, seed: int) -> Any:
    """A copy of a fitted `LatentDynamics`, trained for `n_steps` more steps on `trials` (same units and bins).

    Every weight may change, from where the fit of the data had left it. The learning rate rises and falls as in
    a whole fit.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses.refitting import refit
    >>> from neurognode.models import LatentDynamics
    >>> trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(20, 30, 8)), bin_size=0.01)
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(trials)
    >>> refit(model, trials, 3, 0).transform(trials).shape
    (20, 30, 2)
    """
    other = copy.copy(model)
    other.network_ = copy.deepcopy(model.network_)
    other.max_steps, other.max_seconds, other.random_state = n_steps, None, seed
    other.progress, other.callbacks, other.checkpoint, other.resume = False, None, None, False
    other.seed_ = int(np.random.SeedSequence([model.seed_ % 2**32, seed]).generate_state(1)[0])
    train_on(other, trials)
    return other
