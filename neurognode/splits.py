"""Split `Trials` by trial, block of time, condition or unit; seeded, never by order.

Every function returns indices, so that nothing is copied: ``trials.isel(trial=parts["test"])``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurognode.errors import listing, one_of

RandomState = int | np.random.Generator | None
Parts = dict[str, np.ndarray]
DEFAULT_PARTS = {"train": 0.8, "test": 0.2}


def by_trial(
    trials: xr.Dataset,
    parts: Mapping[str, float] | None = None,
    *,
    stratify: str | Sequence[str] | None = None,
    random_state: RandomState = None,
) -> Parts:
    """Split by trial at random; trials whose windows share time stay together.

    Parameters
    ----------
    trials : Dataset
        `Trials`.
    parts : mapping of str to float
        Share of each part; default 80 % ``train``, 20 % ``test``. Shares that add to less than 1 leave trials
        out.
    stratify : str or sequence of str, optional
        Trial coordinates whose combinations shall be spread evenly over the parts.
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    dict of str to int array
        Indices of trials, sorted.

    Raises
    ------
    ValueError
        If the shares cannot be met with at least one trial each, or a coordinate is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((10, 5, 3), int), bin_size=0.1, columns={"side": [0, 1] * 5})
    >>> found = splits.by_trial(trials, {"train": 0.6, "test": 0.4}, stratify="side", random_state=0)
    >>> trials["side"][found["test"]].values.tolist().count(0)
    2
    """
    shares = _shares(parts)
    rng = np.random.default_rng(random_state)
    groups = overlapping(trials)
    labels = _labels(trials, stratify)
    return _assign(groups, labels, shares, rng)


def by_time(
    trials: xr.Dataset,
    parts: Mapping[str, float] | None = None,
    *,
    gap: float = 0.0,
    blocks: int = 10,
    random_state: RandomState = None,
) -> Parts:
    """Split by blocks of file time, interleaved at random, with a gap around every border between parts.

    What drifts slowly is then in all parts, and what lasts shorter than the gap leaks into none.

    Parameters
    ----------
    trials : Dataset
        `Trials` with ``absolute_time``.
    parts : mapping of str to float
        Share of each part, as in `by_trial`.
    gap : float
        Seconds; trials that begin less than this after a trial of another part ended are left out.
    blocks : int
        Stretches with equally many trials that the recording is cut into; at least one per part.
    random_state : int or Generator, optional
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((40, 5, 3), int), bin_size=0.1, absolute_start=np.arange(40.0))
    >>> found = splits.by_time(trials, {"train": 0.5, "test": 0.5}, blocks=4, gap=0.6, random_state=0)
    >>> sorted(len(v) for v in found.values())
    [17, 20]
    """
    shares = _shares(parts)
    rng = np.random.default_rng(random_state)
    start, stop = _windows(trials)
    order = np.argsort(start, kind="stable")
    blocks = max(int(blocks), len(shares))
    if blocks > len(order):
        raise ValueError(f"blocks={blocks} is more than there are trials ({len(order)}).")
    block = np.empty(len(order), int)
    block[order] = np.repeat(
        np.arange(blocks), np.diff(np.linspace(0, len(order), blocks + 1).round().astype(int))
    )
    found = _assign(block, np.zeros(blocks, int), shares, rng)
    return _with_gap(found, start, stop, gap)


def by_condition(
    trials: xr.Dataset,
    condition: str | Sequence[str],
    parts: Mapping[str, float] | None = None,
    *,
    random_state: RandomState = None,
) -> Parts:
    """Split by whole conditions: every condition is in one part only.

    Parameters
    ----------
    trials : Dataset
        `Trials`.
    condition : str or sequence of str
        Trial coordinates whose combinations are the conditions.
    parts : mapping of str to float
        Share of each part, in conditions.
    random_state : int or Generator, optional
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((12, 5, 3), int), bin_size=0.1, columns={"angle": [0, 1, 2, 3] * 3})
    >>> found = splits.by_condition(trials, "angle", {"train": 0.75, "test": 0.25}, random_state=0)
    >>> len(set(trials["angle"].values[found["test"]].tolist()))
    1
    """
    labels = _labels(trials, condition)
    return _assign(
        labels, np.zeros(labels.max() + 1, int), _shares(parts), np.random.default_rng(random_state)
    )


def by_unit(
    trials: xr.Dataset,
    held_out: float = 0.25,
    *,
    stratify: str | Sequence[str] | None = None,
    random_state: RandomState = None,
) -> Parts:
    """Split units into held-in, which an encoder may see, and held-out, which it predicts.

    Parameters
    ----------
    trials : Dataset
        `Trials`.
    held_out : float
        Share of units.
    stratify : str or sequence of str, optional
        Unit coordinates (such as an area) to spread evenly.
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    dict
        ``held_in`` and ``held_out``: indices of units.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((4, 5, 8), int), bin_size=0.1)
    >>> {k: len(v) for k, v in splits.by_unit(trials, 0.25, random_state=0).items()}
    {'held_in': 6, 'held_out': 2}
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out={held_out!r} must be a share between 0 and 1.")
    labels = _labels(trials, stratify, "unit")
    shares = {"held_in": 1 - held_out, "held_out": held_out}
    return _assign(np.arange(trials.sizes["unit"]), labels, shares, np.random.default_rng(random_state))


