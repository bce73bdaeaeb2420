"""Random numbers that depend on seed and step only, so that a resumed run draws what the first would have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch


def stream(seed: int, *place: int) -> int:
    """A 63-bit seed for one place (step, epoch ...) of the run that was started with `seed`.

    Examples
    --------
    >>> from neurognode.training.randomness import stream
    >>> stream(0, 1) == stream(0, 1), stream(0, 1) == stream(0, 2)
    (True, False)
    """
    state = np.random.SeedSequence([seed, *place]).generate_state(2, np.uint32)
    return int(state[0]) << 31 ^ int(state[1])


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Run a block with torch's random state set from `seed`, and put the caller's state back afterwards.

    Examples
    --------
    >>> import torch
    >>> from neurognode.training.randomness import seeded
    >>> with seeded(3):
    ...     first = torch.rand(2)
    >>> with seeded(3):
    ...     print(bool((torch.rand(2) == first).all()))
    True
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def epoch_order(n_items: int, seed: int, epoch: int) -> torch.Tensor:
    """The order in which one epoch visits the items, shape (n_items,)."""
    generator = torch.Generator().manual_seed(stream(seed, 1, epoch))
    return torch.randperm(n_items, generator=generator)


def batch_indices(n_items: int, batch_size: int, seed: int, step: int) -> torch.Tensor:
    """Indices of the batch of one step, shape (batch_size,) or (n_items,) where that is smaller.

    Every item is visited once an epoch, in a new order each time; the last incomplete batch of an epoch is
    dropped.

    Examples
    --------
    >>> from neurognode.training.randomness import batch_indices
    >>> first, second = (batch_indices(4, 2, seed=0, step=step).tolist() for step in (0, 1))
    >>> sorted(first + second)
    [0, 1, 2, 3]
    """
    size = min(batch_size, n_items)
    per_epoch = n_items // size
    epoch, place = divmod(step, per_epoch)
    return epoch_order(n_items, seed, epoch)[place * size : (place + 1) * size]


def as_seed(random_state: int | np.random.Generator | np.random.RandomState | None) -> int:
    """An integer seed from what scikit-learn calls a random state."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(random_state)
