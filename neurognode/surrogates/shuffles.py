"""Surrogates that move what was recorded: shifts and shuffles."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.errors import listing
from neurognode.surrogates.base import RandomState, equal_runs, runs, with_mask, with_signal


def circular_shift(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Shift each unit in each trial by its own random time, end joined to start.

    Keeps every unit's counts in every trial and, up to the seam, its autocorrelation. Destroys the relation
    between units and to the event. Bins that were not observed stay where they are.

    Parameters
    ----------
    trials : Trials
        Recording.
    random_state : int, Generator or None
        Seed.

    Returns
    -------
    Trials

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.random.default_rng(0).poisson(1.0, size=(5, 20, 3)), bin_size=0.02)
    >>> shifted = surrogates.circular_shift(trials, 0)
    >>> bool((shifted.counts.sum("time") == trials.counts.sum("time")).all())
    True
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    values, mask = schema.signal(trials).values.copy(), schema.observed(trials)
    for trial, bins, unit in equal_runs(mask, shortest=2):
        length = bins.shape[1]
        shift = rng.integers(1, length, size=(len(bins), 1))
        moved = (np.arange(length) - shift) % length
        source = moved if length == values.shape[1] else np.take_along_axis(bins, moved, axis=1)
        values[trial, bins, unit] = values[trial, source, unit]
    return with_signal(trials, values, "circular_shift")


def shuffle_trials(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Give each unit its trials in an order of its own.

    Keeps every unit's single-trial responses and its mean over trials at every time. Destroys what units share
    in single trials, and each unit's relation to conditions, choices and inputs. Masks travel with the signal.

    Parameters
    ----------
    trials : Trials
        Recording.
    random_state : int, Generator or None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.random.default_rng(0).poisson(1.0, size=(5, 20, 3)), bin_size=0.02)
    >>> shuffled = surrogates.shuffle_trials(trials, 0)
    >>> bool((shuffled.counts.sum("trial") == trials.counts.sum("trial")).all())
    True
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    values, mask = schema.signal(trials).values, schema.observed(trials)
    order = [rng.permutation(values.shape[0]) for _ in range(values.shape[2])]

    def moved(array: np.ndarray) -> np.ndarray:
        out = np.empty_like(array)
        for unit, own in enumerate(order):
            out[:, :, unit] = array[own, :, unit]
        return out

    shuffled = with_signal(trials, moved(values), "shuffle_trials")
    return with_mask(shuffled, mask if mask.all() else moved(mask))


def shuffle_conditions(
    trials: xr.Dataset, random_state: RandomState = None, *, columns: list[str] | None = None
) -> xr.Dataset:
    """Give trials the labels of other trials.

    Keeps the activity, and how often each combination of labels occurs. Destroys the relation between the two.

    Parameters
    ----------
    trials : Trials
        Recording.
    random_state : int, Generator or None
        Seed.
    columns : list of str, optional
        Trial columns to shuffle, together; all except the trial's own index by default.

    Raises
    ------
    ValueError
        If a column is not there, or there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.zeros((4, 5, 2), int), bin_size=0.02, columns={"choice": [0, 0, 1, 1]})
    >>> int(surrogates.shuffle_conditions(trials, 0).choice.sum())
    2
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    present = [str(n) for n, c in trials.coords.items() if c.dims == ("trial",) and n != "trial"]
    chosen = present if columns is None else list(columns)
    for name in chosen:
        if name not in present:
            raise ValueError(f"There is no trial column {name!r}. {listing(name, present)}")
    if not chosen:
        raise ValueError("These trials have no columns to shuffle; give them with make_trials(columns=...).")
    order = rng.permutation(trials.sizes["trial"])
    out = trials.assign_coords({name: ("trial", trials[name].values[order]) for name in chosen})
    out.attrs["surrogate"] = "shuffle_conditions"
    return out


def shuffle_units(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Permute the units anew in every trial.

    Keeps each trial's population count in every bin. Destroys which unit fired. Masks travel with the signal.

    Parameters
    ----------
    trials : Trials
        Recording.
    random_state : int, Generator or None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.random.default_rng(0).poisson(1.0, size=(5, 20, 3)), bin_size=0.02)
    >>> shuffled = surrogates.shuffle_units(trials, 0)
    >>> bool((shuffled.counts.sum("unit") == trials.counts.sum("unit")).all())
    True
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    values, mask = schema.signal(trials).values, schema.observed(trials)
    order = np.stack([rng.permutation(values.shape[2]) for _ in range(values.shape[0])])[:, None, :]
    moved = with_signal(trials, np.take_along_axis(values, order, 2), "shuffle_units")
    return with_mask(moved, np.take_along_axis(mask, order, 2))


def shuffle_time(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Permute the observed bins of each trial, the same way for all units.

    Keeps population patterns and how often each occurs. Destroys their order. Bins in which only some units were
    observed stay where they are.

    Parameters
    ----------
    trials : Trials
        Recording.
    random_state : int, Generator or None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.random.default_rng(0).poisson(1.0, size=(5, 20, 3)), bin_size=0.02)
    >>> shuffled = surrogates.shuffle_time(trials, 0)
    >>> bool((shuffled.counts.sum("time") == trials.counts.sum("time")).all())
    True
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    values, whole = schema.signal(trials).values.copy(), np.asarray(schema.observed(trials).all(axis=2))
    for trial in range(len(values)):
        seen = runs(whole[trial])
        values[trial, seen] = values[trial, rng.permutation(seen)]
    return with_signal(trials, values, "shuffle_time")
