"""Random draws of a network in training: from torch's random state, or for many members at once from a tape.

A network asks for its draws here. Members of a population that train in one pass each get the draws that a fit of
their own would have made: these are made beforehand, member by member, and handed out while the pass runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Draw(NamedTuple):
    """One draw: standard normal numbers, or marks that are True with probability `share`."""

    shape: tuple[int, ...]
    share: float | None
    like: tuple[torch.dtype, torch.device]

    def make(self, generator: torch.Generator | None = None) -> Tensor:
        """The numbers, from `generator` or torch's own random state."""
        dtype, device = self.like
        if self.share is None:
            return torch.randn(self.shape, generator=generator, dtype=dtype, device=device)
        count = torch.Size(self.shape).numel()
        words = torch.empty(-(-count // 8), dtype=torch.int64, device=device)
        bits = words.random_(-(2**63), None, generator=generator).view(torch.uint8)
        return (bits[:count] < round(self.share * 256)).reshape(self.shape)


class Share(NamedTuple):
    """Which rows of a whole batch some trials are, how many trials it has, and how many bins."""

    rows: slice
    n_trials: int
    n_bins: float


_SHARE: ContextVar[Share | None] = ContextVar("_SHARE", default=None)
_TAPE: ContextVar[list[Draw] | Iterator[Tensor] | None] = ContextVar("_TAPE", default=None)


def normal_like(like: Tensor) -> Tensor:
    """Standard normal numbers of the shape of `like`."""
    return _next(Draw(tuple(like.shape), None, (like.dtype, like.device)))


def marks_like(like: Tensor, share: float) -> Tensor:
    """True with probability `share`, which is rounded to whole 256ths: eight marks for the price of one number.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.draws import marks_like
    >>> abs(marks_like(torch.zeros(100, 100), 0.25).double().mean().item() - 0.25) < 0.02
    True
    """
    return _next(Draw(tuple(like.shape), share, (like.dtype, like.device)))


class Dropout(nn.Module):
    """Dropout of a share of the entries, in 256ths, in training mode.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.draws import Dropout
    >>> sorted(set(Dropout(0.5)(torch.ones(100)).tolist()))
    [0.0, 2.0]
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        whole = round(self.share * 256)
        if not self.training or not whole:
            return x
        kept = ~marks_like(x, self.share)
        return x * (kept * (256 / (256 - whole)))


@contextlib.contextmanager
def recorded() -> Iterator[list[Draw]]:
    """Collect what is drawn in a block."""
    draws: list[Draw] = []
    token = _TAPE.set(draws)
    try:
        yield draws
    finally:
        _TAPE.reset(token)


@contextlib.contextmanager
def played(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Hand out `tensors`, in order, for what is drawn in a block."""
    token = _TAPE.set(iter(tensors))
    try:
        yield
    finally:
        _TAPE.reset(token)


@contextlib.contextmanager
def drawn_for(share: Share | None) -> Iterator[None]:
    """What is drawn in a block, trial by trial, is what these rows of the whole batch would get.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.draws import Share, drawn_for, normal_like
    >>> _ = torch.manual_seed(0)
    >>> whole = normal_like(torch.zeros(6, 3))
    >>> _ = torch.manual_seed(0)
    >>> with drawn_for(Share(slice(2, 4), 6, 6.0)):
    ...     part = normal_like(torch.zeros(2, 3))
    >>> bool((part == whole[2:4]).all())
    True
    """
    token = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(token)


def _next(draw: Draw) -> Tensor:
    tape, share = _TAPE.get(), _SHARE.get()
    if share is not None:
        return draw._replace(shape=(share.n_trials, *draw.shape[1:])).make()[share.rows]
    if tape is None:
        return draw.make()
    if isinstance(tape, list):
        tape.append(draw)
        return draw.make()
    return next(tape)
