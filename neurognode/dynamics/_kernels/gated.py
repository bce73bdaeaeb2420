"""Arithmetic of a gated field in plain torch, without autograd: evaluation, its reverse, weight gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurognode.dynamics._kernels.parameters import Parameters
from neurognode.dynamics.gnode import GNODE


class Evaluation:
    """One stage of many steps, with everything that its reverse needs; arrays are (K, steps, B, width)."""

    def __init__(self, h: Tensor, activations: list[list[Tensor]], slopes: list[list[Tensor]]) -> None:
        self.h, self.activations, self.slopes = h, activations, slopes
        self.change = self.by_flow = self.by_target = self.by_rate = h
        self.by_gate: Tensor | None = None
        self.deltas: list[list[Tensor]] = []
        self.cotangent = torch.empty_like(h)

    def apply_mask(self, mask: Tensor | None) -> None:
        """Silence the trials that have ended."""
        if mask is None:
            return
        for name in ("change", "by_flow", "by_target", "by_rate", "by_gate"):
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, mask * value)

    def rate_gradient(self, dt: Tensor) -> Tensor:
        """Return the gradient of 1 / tau, (K, N)."""
        return (self.by_rate * self.cotangent * dt[:, None, None]).sum((1, 2))


class Weights:
    """The matrices of a gated field with a population axis always there, and their gradients.

    Parameters
    ----------
    field : GNODE
        The field.
    parameters : Parameters
        The layout of `tensors`.
    tensors : sequence of Tensor
        Weights, input weights and biases in that layout.
    """

    def __init__(self, field: GNODE, parameters: Parameters, tensors: Sequence[Tensor]) -> None:
        self.scale, self.gated = field.scale, field.gate_net is not None
        self.activation = field.drift_net.activation
        self.matrices: list[list[Tensor]] = [[], []]
        self.biases: list[list[Tensor]] = [[], []]
        self.inputs: list[Tensor | None] = [None, None]
        rest, branch, left = iter(tensors), 0, len(field.drift_net.weights)
        for i, (first, steep) in enumerate(parameters.layers):
            branch = 0 if i < left else 1
            self.matrices[branch].append(self._member_axis(steep * next(rest), field))
            if first:
                self.inputs[branch] = self._member_axis(steep * next(rest), field)
            self.biases[branch].append(self._member_axis(steep * next(rest), field))
        self.branches = 2 if self.gated else 1
        every = [m for branch in self.matrices for m in branch]
        self.widest = sum(m.shape[1] for m in every)
        self.gradients = [[torch.zeros_like(m) for m in branch] for branch in self.matrices]
        self.bias_gradients = [[torch.zeros_like(b) for b in branch] for branch in self.biases]
        self.input_gradients = [None if u is None else torch.zeros_like(u) for u in self.inputs]

    @staticmethod
    def _member_axis(value: Tensor, field: GNODE) -> Tensor:
        return value if field.members is not None else value[None]

    def drives(self, x: Tensor | None, steps: int) -> list[Tensor]:
        """Return bias plus input part of the first layers, (K, steps, B or 1, width)."""
        found = []
        for b in range(self.branches):
            bias, u = self.biases[b][0][:, None, None], self.inputs[b]
            driven = bias if x is None or u is None else bias + x @ u.mT[:, None]
            found.append(driven.expand(-1, steps, -1, -1))
        return found

    def change(self, h: Tensor, drives: list[Tensor], share: Tensor, method: str) -> Tensor:
        """Return the change of states (K, B, N) over a step of `share` (K, 1, N) time constants."""
        results = []
        for b in range(self.branches):
            s = drives[b] + torch.bmm(h, self.matrices[b][0].mT)
            for matrix, bias in zip(self.matrices[b][1:], self.biases[b][1:]):
                s = torch.baddbmm(bias[:, None], self.activation(s), matrix.mT)
            results.append(s)
        target = self._bounded(results[0])
        weight = share * torch.sigmoid(results[1]) if self.gated else share
        if method == "exponential_euler":
            weight = -torch.expm1(-weight)
        return weight * (target - h)

    def evaluate(self, h: Tensor, drives: list[Tensor], share: Tensor, method: str) -> Evaluation:
        """Evaluate many steps at once, h (K, steps, B, N), and prepare the reverse."""
        activations: list[list[Tensor]] = []
        slopes: list[list[Tensor]] = []
        results = []
        for b in range(self.branches):
            u = drives[b] + h @ self.matrices[b][0].mT[:, None]
            activations.append([h])
            slopes.append([])
            for matrix, bias in zip(self.matrices[b][1:], self.biases[b][1:]):
                activations[b].append(self.activation(u))
                slopes[b].append(self.activation.derivative(u))
                u = bias[:, None, None] + activations[b][-1] @ matrix.mT[:, None]
            results.append(u)
        done = Evaluation(h, activations, slopes)
        self._coefficients(done, results, share, method)
        done.deltas = [
            [h.new_empty(*h.shape[:-1], m.shape[1]) for m in self.matrices[b]] for b in range(self.branches)
        ]
        return done

    def _coefficients(self, done: Evaluation, results: list[Tensor], share: Tensor, method: str) -> None:
        """What turns the gradient of a change into those of state, drift, gate and rate."""
        target = self._bounded(results[0])
        gate = torch.sigmoid(results[1]) if self.gated else torch.ones_like(target)
        flow = target - done.h
        weight, left = share * gate, torch.ones_like(gate)
        if method == "exponential_euler":
            left = torch.exp(-weight)
            weight = -torch.expm1(-weight)
        done.change = weight * flow
        done.by_flow = weight
        done.by_target = weight * (1 - (target / self.scale) ** 2) if self.scale else weight
        done.by_rate = flow * left * gate
        if self.gated:
            done.by_gate = done.by_rate * share * (1 - gate)

    def _bounded(self, u: Tensor) -> Tensor:
        return self.scale * torch.tanh(u / self.scale) if self.scale else u

    def reverse(self, stage: Evaluation, at: int, cotangent: Tensor) -> Tensor:
        """Gradient of the state of one step from that of its change, (K, B, N); deltas are kept."""
        stage.cotangent[:, at] = cotangent
        back = -stage.by_flow[:, at] * cotangent
        for b in range(self.branches):
            by = stage.by_target if b == 0 or stage.by_gate is None else stage.by_gate
            delta = by[:, at] * cotangent
            stage.deltas[b][-1][:, at] = delta
            for layer in range(len(self.matrices[b]) - 1, 0, -1):
                delta = torch.bmm(delta, self.matrices[b][layer]) * stage.slopes[b][layer - 1][:, at]
                stage.deltas[b][layer - 1][:, at] = delta
            back = torch.baddbmm(back, delta, self.matrices[b][0])
        return back

    def collect(self, stage: Evaluation, x: Tensor | None, inputs_wanted: bool) -> Tensor | None:
        """Add the weight gradients of a stage; return the gradient of its inputs, (K, steps, B, I)."""
        gx = None
        for b in range(self.branches):
            for layer, delta in enumerate(stage.deltas[b]):
                rows = delta.reshape(delta.shape[0], -1, delta.shape[-1])
                source = stage.activations[b][layer]
                self.gradients[b][layer].baddbmm_(rows.mT, source.reshape(rows.shape[0], rows.shape[1], -1))
                self.bias_gradients[b][layer] += rows.sum(1)
            u, into = self.inputs[b], self.input_gradients[b]
            if x is None or u is None or into is None:
                continue
            rows = stage.deltas[b][0].reshape(u.shape[0], -1, u.shape[1])
            into.baddbmm_(rows.mT, x.expand(u.shape[0], *x.shape[1:]).reshape(u.shape[0], rows.shape[1], -1))
            if inputs_wanted:
                part = stage.deltas[b][0] @ u[:, None]
                gx = part if gx is None else gx + part
        return gx

    def unpack(self, parameters: Parameters) -> list[Tensor]:
        """Return the gradients in the layout of the parameters."""
        out: list[Tensor] = []
        left = len(self.matrices[0])
        for i, (first, steep) in enumerate(parameters.layers):
            b, layer = (0, i) if i < left else (1, i - left)
            found = [self.gradients[b][layer]]
            into = self.input_gradients[b]
            if first and into is not None:
                found.append(into)
            found.append(self.bias_gradients[b][layer])
            out += [steep * (g if parameters.members is not None else g[0]) for g in found]
        return out
