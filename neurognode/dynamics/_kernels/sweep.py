"""A hand-written reverse sweep in torch operations, for any device and where nothing can be compiled.

Only the states are kept. Going back, a chunk of steps is evaluated again all at once (its states are known, so
that nothing waits for anything), the gradient then walks through the chunk with a few small products a step, and
the weight gradients of the chunk are one large product per layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurognode.dynamics._kernels.gated import Evaluation, Weights
from neurognode.dynamics._kernels.parameters import Parameters, reason_against, weights_of
from neurognode.dynamics.activations import ACTIVATIONS
from neurognode.dynamics.base import VectorField
from neurognode.dynamics.methods import METHODS
from neurognode.dynamics.problem import Problem

_FEW, _WEIGHTS_PER_EVALUATION = 8, 180_000
_SMALL = 1 << 14
"""Activations of one step up to which the cost of calling torch outweighs the arithmetic."""


def supports(field: VectorField, method: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return None if the kernel can take this, or the reason why not."""
    return reason_against(field, method, tuple(METHODS), tuple(ACTIVATIONS), dtype)


def available(dtype: torch.dtype) -> str | None:
    """Return None: it needs nothing but torch."""
    return None


def pays(problem: Problem) -> bool:
    """Say whether it is expected to be faster than the plain version: where single operations are small."""
    if problem.h0.device.type != "cpu" or problem.checkpoint:
        return True
    field: Any = problem.field
    if problem.evaluations < _FEW or weights_of(field) > _WEIGHTS_PER_EVALUATION * problem.evaluations:
        return False
    nets = [net for net in (field.drift_net, field.gate_net) if net is not None]
    widest = sum(weight.shape[-2] for net in nets for weight in net.weights)
    return widest * problem.h0.shape[:-1].numel() <= _SMALL


def run(problem: Problem) -> Tensor:
    """Integrate; differentiable once, with respect to states, inputs, weights and time constants."""
    return sweep_with(Walk, problem)


