"""A population of task networks in one module: field, initial state and linear readout, a member a slice."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurognode.dynamics.base import GatedField, Map, VectorField, per_unit
from neurognode.dynamics.integrate import integrate
from neurognode.dynamics.population import stack

STARTS = ("first_input", "first_target", "fixed", "learned", "per_trial")


class TaskPopulation(nn.Module):
    """K networks ``h' = field(h, x)``, ``y = C h + d`` that are trained together.

    Parameters
    ----------
    field : VectorField
        With ``members=K``.
    output_dim : int
    start : str
        Where a trial starts: an affine map of its first input or first target, a fixed random state, a
        learned state, or a learned state for each trial.
    n_trials : int
        Number of learned states for ``start="per_trial"``.
    dt : float
        Width of a bin in seconds.
    method, substeps
        As in `neurognode.dynamics.integrate`.
    generator : torch.Generator
        For the initial weights.
    """

    def __init__(
        self,
        field: VectorField,
        output_dim: int,
        *,
        start: str,
        dt: float,
        method: str,
        substeps: int,
        generator: torch.Generator,
        n_trials: int = 0,
    ) -> None:
        super().__init__()
        self.field, self.start, self.dt, self.method, self.substeps = field, start, dt, method, substeps
        k, n = int(field.members or 1), field.latent_dim
        self.readout = nn.Parameter(_glorot((k, n, output_dim), generator))
        self.bias = nn.Parameter(torch.zeros(k, output_dim))
        width = {"first_input": field.input_dim, "first_target": output_dim}.get(start, 0)
        if width:
            self.encoder = nn.Parameter(_glorot((k, width, n), generator))
            self.offset = nn.Parameter(torch.zeros(k, n))
        elif start == "fixed":
            drawn = torch.randn(k, n, generator=generator) * math.sqrt(2 / (1 + n))
            self.register_buffer("state", drawn)
        else:
            shape = (k, max(n_trials, 1), n) if start == "per_trial" else (k, n)
            self.state = nn.Parameter(0.5 * torch.randn(shape, generator=generator))

    def initial(self, inputs: Tensor, targets: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
        """Initial states (K, B, N) of inputs (K, B, T, I)."""
        if self.start == "per_trial":
            k = len(self.state)
            return self.state[torch.arange(k)[:, None], rows]
        if self.start in ("first_input", "first_target"):
            first = inputs if self.start == "first_input" else targets
            assert first is not None
            return first[:, :, 0] @ self.encoder + self.offset[:, None]
        return self.state[:, None].expand(-1, inputs.shape[1], -1)

    def states(
        self, inputs: Tensor, start: Tensor, intervals: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """States (K, B, T, N): the input of bin t is applied before the state of bin t is read.

        `intervals` (K, B, T), seconds before each bin, replaces the regular `dt`; a map takes one step all the same.
        """
        if intervals is not None and not isinstance(self.field, Map):
            return self._irregular(inputs, start, intervals)
        n_bins = inputs.shape[2]
        times = torch.arange(n_bins + 1, dtype=torch.float64) * self.dt
        padded = torch.cat([inputs, inputs[:, :, -1:]], dim=2) if self.field.input_dim else None
        path = integrate(
            self.field,
            start,
            times,
            padded,
            method=self.method,
            substeps=self.substeps,
            lengths=None if lengths is None else lengths + 1,
            check=False,
        )
        return path[:, :, 1:]

    def outputs(self, states: Tensor) -> Tensor:
        """Readout (K, B, T, D)."""
        k = len(self.readout)
        flat = states.reshape(k, -1, states.shape[-1]) @ self.readout + self.bias[:, None]
        return flat.reshape(*states.shape[:-1], -1)

    def only(self, member: int) -> TaskPopulation:
        """A population of one member, with its own copy of the weights."""
        field = stack([self.field.member(member)])
        one = TaskPopulation(
            field,
            self.bias.shape[1],
            start=self.start,
            dt=self.dt,
            method=self.method,
            substeps=self.substeps,
            generator=torch.Generator().manual_seed(0),
            n_trials=self.state.shape[1] if self.start == "per_trial" else 0,
        )
        mine = {k: v for k, v in self.state_dict().items() if not k.startswith("field.")}
        state = {k: v[member : member + 1] for k, v in mine.items()}
        one.load_state_dict(state | {f"field.{k}": v for k, v in field.state_dict().items()})
        return one

    def _irregular(self, inputs: Tensor, state: Tensor, intervals: Tensor) -> Tensor:
        path = []
        for t in range(inputs.shape[2]):
            x, gap = inputs[:, :, t], intervals[:, :, t, None]
            if isinstance(self.field, GatedField):
                rate = self.field.gate(state, x) * gap / per_unit(self.field.tau, state, self.field.members)
                state = state - torch.expm1(-rate) * (self.field.drift(state, x) - state)
            else:
                state = state + gap * self.field(state, x)
            path.append(state)
        return torch.stack(path, dim=2)


def _glorot(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    limit = math.sqrt(6 / (shape[-1] + shape[-2]))
    return (2 * torch.rand(shape, generator=generator) - 1) * limit
