"""Phase randomisation: the same spectra, other phases (Theiler et al. 1992, Physica D 58:77)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.surrogates.base import RandomState, equal_runs, with_signal


def phase_randomize(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Randomise the Fourier phases of each unit in each trial.

    Keeps each unit's mean and power spectrum in every trial, and so its autocorrelation. Destroys the relation
    between units and to the event, and everything that is not linear. Counts are made whole again by giving the
    bins the trial's own counts in the order of the randomised signal (amplitude-adjusted surrogates): counts are
    then kept exactly and the spectrum approximately.

    Parameters
    ----------
    trials : Trials
        Recording. A trial with gaps in its observed bins is treated as if they were joined.
    random_state : int, Generator or None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> values = np.random.default_rng(0).normal(size=(2, 64, 3))
    >>> trials = make_trials(values, bin_size=0.02, kind="continuous")
    >>> other = surrogates.phase_randomize(trials, 0).activity.values
    >>> bool(np.allclose(abs(np.fft.rfft(other, axis=1)), abs(np.fft.rfft(values, axis=1))))
    True
    """
    schema.validate(trials)
    rng = np.random.default_rng(random_state)
    signal, mask = schema.signal(trials), schema.observed(trials)
    whole = signal.name == "counts"
    values = signal.values.copy()
    for trial, bins, unit in equal_runs(mask, shortest=4):
        values[trial, bins, unit] = randomised(values[trial, bins, unit], rng, keep_values=whole)
    return with_signal(trials, values, "phase_randomize")


def randomised(series: np.ndarray, rng: np.random.Generator, *, keep_values: bool = False) -> np.ndarray:
    """Series (..., time) with random phases; with `keep_values`, each has its own values in the order this gives."""
    source, n_bins = series.astype(float), series.shape[-1]
    if keep_values:  # ties broken at random, then made Gaussian by rank
        order = np.lexsort((rng.random(source.shape), source), axis=-1)
        gaussian = np.empty(source.shape)
        np.put_along_axis(gaussian, order, np.sort(rng.standard_normal(source.shape), axis=-1), axis=-1)
        source = gaussian
    spectrum = np.fft.rfft(source)
    phases = np.exp(2j * np.pi * rng.random(spectrum.shape))
    phases[..., 0] = 1.0
    if n_bins % 2 == 0:
        phases[..., -1] = rng.choice([-1.0, 1.0], size=phases.shape[:-1])
    other = np.fft.irfft(spectrum * phases, n_bins)
    if not keep_values:
        return other
    out = np.empty_like(series)
    np.put_along_axis(out, np.argsort(other, axis=-1), np.sort(series, axis=-1), axis=-1)
    return out
