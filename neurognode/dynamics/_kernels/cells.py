"""GRU and LSTM maps: one fused pass through time and a hand-written reverse, for any device.

Inputs meet their weights in one product for all bins, a step is one or two small products, and the gradients of the
weights are one product over all steps; autograd sees a single operation instead of thousands.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurognode.dynamics._kernels import plain
from neurognode.dynamics.base import VectorField
from neurognode.dynamics.maps import GRU, LSTM
from neurognode.dynamics.problem import Problem


def supports(field: VectorField, method: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return None if the kernel can take this, or the reason why not."""
    if type(field) not in (GRU, LSTM):
        return f"the field is a {type(field).__name__}, not a GRU or an LSTM"
    if next(field.parameters()).dtype != dtype:
        return "states and weights have different types"
    return None


def available(dtype: torch.dtype) -> str | None:
    """Return None: it needs nothing but torch."""
    return None


def pays(problem: Problem) -> bool:
    """Say whether it is expected to be faster than the plain version: always, if every interval is one step."""
    return _single_steps(problem)


def run(problem: Problem) -> Tensor:
    """Integrate; differentiable once, with respect to states, inputs and weights."""
    if not _single_steps(problem):
        return plain.run(problem)
    field: Any = problem.field
    single = field.members is None
    walk = _GRU(field) if isinstance(field, GRU) else _LSTM(field)
    weights = [w[None] if single else w for w in walk.weights()]
    h0 = problem.h0[None] if single else problem.h0
    inputs = problem.inputs
    if inputs is not None:
        inputs = inputs[None] if inputs.dim() == 3 else inputs
        inputs = inputs[:, :, :-1].expand(len(h0), -1, -1, -1)
    elif field.input_dim:
        inputs = h0.new_zeros(*h0.shape[:2], len(problem.times) - 1, field.input_dim)
    path = _Pass.apply(walk, _alive(problem, h0), len(problem.times) - 1, h0, inputs, *weights)
    return path[0] if single else path


def _single_steps(problem: Problem) -> bool:
    field: Any = problem.field
    return not problem.checkpoint and all(plain.map_steps(field, step) == 1 for step in problem.steps)


def _alive(problem: Problem, h0: Tensor) -> Tensor | None:
    """1 while a trial goes on, 0 after its end, (T, K, B, 1)."""
    if problem.lengths is None:
        return None
    ends = problem.lengths.expand(h0.shape[:2]).to(h0.device)
    steps = torch.arange(1, len(problem.times), device=h0.device)
    return (ends > steps[:, None, None]).to(h0.dtype)[..., None]


