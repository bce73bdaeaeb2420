"""Hypotheses tried as models: constrained fields fitted in the same latent model, ranked by held-out activity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.base import clone

from neurognode import trials as schema

MECHANISMS = {
    "line": "line_attractor",
    "leaky_line": "line_attractor",
    "double_well": "discrete_attractors",
    "ring": "ring_attractor",
    "limit_cycle": "limit_cycle",
    "rotation": "rotation",
    "drift_diffusion": "drift_diffusion",
}
"""Constrained field in ``neurognode.dynamics`` -> the hypothesis it is a model of."""
FREE = "gnode"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Mechanisms and the free field, scored on the same held-out trials and units.

    Attributes
    ----------
    names : tuple of str
        Fields, the free one among them, the best first.
    bits : array (M,)
        Held-out bits per spike.
    difference : array (M, 3)
        Bits per spike less than (negative) or above the free field's: estimate and 95 % interval over trials.
    models : tuple
        The fitted models, in the same order.
    """

    names: tuple[str, ...]
    bits: np.ndarray
    difference: np.ndarray
    models: tuple[Any, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a field, with the hypothesis it stands for."""
        return pd.DataFrame(
            {
                "field": self.names,
                "hypothesis": [MECHANISMS.get(name, "free") for name in self.names],
                "bits_per_spike": self.bits,
                "less_than_free": self.difference[:, 0],
                "lower": self.difference[:, 1],
                "upper": self.difference[:, 2],
            }
        )

    def as_good_as_free(self) -> list[str]:
        """Mechanisms whose interval reaches zero or lies above it: no residual is needed beyond them."""
        return [n for n, d in zip(self.names, self.difference) if n != FREE and d[2] >= 0]

    def __str__(self) -> str:
        lines = ["Held-out bits per spike, and the difference to the free field (95 % interval over trials):"]
        for name, bits, (mean, low, high) in zip(self.names, self.bits, self.difference):
            gap = "" if name == FREE else f", {mean:+.4f} ({low:+.4f} to {high:+.4f})"
            lines.append(f"  {name}: {bits:.4f}{gap}")
        return "\n".join(lines)


def rank_mechanisms(
    trials: xr.Dataset,
    model: Any,
    *,
    mechanisms: Sequence[str] | None = None,
    test_fraction: float = 0.25,
    held_out_fraction: float = 0.25,
    n_bootstrap: int = 2000,
    random_state: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ranking:
    """Fit each mechanism, and the free field, with the same encoder, readout and likelihood.

    Parameters
    ----------
    trials : Trials
        Spike counts.
    model : LatentDynamics
        Settings of all fits; it is cloned, with its ``dynamics`` replaced.
    mechanisms : sequence of str, optional
        Names of fields; all of `MECHANISMS` that fit the model's number of latents by default.
    test_fraction, held_out_fraction : float
        Share of trials, and of units, that are scored: the encoder never sees these units, and training never
        these trials.
    n_bootstrap : int
        Resamplings of trials behind the intervals.

    Returns
    -------
    Ranking

    Raises
    ------
    ValueError
        If the trials are not spike counts.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials
    >>> from neurognode.hypotheses import rank_mechanisms
    >>> from neurognode.models import LatentDynamics
    >>> trials = make_trials(np.random.default_rng(0).poisson(0.5, size=(24, 20, 8)), bin_size=0.02)
    >>> model = LatentDynamics(latent_dim=2, max_steps=3, progress=False, random_state=0)
    >>> len(rank_mechanisms(trials, model, mechanisms=["ring"]).names)
    2
    """
    schema.validate(trials)
    if "counts" not in trials:
        raise ValueError("Mechanisms are ranked by bits per spike, which needs spike counts.")
    rng = np.random.default_rng(random_state)
    train, test, held_out = _parts(trials, test_fraction, held_out_fraction, rng)
    seen = trials["unit"].values[~held_out]
    names = [*(mechanisms or MECHANISMS), FREE]
    fitted, gains = [], []
    for k, name in enumerate(names):
        options = None if name != FREE else model.dynamics_options
        one = clone(model).set_params(dynamics=name, dynamics_options=options, encode_units=seen)
        fitted.append(one.fit(train))
        gains.append(_gain(one, test, held_out))
        if progress is not None:
            progress("mechanisms", k + 1, len(names))
    spikes = _spikes(test, held_out)
    return _ranking(names, fitted, np.array(gains), spikes, n_bootstrap, rng)


def _parts(
    trials: xr.Dataset, test_fraction: float, held_out_fraction: float, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset, np.ndarray]:
    order = rng.permutation(trials.sizes["trial"])
    n_test = max(2, round(test_fraction * len(order)))
    held_out = np.zeros(trials.sizes["unit"], bool)
    held_out[rng.permutation(len(held_out))[: max(1, round(held_out_fraction * len(held_out)))]] = True
    return trials.isel(trial=np.sort(order[n_test:])), trials.isel(trial=np.sort(order[:n_test])), held_out


def _spikes(trials: xr.Dataset, held_out: np.ndarray) -> np.ndarray:
    counts, mask = schema.filled(trials)
    return np.where(mask, counts, 0)[:, :, held_out].sum((1, 2)).astype(float)


def _gain(model: Any, trials: xr.Dataset, held_out: np.ndarray) -> np.ndarray:
    """Log-likelihood gain of each trial over the training means, in bits, on the held-out units."""
    counts, mask = schema.filled(trials)
    expected = np.asarray(model.predict(trials).values, float) * float(trials.attrs["bin_size"])
    mean = np.maximum(np.asarray(model.mean_, float), 1e-9)
    weight = (mask & np.isfinite(expected))[:, :, held_out]
    expected = np.maximum(np.nan_to_num(expected)[:, :, held_out], 1e-9)
    gain = counts[:, :, held_out] * np.log(expected / mean[held_out]) - (expected - mean[held_out])
    return np.where(weight, gain, 0.0).sum((1, 2)) / np.log(2)


def _ranking(
    names: list[str],
    models: list[Any],
    gains: np.ndarray,
    spikes: np.ndarray,
    n: int,
    rng: np.random.Generator,
) -> Ranking:
    total = max(spikes.sum(), 1.0)
    bits = gains.sum(1) / total
    apart = gains - gains[names.index(FREE)]
    drawn = rng.integers(0, len(spikes), size=(n, len(spikes)))
    samples = apart[:, drawn].sum(2) / np.maximum(spikes[drawn].sum(1), 1.0)
    low, high = np.percentile(samples, [2.5, 97.5], axis=1)
    difference = np.stack([apart.sum(1) / total, low, high], axis=1)
    order = np.argsort(-bits)
    return Ranking(
        tuple(names[k] for k in order), bits[order], difference[order], tuple(models[k] for k in order)
    )
