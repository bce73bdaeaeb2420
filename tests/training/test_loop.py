"""The loop keeps its promises: same numbers after a resume, nothing lost on failure, clear reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from neurognode.errors import FitError, RunError
from neurognode.training import Callback, Settings, train
from neurognode.training.checkpoint import read_tensors
from neurognode.training.optimisation import PACE, parameter_groups


class Noisy(nn.Module):
    """A linear regression with dropout, so that training depends on torch's random state."""

    def __init__(self, poison: tuple[int, ...] = ()) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(4, 1)
        self.dropout = nn.Dropout(0.3)
        self.poison, self.calls = poison, 0

    def forward(self, batch: torch.Tensor, progress: float) -> dict[str, torch.Tensor]:
        self.calls += 1
        loss = (self.linear(self.dropout(batch)) - batch.sum(1, keepdim=True)).square().mean()
        return {"loss": loss * math.nan if self.calls in self.poison else loss}


class Rows:
    def __init__(self, n: int = 37) -> None:
        self.data = torch.randn(n, 4, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        return self.data[indices].to(device)


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def settings(**changes: Any) -> Settings:
    base = {"max_steps": 40, "batch_size": 8, "validate_every": 5, "device": "cpu", "seed": 3}
    return Settings(**{**base, **changes})


def score(module: Noisy) -> Any:
    return lambda: -float((module.linear.weight - 1).square().sum())


@pytest.mark.parametrize("kill_at", [1, 7, 20, 39])
def test_resumed_run_gives_the_numbers_of_an_uninterrupted_one(tmp_path: Path, kill_at: int) -> None:
    whole = Noisy()
    reference = train(whole, Rows(), settings(), validate=score(whole))
    first = Noisy()
    path = tmp_path / "state.safetensors"
    with pytest.warns(RuntimeWarning, match="Interrupted"):
        cut = train(
            first, Rows(), settings(checkpoint=path), validate=score(first), callbacks=[StopAt(kill_at)]
        )
    assert cut.stopped == "interrupted"
    again = Noisy()
    outcome = train(again, Rows(), settings(checkpoint=path, resume=True), validate=score(again))
    assert torch.equal(again.linear.weight, whole.linear.weight)
    assert [e["score"] for e in outcome.history] == [e["score"] for e in reference.history]
    assert outcome.best_step == reference.best_step


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(Noisy(), Rows(), settings(max_steps=3))
    assert torch.equal(torch.rand(3), expected)


def test_a_step_that_is_not_finite_is_skipped_and_counted() -> None:
    module = Noisy(poison=(4, 9))
    outcome = train(module, Rows(), settings(max_steps=12))
    assert outcome.bad_steps == 2
    assert torch.isfinite(module.linear.weight).all()


def test_repeated_failure_stops_with_the_last_good_weights() -> None:
    module = Noisy(poison=tuple(range(11, 100)))
    with pytest.raises(FitError, match="last good weights"):
        train(module, Rows(), settings(max_steps=90))
    assert torch.isfinite(module.linear.weight).all()
    fine = Noisy()
    with pytest.warns(RuntimeWarning):
        train(fine, Rows(), settings(max_steps=90), callbacks=[StopAt(10)])
    assert torch.equal(module.linear.weight, fine.linear.weight)


def test_patience_stops_and_best_weights_are_returned() -> None:
    module = Noisy()
    scores = iter([0.0, 1.0, *[0.5] * 50])
    outcome = train(module, Rows(), settings(max_steps=200, patience=3), validate=lambda: next(scores))
    assert (outcome.stopped, outcome.best_step, outcome.best_score, outcome.steps) == (
        "patience",
        10,
        1.0,
        25,
    )


def test_time_limit_stops() -> None:
    assert train(Noisy(), Rows(), settings(max_steps=10**6, max_seconds=0.2)).stopped == "time"


def test_a_damaged_checkpoint_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    train(Noisy(), Rows(), settings(max_steps=2, checkpoint=path))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="damaged"):
        read_tensors(path)
    with pytest.raises(RunError, match="no file"):
        read_tensors(tmp_path / "nothing.safetensors")


def test_asking_for_a_gpu_that_is_not_there_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ValueError, match="no CUDA GPU"):
        train(Noisy(), Rows(), settings(device="cuda"))


def test_quick_parameters_move_faster_and_none_is_left_out() -> None:
    class Part(nn.Module):
        quick = ("level",)

        def __init__(self) -> None:
            super().__init__()
            self.level, self.other = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
            self.matrix = nn.Parameter(torch.zeros(2, 2))

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Part()

        def forward(self, batch: torch.Tensor, progress: float) -> dict[str, torch.Tensor]:
            return {"loss": ((self.part.level + self.part.other - 10) ** 2).sum() + self.part.matrix.sum()}

    module = Whole()
    groups = parameter_groups(module, 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(module.parameters()))
    assert [group["pace"] for group in groups] == [1.0, 1.0, PACE]
    train(module, Rows(), Settings(max_steps=3, warmup_steps=1, learning_rate=0.01, device="cpu"))
    ratio = (module.part.level / module.part.other).tolist()
    assert ratio == pytest.approx([PACE] * 2, rel=1e-3)