def folds(
    trials: xr.Dataset,
    n_splits: int = 5,
    *,
    by: str = "trial",
    condition: str | Sequence[str] | None = None,
    stratify: str | Sequence[str] | None = None,
    gap: float = 0.0,
    random_state: RandomState = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Train and test indices of cross-validation; every trial is tested once, unless the gap leaves it out.

    Parameters
    ----------
    trials : Dataset
        `Trials`.
    n_splits : int
        Folds.
    by : {"trial", "time", "condition"}
        What is kept together: nothing but overlapping windows, stretches of time, or conditions.
    condition : str or sequence of str, optional
        For ``by="condition"``.
    stratify : str or sequence of str, optional
        For ``by="trial"``.
    gap : float
        For ``by="time"``, seconds that separate train from test.
    random_state : int or Generator, optional
        Seed.

    Yields
    ------
    train, test : int arrays

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((10, 5, 3), int), bin_size=0.1)
    >>> tested = np.concatenate([test for _, test in splits.folds(trials, 5, random_state=0)])
    >>> sorted(tested.tolist()) == list(range(10))
    True
    """
    one_of(by, ("trial", "time", "condition"), "by")
    if n_splits < 2:
        raise ValueError(f"n_splits={n_splits} must be at least 2.")
    names = {str(k): 1 / n_splits for k in range(n_splits)}
    rng = np.random.default_rng(random_state)
    if by == "trial":
        found = by_trial(trials, names, stratify=stratify, random_state=rng)
    elif by == "condition":
        if condition is None:
            raise ValueError('by="condition" needs condition=, the name of a trial coordinate.')
        found = by_condition(trials, condition, names, random_state=rng)
    else:
        found = by_time(trials, names, blocks=n_splits * max(1, 10 // n_splits), random_state=rng)
    start, stop = _windows(trials)
    for k in range(n_splits):
        test = found[str(k)]
        train = np.sort(np.concatenate([found[str(j)] for j in range(n_splits) if j != k]))
        if by == "time":
            train = _far_from(train, test, start, stop, gap)
        yield train, test


def nested(
    trials: xr.Dataset, outer: int = 5, inner: int = 4, **how: Any
) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
    """Nested cross-validation: outer train and test, and inner train and validation within train.

    Parameters
    ----------
    trials : Dataset
        `Trials`.
    outer, inner : int
        Folds of each level.
    **how
        As in `folds`.

    Yields
    ------
    train, test : int arrays
    within : list of (train, validation)
        All are indices of `trials`.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, splits
    >>> trials = make_trials(np.zeros((20, 5, 3), int), bin_size=0.1)
    >>> train, test, within = next(splits.nested(trials, 5, 4, random_state=0))
    >>> len(train), len(test), len(within), bool(set(within[0][1]) & set(test))
    (16, 4, 4, False)
    """
    how = {**how, "random_state": np.random.default_rng(how.get("random_state"))}
    for train, test in list(folds(trials, outer, **how)):
        part = trials.isel(trial=train)
        yield train, test, [(train[a], train[b]) for a, b in folds(part, inner, **how)]


def overlapping(trials: xr.Dataset) -> np.ndarray:
    """Number of the group of trials whose windows share file time, also through others, shape (trial,).

    Trials that are all said to begin at the same time have no clock and count as separate.
    """
    start, stop = _windows(trials)
    if len(start) < 2 or np.ptp(start) == 0:
        return np.arange(len(start))
    order = np.argsort(start, kind="stable")
    reach = np.maximum.accumulate(stop[order])
    tolerance = 1e-6 * float(trials.attrs["bin_size"])
    fresh = np.concatenate([[True], start[order][1:] >= reach[:-1] - tolerance])
    groups = np.empty(len(start), int)
    groups[order] = np.cumsum(fresh) - 1
    return groups


def _windows(trials: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Start and stop of every trial's window in file seconds."""
    width = float(trials.attrs["bin_size"])
    times = trials["absolute_time"].values if "absolute_time" in trials.coords else None
    if times is None:
        zeros = np.zeros(trials.sizes["trial"])
        return zeros, zeros + trials.sizes["time"] * width
    return times[:, 0], times[:, -1] + width


