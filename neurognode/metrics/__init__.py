"""Scores as pure functions of arrays: bits per spike, explained variance, agreement of angles and flows."""

from __future__ import annotations

from neurognode.metrics.circular import circular_correlation, circular_mean, unwrapped_correlation
from neurognode.metrics.cycle import cycle_consistency
from neurognode.metrics.decoding import velocity_r2
from neurognode.metrics.explained import affine_map, latent_r2, mutual_r2, psth_r2, r2, smoothed, state_r2
from neurognode.metrics.flows import DriftComparison, carry_velocity, compare_drifts
from neurognode.metrics.spikes import bits_per_spike, mean_counts, paired_gain, poisson_nll

__all__ = [
    "DriftComparison",
    "affine_map",
    "bits_per_spike",
    "carry_velocity",
    "circular_correlation",
    "circular_mean",
    "compare_drifts",
    "cycle_consistency",
    "latent_r2",
    "mean_counts",
    "mutual_r2",
    "paired_gain",
    "poisson_nll",
    "psth_r2",
    "r2",
    "smoothed",
    "state_r2",
    "unwrapped_correlation",
    "velocity_r2",
]
