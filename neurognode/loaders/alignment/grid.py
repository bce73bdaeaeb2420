"""The grid of bins: half-open, edges in integer steps, a width that divides the window or none."""

from __future__ import annotations

import numpy as np

from neurognode.errors import RecordingError


def whole_bins(length: float, bin_size: float, what: str = "window") -> int:
    """Number of bins in a length of time.

    Raises
    ------
    ValueError
        If the width does not divide the length; names the nearest width that does.

    Examples
    --------
    >>> from neurognode.loaders.alignment.grid import whole_bins
    >>> whole_bins(1.0, 0.02)
    50
    >>> whole_bins(1.0, 0.03)
    Traceback (most recent call last):
    ...
    ValueError: bin_size=0.03 s does not divide the window of 1 s. The nearest that does is 0.025 s (40 bins); bin_size=0.03 s fits a window of 0.99 s.
    """  # noqa: E501
    check_positive(bin_size, "bin_size")
    if not np.isfinite(length) or length <= 0:
        raise ValueError(f"{what} must end after it starts, got a length of {length} s.")
    exact = length / bin_size
    n = round(exact)
    if n >= 1 and abs(exact - n) <= 1e-6 * max(1.0, exact):
        return n
    fits = max(int(exact), 1) * bin_size
    raise ValueError(
        f"bin_size={bin_size:g} s does not divide the {what} of {length:g} s. "
        f"The nearest that does is {_nearest_divisor(length, bin_size)}; "
        f"bin_size={bin_size:g} s fits a {what} of {fits:g} s."
    )


def _nearest_divisor(length: float, bin_size: float) -> str:
    """The nearest width in whole milliseconds that divides a length; any nearest where none is near."""
    whole = round(length * 1000)
    nearest = max(round(length / bin_size), 1)
    if abs(length * 1000 - whole) < 1e-6 and 0 < whole <= 1_000_000:
        counts = [n for n in range(1, whole + 1) if whole % n == 0]
        best = min(counts, key=lambda n: abs(length / n - bin_size))
        if abs(length / best - bin_size) <= 0.5 * bin_size:
            nearest = best
    return f"{length / nearest:.9g} s ({nearest} bins)"


def check_positive(value: float, name: str) -> float:
    """The value as a float; refuses what is not a positive number.

    Examples
    --------
    >>> from neurognode.loaders.alignment.grid import check_positive
    >>> check_positive(0.02, "bin_size")
    0.02
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not value > 0
        or value == np.inf
    ):
        raise ValueError(f"{name}={value!r} must be a positive number of seconds, for example 0.02.")
    return float(value)


def tolerance(times: np.ndarray) -> float:
    """How far a time may lie before an edge and still count as on it, in seconds: rounding error, no more.

    Times are stored as decimal fractions that binary numbers cannot hold; a spike at 0.3 s must not fall
    before an edge at 3 x 0.1 s. The edges themselves move by this much, so no spike is lost or counted twice.
    """
    largest = float(np.abs(times).max()) if len(times) else 0.0
    return max(1e-9, 4 * float(np.spacing(largest)))


def count_spikes(spikes: np.ndarray, origins: np.ndarray, bin_size: float, n_bins: int) -> np.ndarray:
    """Spikes in every bin of every window.

    Parameters
    ----------
    spikes : array of shape (n_spikes,)
        Sorted times in seconds.
    origins : array of shape (n_windows,)
        Left edge of each window's first bin in seconds; windows may overlap and need no order.
    bin_size : float
        Seconds. Bin k is ``[origin + k * bin_size, origin + (k + 1) * bin_size)``.
    n_bins : int
        Bins in a window.

    Returns
    -------
    int64 array of shape (n_windows, n_bins)

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.alignment.grid import count_spikes
    >>> count_spikes(np.array([0.0, 0.1, 0.3]), np.array([0.0]), 0.1, 3)
    array([[1, 1, 0]])
    """
    slack = tolerance(origins)
    low = np.searchsorted(spikes, origins - slack, side="left")
    high = np.searchsorted(spikes, origins + n_bins * bin_size - slack, side="left")
    each = high - low
    total = int(each.sum())
    window = np.repeat(np.arange(len(origins)), each)
    first = np.cumsum(each) - each
    times = spikes[np.arange(total) + np.repeat(low - first, each)]
    start = origins[window]
    bins = np.floor((times - start + slack) / bin_size).astype(np.int64)
    np.clip(bins, 0, n_bins - 1, out=bins)
    bins -= times < start + bins * bin_size - slack
    bins += times >= start + (bins + 1) * bin_size - slack
    np.clip(bins, 0, n_bins - 1, out=bins)
    return np.bincount(window * n_bins + bins, minlength=len(origins) * n_bins).reshape(len(origins), n_bins)


def sorted_finite(spikes: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Spike times in order, without those that are not finite; their differences; what was done about them."""
    notes = []
    if spikes.dtype.kind not in "fiu":
        raise RecordingError(f"The spike times are {spikes.dtype}, not numbers", where=where)
    total = spikes.sum() if len(spikes) else 0.0
    if not np.isfinite(total):
        finite = np.isfinite(spikes)
        if not finite.all():
            notes.append(f"{int((~finite).sum())} spike times are not finite and were dropped")
            spikes = spikes[finite]
    steps = np.diff(spikes)
    if len(steps) and steps.min() < 0:
        notes.append("spike times were not in order and were sorted")
        spikes = np.sort(spikes)
        steps = np.diff(spikes)
    return spikes, steps, notes
