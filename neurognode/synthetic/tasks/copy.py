"""The copy task: see random bits for half a trial, then repeat them when the cue is on."""

from __future__ import annotations

import numpy as np

from neurognode.synthetic.tasks.base import TaskTrials
from neurognode.synthetic.tasks.flip_flop import DT


def copy_task(
    n_trials: int,
    *,
    n_bits: int = 2,
    n_bins: int = 20,
    strict: bool = True,
    random_state: int | np.random.Generator | None = 0,
) -> TaskTrials:
    """Bits in the first half of the trial, a cue in the second, in which the bits are to be repeated.

    Parameters
    ----------
    n_trials : int
    n_bits : int
        Channels of bits; one more input channel is the cue.
    n_bins : int
        Even; half of them show the bits.
    strict : bool
        True asks for silence in the first half, as the generator of the paper does; False masks it out.
    random_state : int, Generator or None

    Examples
    --------
    >>> from neurognode.synthetic import tasks
    >>> trials = tasks.make("copy", 3)
    >>> trials.inputs.shape, trials.targets.shape
    ((3, 20, 3), (3, 20, 2))
    """
    if n_bins % 2:
        raise ValueError(f"n_bins={n_bins} must be even.")
    rng = np.random.default_rng(random_state)
    half = n_bins // 2
    bits = rng.integers(0, 2, (n_trials, half, n_bits)).astype(float)
    silence = np.zeros_like(bits)
    cue = np.repeat([0.0, 1.0], half)[None, :, None] * np.ones((n_trials, 1, 1))
    inputs = np.concatenate([np.concatenate([bits, silence], axis=1), cue], axis=2)
    mask = None if strict else cue[..., 0] > 0
    return TaskTrials("copy", inputs, np.concatenate([silence, bits], axis=1), DT, mask)
