"""Choosing where to compute, with one clear sentence when that is not possible."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from neurognode.training.crew import Crew, joined

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(device: str = "auto", precision: str = "32-true", crew: Crew | None = None) -> Fabric:
    """A lightning-fabric object for one device, or for one of several processes.

    Parameters
    ----------
    device : str
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : str
        As in lightning-fabric: ``"32-true"``, ``"64-true"``, ``"bf16-mixed"`` ...
    crew : Crew, optional
        The processes that this one trains with.

    Raises
    ------
    ValueError
        If the device is not known or not there.

    Examples
    --------
    >>> from neurognode.training.devices import make_fabric
    >>> make_fabric("cpu").device
    device(type='cpu')
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightning_fabric import Fabric

        kind, _, index = device.partition(":")
        if kind not in ("auto", "cpu", "cuda", "gpu", "mps"):
            raise ValueError(
                f"device={device!r} is not known. Allowed: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'."
            )
        if kind in ("cuda", "gpu") and not torch.cuda.is_available():
            raise ValueError(
                f"device={device!r} was asked for, but torch finds no CUDA GPU here. Use device='cpu'."
            )
        if kind == "mps" and not torch.backends.mps.is_available():
            raise ValueError(
                "device='mps' was asked for, but torch finds no Apple GPU here. Use device='cpu'."
            )
        wanted: Any = precision
        if crew is not None and not crew.alone:
            check_shared(device)
            return joined(crew, "cpu" if kind == "cpu" or not torch.cuda.is_available() else "cuda", wanted)
        return Fabric(accelerator=kind, devices=[int(index)] if index else 1, precision=wanted)


def check_shared(device: str) -> None:
    """Raise a ValueError if several processes cannot share a fit on this device."""
    if device not in ("auto", "cpu", "cuda", "gpu"):
        raise ValueError(
            f"device={device!r} is one device; with devices above 1 use 'cpu', 'cuda' or 'auto'."
        )


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` threads in a block (None: as many as it does now).

    The tensors of a latent model are small: more than one thread gains little on an idle machine, and where
    other processes compute too the threads wait for each other, which can cost far more than the work itself.

    Examples
    --------
    >>> import torch
    >>> from neurognode.training.devices import cpu_threads
    >>> with cpu_threads(1):
    ...     print(torch.get_num_threads())
    1
    """
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def keep_memory() -> None:
    """Let the C library keep freed memory (up to half a GiB) instead of giving it back to the system after every step.

    A training step allocates and frees the same few megabytes again and again; where they go back to the system each
    time, clearing fresh pages can cost a tenth of the step. Only with glibc; elsewhere this does nothing.

    Examples
    --------
    >>> from neurognode.training.devices import keep_memory
    >>> keep_memory()
    """
    if not sys.platform.startswith("linux"):
        return
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(_MMAP_THRESHOLD, 32 * 2**20)
        change(_TRIM_THRESHOLD, 2**29)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
