"""On which grid spike times were stored, and which bins alias with it."""

from __future__ import annotations

import numpy as np

_GRIDS = (0.05, 0.04, 0.025, 0.02, 0.01, 0.005, 0.004, 0.002, 0.001)
_ENOUGH = 100
_NEAR = 0.5


def grid_of(spikes: np.ndarray) -> float:
    """Width of the bins that spike times were rounded to, in seconds; 0 where they were not, or not to 1 ms or more.

    Judged by the differences of neighbouring spikes less than half a second apart, so that trials may begin anywhere.

    Parameters
    ----------
    spikes : array of shape (n,)
        Sorted times of one unit in seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.alignment.resolution import grid_of
    >>> times = np.sort(np.random.default_rng(0).uniform(0, 100, 1000))
    >>> grid_of(times), grid_of(np.round(times, 2) + 0.0042)
    (0.0, 0.01)
    """
    steps = np.diff(spikes[:20_000])
    steps = steps[(steps < _NEAR) & (steps > 1e-7)]
    if len(steps) < _ENOUGH:
        return 0.0
    for grid in _GRIDS:
        parts = steps / grid
        if (np.abs(parts - np.round(parts)) * grid < 2e-6).all():
            return grid
    return 0.0


def aliasing(grid: float, bin_size: float) -> str:
    """A note on bins that spike times on a grid do not fill evenly; "" where they do.

    Examples
    --------
    >>> from neurognode.loaders.alignment.resolution import aliasing
    >>> aliasing(0.01, 0.015)
    'spike times were stored in steps of 10 ms, which bins of 15 ms do not hold evenly: use a multiple of 10 ms'
    """
    if not grid or abs(bin_size / grid - round(bin_size / grid)) < 1e-6 or bin_size > 20 * grid:
        return ""
    step = f"{grid * 1000:g} ms"
    return (
        f"spike times were stored in steps of {step}, which bins of {bin_size * 1000:g} ms do not hold evenly: "
        f"use a multiple of {step}"
    )
