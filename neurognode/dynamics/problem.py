"""The initial value problem that `integrate` hands to a kernel, checked once at the door."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics.base import Map, VectorField
from neurognode.dynamics.methods import METHODS
from neurognode.errors import one_of

Times = "Tensor | np.ndarray | Sequence[float]"
INPUT_KINDS = ("hold", "linear")


@dataclass(frozen=True)
class Problem:
    """Everything a kernel needs; shapes have been checked.

    Attributes
    ----------
    field : VectorField
        The field or map.
    h0 : Tensor, (B, N) or (K, B, N)
        Initial states.
    times : Tensor, (T,)
        Seconds, float64 on the CPU.
    inputs : Tensor or None, (B, T, I), (K, B, T, I) or (1, B, T, I)
        Inputs on the grid.
    method : str
        Name of the method.
    substeps : int
        Steps per interval.
    lengths : Tensor or None, (B,) or (K, B)
        Number of time points of each trial, int64 on the CPU.
    linear : bool
        Interpolate the inputs linearly instead of holding them.
    checkpoint : bool
        Recompute in the backward pass instead of storing.
    """

    field: VectorField
    h0: Tensor
    times: Tensor
    inputs: Tensor | None
    method: str
    substeps: int
    lengths: Tensor | None
    linear: bool
    checkpoint: bool

    @property
    def steps(self) -> list[float]:
        """Length of each interval in seconds; negative when integrating backwards."""
        return (self.times[1:] - self.times[:-1]).tolist()

    @property
    def evaluations(self) -> int:
        """How often the field is evaluated along a trajectory."""
        stages = len(METHODS[self.method].nodes) if self.method in METHODS else 1
        return (len(self.times) - 1) * self.substeps * stages


def make_problem(
    field: VectorField,
    h0: Tensor,
    times: Tensor | np.ndarray | Sequence[float],
    inputs: Tensor | None,
    *,
    method: str,
    substeps: int,
    lengths: Tensor | np.ndarray | Sequence[int] | None,
    input_kind: str,
    checkpoint: bool,
) -> Problem:
    """Check the arguments of `integrate` and put them in one place.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was given.
    """
    if not isinstance(field, VectorField):
        raise ValueError(f"field is a {type(field).__name__}; expected a VectorField or a Map.")
    one_of(input_kind, INPUT_KINDS, "input_kind")
    if isinstance(substeps, bool) or int(substeps) != substeps or substeps < 1:
        raise ValueError(f"substeps={substeps!r} must be an integer of at least 1.")
    grid = _checked_times(times)
    h0 = _checked_state(field, h0)
    inputs = _checked_inputs(field, inputs, h0, len(grid))
    if isinstance(field, Map) and substeps != 1:
        raise ValueError(f"substeps={substeps!r}: a map has its own step, dt={field.dt:g} s.")
    ends = _checked_lengths(lengths, h0, len(grid))
    return Problem(
        field, h0, grid, inputs, method, int(substeps), ends, input_kind == "linear", bool(checkpoint)
    )


def _checked_times(times: Tensor | np.ndarray | Sequence[float]) -> Tensor:
    grid = torch.as_tensor(times).detach().to(device="cpu", dtype=torch.float64)
    if grid.dim() != 1 or len(grid) < 1:
        raise ValueError(f"times has shape {tuple(grid.shape)}; expected (T,) with T of at least 1.")
    if len(grid) == 1 and bool(torch.isfinite(grid)):
        return grid
    steps = grid[1:] - grid[:-1]
    least, most = (float(end) for end in torch.aminmax(steps)) if len(steps) else (math.nan, math.nan)
    if (least > 0 or most < 0) and math.isfinite(least) and math.isfinite(most):
        return grid
    if not bool(torch.isfinite(grid).all()):
        raise ValueError("times holds values that are not finite.")
    bad = int(torch.argmax((steps * (-1 if bool(steps[0] < 0) else 1) <= 0).int()))
    raise ValueError(
        f"times must be strictly increasing (or strictly decreasing, to go backwards); "
        f"times[{bad}]={float(grid[bad]):g} is followed by {float(grid[bad + 1]):g}."
    )


def _checked_state(field: VectorField, h0: Tensor) -> Tensor:
    expected = f"(B, {field.latent_dim})" if field.members is None else f"(K, B, {field.latent_dim})"
    if not isinstance(h0, Tensor):
        raise ValueError(f"h0 is a {type(h0).__name__}; expected a Tensor of shape {expected}.")
    shape = tuple(h0.shape)
    fits = h0.dim() == (2 if field.members is None else 3) and shape[-1] == field.latent_dim
    if not fits or (field.members is not None and shape[0] != field.members):
        extra = "" if field.members is None else f" with K={field.members}"
        raise ValueError(f"h0 has shape {shape}; expected {expected}{extra}.")
    if not h0.is_floating_point():
        raise ValueError(f"h0 has dtype {h0.dtype}; expected a floating-point one.")
    if not all_finite(h0):
        raise ValueError("h0 holds values that are not finite.")
    return h0


def _checked_inputs(field: VectorField, inputs: Tensor | None, h0: Tensor, n_times: int) -> Tensor | None:
    if inputs is None:
        return None
    wanted = (h0.shape[-2], n_times, field.input_dim)
    shape = tuple(inputs.shape)
    leads = ((),) if field.members is None else ((), (1,), (field.members,))
    if field.input_dim == 0:
        raise ValueError(f"inputs has shape {shape}, but the field takes none (input_dim=0).")
    if shape[-3:] != wanted or shape[:-3] not in leads:
        extra = "" if field.members is None else f", optionally behind a population axis of {field.members}"
        raise ValueError(f"inputs has shape {shape}; expected {wanted} (trial, time, input){extra}.")
    if not all_finite(inputs):
        raise ValueError("inputs holds values that are not finite.")
    if field.members is not None and inputs.dim() == 3:
        inputs = inputs[None]
    return inputs.to(h0) if inputs.dtype != h0.dtype or inputs.device != h0.device else inputs


def all_finite(values: Tensor) -> bool:
    """Say whether all values are finite; their sum tells, unless it overflows."""
    return math.isfinite(float(values.detach().sum())) or bool(torch.isfinite(values).all())


def _checked_lengths(
    lengths: Tensor | np.ndarray | Sequence[int] | None, h0: Tensor, n_times: int
) -> Tensor | None:
    if lengths is None:
        return None
    ends = torch.as_tensor(lengths).detach().to("cpu")
    allowed = {(h0.shape[-2],), tuple(h0.shape[:-1])}
    if tuple(ends.shape) not in allowed:
        expected = " or ".join(map(str, sorted(allowed, key=len)))
        raise ValueError(f"lengths has shape {tuple(ends.shape)}; expected {expected}.")
    if ends.is_floating_point() and bool((ends != ends.round()).any()):
        raise ValueError("lengths must be whole numbers of time points.")
    ends = ends.to(torch.int64)
    if ends.numel() and (int(ends.min()) < 1 or int(ends.max()) > n_times):
        raise ValueError(
            f"lengths lie between {int(ends.min())} and {int(ends.max())}; expected 1 to {n_times}."
        )
    return ends
