"""Control fits: the same model on data from which one thing was removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

CONTROLS = {
    "units": "shuffle_units",
    "time": "shuffle_time",
    "trials": "shuffle_trials",
}
"""Control -> the surrogate that destroys it."""


def controls(
    model: Any,
    train: xr.Dataset,
    test: xr.Dataset,
    *,
    which: Sequence[str] = ("units", "time", "trials"),
    random_state: int | np.random.Generator | None = 0,
) -> dict[str, dict[str, float]]:
    """Refit a model to shuffled recordings and score it on shuffled test trials.

    A score that survives a shuffle does not rest on what the shuffle destroyed.

    Parameters
    ----------
    model : estimator
        Cloned; the one given is not touched.
    train, test : Trials
    which : sequence of {"units", "time", "trials"}
        ``time`` destroys the order of bins, ``trials`` what units share beyond their average course,
        ``units`` which unit is which in each trial.
    random_state : int, Generator or None

    Returns
    -------
    dict of control to {"score": float}
        With ``intact`` first.
    """
    from sklearn.base import clone

    from neurognode import surrogates
    from neurognode.errors import one_of

    rng = np.random.default_rng(random_state)
    found = {"intact": {"score": float(clone(model).fit(train).score(test))}}
    for name in which:
        shuffle = getattr(surrogates, CONTROLS[one_of(name, CONTROLS, "which")])
        fitted = clone(model).fit(shuffle(train, rng))
        found[name] = {"score": float(fitted.score(shuffle(test, rng)))}
    return found