def _shares(parts: Mapping[str, float] | None) -> dict[str, float]:
    shares = dict(DEFAULT_PARTS if parts is None else parts)
    total = sum(shares.values())
    if not shares or any(not 0 < s <= 1 for s in shares.values()) or total > 1 + 1e-9:
        raise ValueError(f"parts={shares!r} must be shares between 0 and 1 that add to at most 1.")
    return shares


def _labels(trials: xr.Dataset, names: str | Sequence[str] | None, axis: str = "trial") -> np.ndarray:
    """Number of each trial's (or unit's) combination of coordinates."""
    if names is None:
        return np.zeros(trials.sizes[axis], int)
    listed = [names] if isinstance(names, str) else list(names)
    known = [str(k) for k, c in trials.coords.items() if c.dims == (axis,)]
    for name in listed:
        if name not in known:
            raise ValueError(f"there is no {axis} coordinate {name!r}. {listing(name, known)}")
    rows = ["\x1f".join(map(str, r)) for r in zip(*(trials[n].values.tolist() for n in listed))]
    return np.unique(rows, return_inverse=True)[1]


def _assign(
    groups: np.ndarray, labels: np.ndarray, shares: dict[str, float], rng: np.random.Generator
) -> Parts:
    """Give whole groups to parts so that shares are met, within every label as evenly as whole numbers allow.

    `labels` has one entry per member of `groups` (the label of a group is that of its first member) or one
    per group.
    """
    n_groups = int(groups.max()) + 1
    first = np.full(n_groups, -1)
    first[groups[::-1]] = np.arange(len(groups))[::-1]
    own = labels[first] if len(labels) == len(groups) else labels
    part_of = np.full(n_groups, -1)
    sizes = np.array([*shares.values(), max(0.0, 1 - sum(shares.values()))])
    debt = np.zeros(len(sizes))
    for label in rng.permutation(np.unique(own)):
        members = rng.permutation(np.flatnonzero(own == label))
        quota, debt = _whole(sizes, len(members), debt)
        part_of[members] = np.repeat(np.arange(len(sizes)), quota)
    found = {name: np.flatnonzero(part_of[groups] == k) for k, name in enumerate(shares)}
    empty = [name for name, rows in found.items() if not len(rows)]
    if empty:
        raise ValueError(f"{n_groups} separate groups are too few: nothing would be left for {empty[0]!r}.")
    return found


def _whole(sizes: np.ndarray, n: int, debt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers that add to n, near n * sizes plus what earlier roundings still owe."""
    wanted = n * sizes + debt
    quota = np.clip(np.floor(wanted + 1e-9), 0, None).astype(int)
    while quota.sum() > n:
        quota[np.argmin(np.where(quota > 0, wanted - quota, np.inf))] -= 1
    while quota.sum() < n:
        quota[np.argmax(wanted - quota)] += 1
    return quota, wanted - quota


def _far_from(
    rows: np.ndarray, others: np.ndarray, start: np.ndarray, stop: np.ndarray, gap: float
) -> np.ndarray:
    """Rows whose window lies at least `gap` seconds from every window of `others`."""
    if not len(others) or not len(rows):
        return rows
    order = np.argsort(start[others])
    low, high = start[others][order], np.maximum.accumulate(stop[others][order])
    at = np.searchsorted(low, start[rows], side="right")
    before = np.where(at > 0, start[rows] - high[np.maximum(at - 1, 0)], np.inf)
    after = np.where(at < len(low), low[np.minimum(at, len(low) - 1)] - stop[rows], np.inf)
    return rows[(before >= gap - 1e-9) & (after >= gap - 1e-9)]


def _with_gap(found: Parts, start: np.ndarray, stop: np.ndarray, gap: float) -> Parts:
    """Leave out trials nearer than `gap` to another part; each border costs trials of one side only."""
    out = dict(found)
    for name in found:
        others = np.concatenate([out[n] for n in found if n != name] or [np.empty(0, int)])
        out[name] = _far_from(found[name], others, start, stop, gap)
        if not len(out[name]):
            raise ValueError(
                f"gap={gap:g} s leaves no trial for {name!r}; use a smaller gap or fewer blocks."
            )
    return out
