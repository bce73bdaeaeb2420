"""The problems that are timed, and one training step of each: a trajectory and the gradient of its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neurognode.dynamics import GNODE, integrate
from neurognode.dynamics.methods import METHODS

STEP, TAU, INPUTS = 0.01, 0.1, 2


@dataclass(frozen=True)
class Shape:
    """Trials, time bins, latents, and width and depth of the hidden layers of drift and gate."""

    batch: int
    bins: int
    latents: int
    width: int
    depth: int
    members: int | None = None

    def __str__(self) -> str:
        text = f"B{self.batch} T{self.bins} N{self.latents} H{self.width} L{self.depth}"
        return text if self.members is None else f"{text} K{self.members}"


MAIN = {
    "S1": Shape(64, 100, 8, 64, 1),
    "S2": Shape(64, 100, 3, 128, 2),
    "S3": Shape(256, 200, 32, 128, 1),
    "S4": Shape(16, 1000, 16, 100, 1),
}
OTHERS = {
    "narrow": Shape(64, 100, 2, 16, 1),
    "narrow deep": Shape(64, 100, 2, 16, 4),
    "one trial": Shape(1, 500, 3, 64, 2),
    "few trials": Shape(5, 200, 3, 64, 2),
    "odd trials": Shape(37, 100, 6, 50, 2),
    "many trials": Shape(4096, 20, 4, 32, 1),
    "long": Shape(4, 10_000, 3, 32, 1),
    "paper 2-bit": Shape(100, 100, 2, 316, 2),
    "paper 3-bit": Shape(100, 100, 6, 100, 3),
    "wide": Shape(64, 30, 16, 256, 2),
    "wide deep": Shape(64, 20, 16, 512, 4),
    "many latents": Shape(64, 50, 128, 256, 1),
    "shallow": Shape(64, 100, 16, 1, 0),
}


@dataclass
class Data:
    """A field and everything that goes with it."""

    shape: Shape
    field: GNODE
    h0: Tensor
    inputs: Tensor
    weight: Tensor
    times: Tensor

    def leaves(self) -> list[Tensor]:
        return [self.h0, *self.field.parameters()]

    def flop(self, method: str) -> float:
        """Arithmetic of the matrix products of one training step."""
        matrices = sum(p.numel() for n, p in self.field.named_parameters() if "bias" not in n)
        return 6.0 * matrices * self.shape.batch * self.shape.bins * len(METHODS[method].nodes)

    def to(self, dtype: torch.dtype) -> Data:
        field = GNODE(**{k: v for k, v in self.field.config().items() if k != "kind"}).to(dtype)
        field.load_state_dict(self.field.state_dict())
        h0 = self.h0.detach().to(dtype).requires_grad_()
        return Data(self.shape, field, h0, self.inputs.to(dtype), self.weight.to(dtype), self.times)


def make(shape: Shape, seed: int = 0) -> Data:
    """Draw the problem of a shape."""
    hidden = (shape.width,) * shape.depth
    field = GNODE(
        shape.latents, INPUTS, hidden=hidden, gate_hidden=hidden, tau=TAU, init="glorot",
        members=shape.members, random_state=seed,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    lead = () if shape.members is None else (shape.members,)
    size = (*lead, shape.batch, shape.bins + 1)
    return Data(
        shape,
        field,
        (0.5 * torch.randn(*lead, shape.batch, shape.latents, generator=generator)).requires_grad_(),
        torch.randn(*size, INPUTS, generator=generator),
        torch.randn(*size, shape.latents, generator=generator) / (shape.batch * shape.bins),
        torch.arange(shape.bins + 1).double() * STEP,
    )


def step_of(
    data: Data, method: str, backend: str = "auto", *, with_path: bool = False, **options: object
) -> Callable[[], list[Tensor]]:
    """One training step through `integrate`, without the optimiser; it returns gradients, after the path if asked."""

    leaves = data.leaves()

    def step() -> list[Tensor]:
        path = integrate(data.field, data.h0, data.times, data.inputs, method, backend=backend, **options)  # type: ignore[arg-type]
        found = torch.autograd.grad((path * data.weight).sum(), leaves)
        return [path.detach(), *found] if with_path else list(found)

    return step
