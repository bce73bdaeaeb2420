"""Ctrl-C stops a training run wherever it falls."""

from __future__ import annotations

import signal

import pytest
import torch
from torch import nn

from neurognode.training import Settings, train


class PressedInADestructor:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value, self.calls = nn.Parameter(torch.zeros(1)), 0

    def forward(self, batch: torch.Tensor, progress: float) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.calls == 3:
            PressedInADestructor()
        return {"loss": ((batch - self.value) ** 2).mean()}


class Numbers:
    def __len__(self) -> int:
        return 8

    def batch(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        return torch.full((len(indices),), 2.0, device=device)


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.warns(RuntimeWarning, match="Interrupted at step 3 of 50"):
            outcome = train(Module(), Numbers(), Settings(max_steps=50, device="cpu"))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.stopped == "interrupted"
    assert outcome.steps == 3