def sweep_with(walk: type[Walk], problem: Problem) -> Tensor:
    """Integrate with a given way to walk through time."""
    parameters = Parameters(problem.field, with_inputs=problem.inputs is not None)  # type: ignore[arg-type]
    rate = problem.field.tau.reciprocal()  # type: ignore[operator, union-attr]
    return _Sweep.apply(walk, problem, parameters, problem.h0, problem.inputs, rate, *parameters.tensors)


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kind: type[Walk],
        problem: Problem,
        parameters: Parameters,
        h0: Tensor,
        inputs: Tensor | None,
        rate: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        walk = kind(problem, parameters, h0, inputs, rate, tensors)
        states = walk.forward()
        ctx.save_for_backward(states, h0, rate, *(() if inputs is None else (inputs,)), *tensors)
        ctx.kind, ctx.problem, ctx.parameters = kind, problem, parameters
        out = states[:, :: problem.substeps].movedim(1, 2).contiguous()
        return out if problem.field.members is not None else out[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        problem, parameters = ctx.problem, ctx.parameters
        states, h0, rate, *rest = ctx.saved_tensors
        inputs = rest.pop(0) if problem.inputs is not None else None
        walk = ctx.kind(problem, parameters, h0, inputs, rate, rest)
        gh0, gx, grate = walk.backward(states, gradient, ctx.needs_input_grad[4])
        single = problem.field.members is None
        gh0, grate = (gh0[0], grate[0]) if single else (gh0, grate)
        gx = None if gx is None else gx.sum(0, keepdim=True) if _shared(inputs, gh0) else gx
        gx = gx[0] if single and gx is not None else gx
        return None, None, None, gh0, gx, grate, *walk.weights.unpack(parameters)


def _shared(inputs: Tensor | None, gh0: Tensor) -> bool:
    return inputs is not None and inputs.dim() == 4 and inputs.shape[0] != gh0.shape[0]


class Walk:
    """One problem with a population axis always there: states are (K, steps + 1, B, N)."""

    chunk_elements = 1 << 18
    """Activations that a chunk may hold; it has at least one step."""

    def __init__(
        self,
        problem: Problem,
        parameters: Parameters,
        h0: Tensor,
        inputs: Tensor | None,
        rate: Tensor,
        tensors: Any,
    ) -> None:
        self.problem, self.method = problem, problem.method
        self.weights = Weights(problem.field, parameters, tensors)  # type: ignore[arg-type]
        single = problem.field.members is None
        self.h0, self.rate = (h0[None], rate[None]) if single else (h0, rate)
        self.inputs = inputs
        if inputs is not None:
            self.inputs = (inputs[None] if inputs.dim() == 3 else inputs).movedim(2, 1)  # (K or 1, T, B, I)
        self.nodes, self.shares = METHODS[problem.method].nodes, METHODS[problem.method].shares
        lengths = torch.tensor(problem.steps, dtype=h0.dtype, device=h0.device) / problem.substeps
        self.dt = lengths.repeat_interleave(problem.substeps)  # (steps,)
        self.count = len(self.dt)
        self.mask = self._mask()

    def _mask(self) -> Tensor | None:
        """Return (K or 1, steps, B, 1): 0 where a trial has ended."""
        if self.problem.lengths is None:
            return None
        ends = self.problem.lengths.to(self.h0.device)
        ends = ends[None] if ends.dim() == 1 else ends
        interval = torch.arange(len(self.problem.times) - 1, device=self.h0.device)
        running = ends[:, None] > interval[:, None] + 1
        return running.repeat_interleave(self.problem.substeps, 1)[..., None].to(self.h0)

    def _input(self, start: int, stop: int, node: float) -> Tensor | None:
        """Inputs at a fraction of the steps [start, stop), (K or 1, steps, B, I)."""
        if self.inputs is None:
            return None
        step = torch.arange(start, stop, device=self.h0.device)
        interval = step // self.problem.substeps
        here = self.inputs[:, interval]
        if not self.problem.linear:
            return here
        there = self.inputs[:, interval + 1]
        return here + self._fraction(step, node) * (there - here)

    def _fraction(self, step: Tensor, node: float) -> Tensor:
        """How far into its interval a stage of these steps is, (steps, 1, 1)."""
        share = (step % self.problem.substeps).to(self.h0) + node
        return (share / self.problem.substeps)[:, None, None]

    def _drives(self, start: int, stop: int) -> list[list[Tensor]]:
        """Input and bias part of both first layers at every stage; with held inputs it is the same for all."""
        nodes = self.nodes if self.problem.linear else self.nodes[:1]
        found = [self.weights.drives(self._input(start, stop, node), stop - start) for node in nodes]
        return found * (len(self.nodes) // len(found))

    def _share(self, start: int, stop: int) -> Tensor:
        """Steps in units of the time constants, (K, steps, 1, N)."""
        return (self.dt[start:stop, None] * self.rate[:, None])[:, :, None]

    def chunk(self) -> int:
        per_step = self.h0.shape[0] * self.h0.shape[1] * self.weights.widest
        return max(1, min(self.count, self.chunk_elements // max(per_step, 1)))

    def forward(self) -> Tensor:
        members, batch, latents = self.h0.shape
        states = self.h0.new_empty(members, self.count + 1, batch, latents)
        states[:, 0] = self.h0
        size = self.chunk()
        for start in range(0, self.count, size):
            stop = min(start + size, self.count)
            self._forward_chunk(states, start, stop)
        return states

    def _forward_chunk(self, states: Tensor, start: int, stop: int) -> None:
        """Fill the states after the steps [start, stop)."""
        drives, shares = self._drives(start, stop), self._share(start, stop)
        h = states[:, start]
        for step in range(start, stop):
            at = step - start
            h = self._step(h, [[d[:, at] for d in stage] for stage in drives], shares[:, at], step)
            states[:, step + 1] = h

    def _step(self, h: Tensor, drives: list[list[Tensor]], share: Tensor, step: int) -> Tensor:
        change, total = h, h
        for stage, (node, weight) in enumerate(zip(self.nodes, self.shares)):
            at = h + node * change if stage else h
            change = self.weights.change(at, drives[stage], share, self.method)
            if self.mask is not None:
                change = self.mask[:, step] * change
            total = total + weight * change if len(self.nodes) > 1 else h + change
        return total

    def backward(
        self, states: Tensor, gradient: Tensor, inputs_wanted: bool
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        gradient = gradient if self.problem.field.members is not None else gradient[None]
        gradient = gradient.movedim(2, 1)  # (K, T, B, N)
        lam = torch.zeros_like(self.h0)
        grate = torch.zeros_like(self.rate)
        gx = None
        if inputs_wanted and self.inputs is not None:
            gx = self.h0.new_zeros(self.h0.shape[0], *self.inputs.shape[1:])
        size = self.chunk()
        for stop in range(self.count, 0, -size):
            start = max(0, stop - size)
            stages = self._evaluate(states, start, stop)
            lam = self._reverse_chunk(stages, self._arriving(gradient, start, stop), lam)
            grate += sum(stage.rate_gradient(self.dt[start:stop]) for stage in stages)
            for node, stage in zip(self.nodes, stages):
                drive = self.weights.collect(stage, self._input(start, stop, node), gx is not None)
                if gx is not None and drive is not None:
                    self._add_inputs(gx, drive, start, stop, node)
        gx = None if gx is None else gx.movedim(1, 2)
        return lam + gradient[:, 0], gx, grate

    def _evaluate(self, states: Tensor, start: int, stop: int) -> list[Evaluation]:
        """Evaluate every stage of the steps [start, stop) at once, with what the reverse needs."""
        h, share = states[:, start:stop], self._share(start, stop)
        drives, stages, change = self._drives(start, stop), [], h
        for i, node in enumerate(self.nodes):
            at = h + node * change if i else h
            stage = self.weights.evaluate(at, drives[i], share, self.method)
            stage.apply_mask(None if self.mask is None else self.mask[:, start:stop])
            change = stage.change
            stages.append(stage)
        return stages

    def _arriving(self, gradient: Tensor, start: int, stop: int) -> Tensor:
        """Gradients that come in after each of the steps [start, stop), (K, steps, B, N)."""
        size = self.problem.substeps
        if size == 1:
            return gradient[:, start + 1 : stop + 1]
        after = torch.arange(start + 1, stop + 1, device=gradient.device)
        ends = (after % size == 0).to(gradient)[:, None, None]
        return ends * gradient[:, after // size]

    def _reverse_chunk(self, stages: list[Evaluation], extra: Tensor, cotangent: Tensor) -> Tensor:
        """Carry the gradient of the state after a chunk to the one before it; deltas are kept."""
        for at in range(extra.shape[1] - 1, -1, -1):
            cotangent = self._reverse(stages, at, cotangent + extra[:, at])
        return cotangent

    def _reverse(self, stages: list[Evaluation], at: int, lam: Tensor) -> Tensor:
        if len(stages) == 1:
            return lam + self.weights.reverse(stages[0], at, lam)
        total, back = lam, None
        for i in range(len(stages) - 1, -1, -1):
            own = self.shares[i] * lam
            if back is not None:
                own = own + self.nodes[i + 1] * back
            back = self.weights.reverse(stages[i], at, own)
            total = total + back
        return total

    def _add_inputs(self, gx: Tensor, drive: Tensor, start: int, stop: int, node: float) -> None:
        step = torch.arange(start, stop, device=gx.device)
        interval = step // self.problem.substeps
        if not self.problem.linear:
            gx.index_add_(1, interval, drive)
            return
        fraction = self._fraction(step, node)
        gx.index_add_(1, interval, (1 - fraction) * drive)
        gx.index_add_(1, interval + 1, fraction * drive)
