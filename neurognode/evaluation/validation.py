"""Cross-validation over trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.errors import one_of


def folds(
    trials: xr.Dataset,
    n_splits: int = 5,
    *,
    by: str = "trial",
    random_state: int | np.random.Generator | None = 0,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test trials of every fold.

    Parameters
    ----------
    trials : Trials
    n_splits : int
    by : str
        ``"trial"``: trials at random. ``"block"``: contiguous blocks of the session, which is safer where
        the recording drifts. A trial column: whole groups (sessions, conditions) are held out.
    random_state : int, Generator or None

    Returns
    -------
    list of (train, test)
        Index arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.trials import make_trials
    >>> from neurognode.evaluation import folds
    >>> trials = make_trials(np.zeros((6, 2, 1)), bin_size=0.1)
    >>> [test.tolist() for _, test in folds(trials, 3, by="block")]
    [[0, 1], [2, 3], [4, 5]]
    """
    n_trials = trials.sizes["trial"]
    columns = [str(k) for k, c in trials.coords.items() if c.dims == ("trial",)]
    one_of(by, ["trial", "block", *columns], "by")
    rng = np.random.default_rng(random_state)
    if by in columns and by != "trial":
        _, group = np.unique(trials[by].values, return_inverse=True)
    else:
        group = np.arange(n_trials)
    ids = np.unique(group)
    if not 2 <= n_splits <= len(ids):
        raise ValueError(f"n_splits={n_splits} must be 2 to {len(ids)}, the number of groups to split.")
    order = ids if by == "block" else rng.permutation(ids)
    found = []
    for part in np.array_split(order, n_splits):
        held = np.isin(group, part)
        found.append((np.flatnonzero(~held), np.flatnonzero(held)))
    return found


def cross_validate(
    model: Any,
    trials: xr.Dataset,
    n_splits: int = 5,
    *,
    by: str = "trial",
    condition: str | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> dict[str, Any]:
    """Refit a model on each fold and evaluate it on what was left out.

    Parameters
    ----------
    model : estimator
        Cloned for every fold; the one given is not touched.
    trials : Trials
    n_splits, by, random_state
        See `folds`.
    condition : str, optional
        See `evaluate`.

    Returns
    -------
    dict
        ``folds``: what `evaluate` returns for each. ``table``: mean and standard error over folds of every
        score of every method; ``names``: headings.

    Examples
    --------
    >>> from neurognode import cross_validate
    >>> from neurognode.models import LatentGNODE
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> trials = simulate_recording(circuits.make("ring"), n_units=12, n_trials=20).trials()
    >>> model = LatentGNODE(2, encode_units=range(9), max_steps=2, progress=False)
    >>> len(cross_validate(model, trials, 2)["folds"])
    2
    """
    from sklearn.base import clone

    from neurognode.evaluation.scoring import evaluate

    schema.validate(trials)
    results = []
    for train, test in folds(trials, n_splits, by=by, random_state=random_state):
        kept, held = trials.isel(trial=train), trials.isel(trial=test)
        fitted = clone(model).fit(kept)
        results.append(
            evaluate(fitted, kept, held, condition=condition, decode=False, random_state=random_state)
        )
    names = results[0]["names"]
    table = []
    for index, first in enumerate(results[0]["table"]):
        row: dict[str, Any] = {"method": first["method"], "ours": first["ours"]}
        for key in names:
            values = np.array([r["table"][index][key] for r in results], float)
            row[key], row[f"{key}_error"] = (
                float(np.nanmean(values)),
                float(np.nanstd(values) / len(values) ** 0.5),
            )
        table.append(row)
    note = f"Mean over {n_splits} folds of trials; ± is the standard error over folds."
    return {"folds": results, "table": table, "names": names, "note": note}
