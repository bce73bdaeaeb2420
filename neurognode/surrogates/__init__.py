"""Trials in, trials out: what the data would look like if some of their structure were chance."""

from __future__ import annotations

from neurognode.surrogates.maximum_entropy import (
    TensorMaximumEntropy,
    fit_maximum_entropy,
    tensor_maximum_entropy,
)
from neurognode.surrogates.phases import phase_randomize
from neurognode.surrogates.shuffles import (
    circular_shift,
    shuffle_conditions,
    shuffle_time,
    shuffle_trials,
    shuffle_units,
)

SURROGATES = {
    "circular_shift": circular_shift,
    "shuffle_trials": shuffle_trials,
    "shuffle_conditions": shuffle_conditions,
    "shuffle_units": shuffle_units,
    "shuffle_time": shuffle_time,
    "phase_randomize": phase_randomize,
    "tensor_maximum_entropy": tensor_maximum_entropy,
}
"""Name of each surrogate -> the function that makes it."""

__all__ = ["SURROGATES", "TensorMaximumEntropy", "fit_maximum_entropy", *SURROGATES]
