"""Large work buffers that are kept between calls: fresh memory can cost more than the arithmetic."""

from __future__ import annotations

import threading

import torch

_KEPT = 3
_lock = threading.Lock()
_free: list[torch.Tensor] = []


class Lease:
    """A buffer of at least `count` elements, uninitialised, that goes back to the shelf when let go."""

    def __init__(self, count: int, dtype: torch.dtype) -> None:
        size = count * torch.empty((), dtype=dtype).element_size()
        self._bytes: torch.Tensor | None = _take(size)
        self.address = self._bytes.data_ptr()

    def __del__(self) -> None:
        kept, self._bytes = getattr(self, "_bytes", None), None
        if kept is None:
            return
        with _lock:
            _free.append(kept)
            _free.sort(key=torch.Tensor.numel)
            del _free[: max(0, len(_free) - _KEPT)]


def _take(size: int) -> torch.Tensor:
    with _lock:
        for i, candidate in enumerate(_free):
            if size <= candidate.numel() <= 4 * size + (1 << 20):
                return _free.pop(i)
    return torch.empty(max(size, 1), dtype=torch.uint8)
