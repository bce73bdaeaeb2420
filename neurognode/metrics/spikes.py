"""Likelihood scores of spike counts, as the Neural Latents Benchmark defines them."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

SMALLEST_RATE = 1e-9
"""Spikes per bin that a rate of zero is replaced by, as in the benchmark."""


def poisson_nll(rates: np.ndarray, counts: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
    """Negative log likelihood of every count, in nats; zero where nothing was observed.

    Parameters
    ----------
    rates : array
        Expected spikes per bin, broadcastable to `counts`.
    counts : array (trial, time, unit)
        NaN counts as not observed.
    observed : bool array, (trial, time) or (trial, time, unit), optional

    Returns
    -------
    array of the shape of `counts`

    Raises
    ------
    ValueError
        If a rate at an observed count is negative or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import poisson_nll
    >>> poisson_nll(np.ones((1, 1, 1)), np.zeros((1, 1, 1))).item()
    1.0
    """
    counts = np.asarray(counts, float)
    rates = np.broadcast_to(np.asarray(rates, float), counts.shape)
    mask = _mask(counts, observed)
    seen = rates[mask]
    if np.isnan(seen).any() or (seen < 0).any():
        raise ValueError(
            f"rates must be numbers of at least 0 wherever counts were observed; "
            f"{int(np.isnan(seen).sum())} are NaN and {int((seen < 0).sum())} negative."
        )
    seen = np.where(seen == 0, SMALLEST_RATE, seen)
    nll = np.zeros(counts.shape)
    nll[mask] = seen - counts[mask] * np.log(seen) + gammaln(counts[mask] + 1)
    return nll


def bits_per_spike(
    rates: np.ndarray,
    counts: np.ndarray,
    null_rates: np.ndarray | None = None,
    observed: np.ndarray | None = None,
) -> float:
    """Log-likelihood gain over constant rates, in bits per spike, pooled over units.

    ``(NLL(null) - NLL(rates)) / (number of spikes * ln 2)``. Called with the held-out units alone, this is
    co-smoothing (co_bps).

    Parameters
    ----------
    rates : array (trial, time, unit)
        Expected spikes **per bin**.
    counts : array (trial, time, unit)
    null_rates : array, optional
        Spikes per bin of the null, broadcastable to `counts`; by default each unit's mean count over the
        very counts that are scored, as in the benchmark. Give training means to stay out of sample.
    observed : bool array, (trial, time) or (trial, time, unit), optional

    Returns
    -------
    float
        NaN if there is not one spike.

    References
    ----------
    Pei, Ye et al., "Neural Latents Benchmark '21", NeurIPS Datasets and Benchmarks 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import bits_per_spike
    >>> counts = np.array([[[0], [1], [2], [1]]])
    >>> bits_per_spike(np.full((1, 4, 1), 1.0), counts)
    0.0
    """
    counts = np.asarray(counts, float)
    mask = _mask(counts, observed)
    if null_rates is None:
        null_rates = mean_counts(counts, mask)
    n_spikes = counts[mask].sum()
    if n_spikes == 0:
        return float("nan")
    gain = poisson_nll(null_rates, counts, mask).sum() - poisson_nll(rates, counts, mask).sum()
    return float(gain / (n_spikes * np.log(2)))


def mean_counts(counts: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
    """Mean count per bin of each unit over observed bins, shape (unit,)."""
    counts = np.asarray(counts, float)
    mask = _mask(counts, observed)
    total = np.where(mask, counts, 0).sum(axis=(0, 1))
    return total / np.maximum(mask.sum(axis=(0, 1)), 1)


def paired_gain(
    rates: np.ndarray,
    other: np.ndarray,
    counts: np.ndarray,
    observed: np.ndarray | None = None,
    *,
    n_resamples: int = 2000,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[float, float, float]:
    """Bits per spike by which one prediction beats another, with a 95 % interval over trials.

    Trials are resampled with both predictions kept together (paired bootstrap).

    Parameters
    ----------
    rates, other : array (trial, time, unit)
        Expected spikes per bin of the two predictions.
    counts, observed
        As in `bits_per_spike`.

    Returns
    -------
    gain, low, high : float

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import paired_gain
    >>> counts = np.random.default_rng(0).poisson(2.0, (50, 10, 3))
    >>> gain, low, high = paired_gain(np.full((50, 10, 3), 2.0), np.full((50, 10, 3), 1.0), counts)
    >>> low < gain < high and low > 0
    True
    """
    counts = np.asarray(counts, float)
    mask = _mask(counts, observed)
    better = poisson_nll(other, counts, mask) - poisson_nll(rates, counts, mask)
    gain = better.sum(axis=(1, 2)) / np.log(2)
    spikes = np.where(mask, counts, 0).sum(axis=(1, 2))
    if spikes.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(random_state)
    draw = rng.integers(len(gain), size=(n_resamples, len(gain)))
    sample = gain[draw].sum(axis=1) / np.maximum(spikes[draw].sum(axis=1), 1)
    low, high = np.quantile(sample, [0.025, 0.975])
    return float(gain.sum() / spikes.sum()), float(low), float(high)


def _mask(counts: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    mask = np.isfinite(counts)
    if observed is not None:
        given = np.asarray(observed, bool)
        mask &= given if given.ndim == counts.ndim else given[..., None]
    return mask