class _GRU:
    """Gates ``z, r`` from ``W h + U x + b``, candidate from ``W (h r) + U x + b``, ``h' = h + a z (c - h)``."""

    def __init__(self, field: GRU) -> None:
        self.share, self.n = field.share, field.latent_dim
        self.nets = [field._net(name) for name in ("gate_net", "reset_net", "candidate_net")]

    def weights(self) -> list[Tensor]:
        """Recurrent weights (3 N, N), biases (3 N) and input weights (3 N, I), stacked z, r, c."""
        drives: list[Tensor] = [net.input_weight for net in self.nets if net.input_weight is not None]
        found = [
            torch.cat([net.weights[0] for net in self.nets], -2),
            torch.cat([n.biases[0] for n in self.nets], -1),
        ]
        return [*found, torch.cat(drives, -2)] if drives else found

    def forward(self, h: Tensor, drive: Tensor, weight: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        n = self.n
        gates = torch.baddbmm(drive[..., : 2 * n], h, weight[:, : 2 * n].mT).sigmoid_()
        z, r = gates.split(n, -1)
        candidate = torch.baddbmm(drive[..., 2 * n :], h * r, weight[:, 2 * n :].mT).tanh_()
        return h + self.share * z * (candidate - h), (gates, candidate)

    def backward(
        self, g: Tensor, h: Tensor, kept: tuple[Tensor, ...], weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        gates, candidate = kept
        n = self.n
        z, r = gates.split(n, -1)
        straight, g = g, self.share * g
        to_candidate = g * z * (1 - candidate * candidate)
        through = torch.bmm(to_candidate, weight[:, 2 * n :])
        to_gates = torch.cat([g * (candidate - h), through * h], -1) * gates * (1 - gates)
        back = torch.baddbmm(straight + through * r - g * z, to_gates, weight[:, : 2 * n])
        return back, torch.cat([to_gates, to_candidate], -1)

    def weight_gradient(self, slopes: Tensor, states: Tensor, kept: list[tuple[Tensor, ...]]) -> Tensor:
        """Of the recurrent weights, from slopes (K, T, B, 3 N) and the states before each step."""
        n = self.n
        reset = states * torch.stack([gates[..., n:] for gates, _ in kept], 1)
        return torch.cat([_outer(slopes[..., : 2 * n], states), _outer(slopes[..., 2 * n :], reset)], -2)


class _LSTM:
    """State ``(output, cell)``; ``write, keep, candidate, show`` from ``W output + U x + b``."""

    def __init__(self, field: LSTM) -> None:
        self.n, self.net = field.units, field.net

    def weights(self) -> list[Tensor]:
        """Recurrent weights (4 U, U), biases (4 U) and input weights (4 U, I), stacked write, keep, show, candidate."""
        found = [_show_third(self.net.weights[0], -2), _show_third(self.net.biases[0], -1)]
        drive = self.net.input_weight
        return found if drive is None else [*found, _show_third(drive, -2)]

    def forward(self, h: Tensor, drive: Tensor, weight: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        n = self.n
        output, cell = h.split(n, -1)
        parts = torch.baddbmm(drive, output, weight.mT)
        parts[..., : 3 * n].sigmoid_()
        parts[..., 3 * n :].tanh_()
        write, keep, show, candidate = parts.split(n, -1)
        new = torch.empty_like(h)
        cell = torch.mul(keep, cell, out=new[..., n:]).addcmul_(write, candidate)
        bent = cell.tanh()
        torch.mul(show, bent, out=new[..., :n])
        return new, (parts, bent)

    def backward(
        self, g: Tensor, h: Tensor, kept: tuple[Tensor, ...], weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        (parts, bent), n = kept, self.n
        write, keep, show, candidate = parts.split(n, -1)
        to_output, to_cell = g.split(n, -1)
        to_cell = to_cell + to_output * show * (1 - bent * bent)
        slopes = torch.empty_like(parts)
        torch.mul(to_cell, candidate, out=slopes[..., :n])
        torch.mul(to_cell, h[..., n:], out=slopes[..., n : 2 * n])
        torch.mul(to_output, bent, out=slopes[..., 2 * n : 3 * n])
        gates = parts[..., : 3 * n]
        slopes[..., : 3 * n] *= gates * (1 - gates)
        torch.mul(to_cell * write, 1 - candidate * candidate, out=slopes[..., 3 * n :])
        back = torch.empty_like(h)
        back[..., :n] = torch.bmm(slopes, weight)
        torch.mul(to_cell, keep, out=back[..., n:])
        return back, slopes

    def weight_gradient(self, slopes: Tensor, states: Tensor, kept: list[tuple[Tensor, ...]]) -> Tensor:
        """Of the recurrent weights, from slopes (K, T, B, 4 U) and the states before each step."""
        return _outer(slopes, states[..., : self.n])


def _show_third(rows: Tensor, axis: int) -> Tensor:
    """Blocks write, keep, candidate, show in the order write, keep, show, candidate: all sigmoids together."""
    write, keep, candidate, show = rows.chunk(4, axis)
    return torch.cat([write, keep, show, candidate], axis)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Sum of outer products over time and trials, of (K, T, B, M) and (K, T, B, N)."""
    return left.flatten(1, 2).mT @ right.flatten(1, 2)


class _Pass(torch.autograd.Function):
    """States (K, B, T, N); inside, time comes before trials, so that all steps are one matrix."""

    @staticmethod
    def forward(
        ctx: Any,
        walk: Any,
        alive: Tensor | None,
        n_steps: int,
        h0: Tensor,
        inputs: Tensor | None,
        *weights: Tensor,
    ) -> Tensor:
        k, trials, n = h0.shape
        weight, bias = weights[0], weights[1]
        if inputs is None:
            drive = bias[:, None, None].expand(-1, n_steps, trials, -1)
        else:
            inputs = inputs.transpose(1, 2).reshape(k, n_steps * trials, -1)
            drive = torch.baddbmm(bias[:, None], inputs, weights[2].mT).view(k, n_steps, trials, -1)
        states = h0.new_empty(k, n_steps + 1, trials, n)
        states[:, 0] = h = h0
        kept = []
        for t in range(n_steps):
            new, memory = walk.forward(h, drive[:, t], weight)
            h = new if alive is None else torch.lerp(h, new, alive[t])
            states[:, t + 1] = h
            kept.append(memory)
        ctx.walk, ctx.alive, ctx.n_steps = walk, alive, n_steps
        ctx.save_for_backward(states, inputs, *weights, *(m for memory in kept for m in memory))
        return states.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        states, inputs, *rest = ctx.saved_tensors
        n_weights = 2 if inputs is None else 3
        weights, flat = rest[:n_weights], rest[n_weights:]
        kept = [tuple(flat[2 * t : 2 * t + 2]) for t in range(ctx.n_steps)]
        slopes = states.new_empty(states.shape[0], ctx.n_steps, states.shape[2], weights[0].shape[1])
        g = gradient[:, :, -1]
        for t in range(ctx.n_steps - 1, -1, -1):
            inside = g if ctx.alive is None else g * ctx.alive[t]
            back, slopes[:, t] = ctx.walk.backward(inside, states[:, t], kept[t], weights[0])
            g = gradient[:, :, t] + back if ctx.alive is None else gradient[:, :, t] + back + (g - inside)
        found = [torch.zeros_like(w) for w in weights]
        to_inputs = None
        if ctx.n_steps:
            found[0], found[1] = ctx.walk.weight_gradient(slopes, states[:, :-1], kept), slopes.sum((1, 2))
        if inputs is not None and ctx.n_steps:
            found[2] = slopes.flatten(1, 2).mT @ inputs
            if ctx.needs_input_grad[4]:
                to_inputs = (slopes.flatten(1, 2) @ weights[2]).view(*slopes.shape[:3], -1).transpose(1, 2)
        return None, None, None, g, to_inputs, *found
