"""The GPU kernel: sequential walks in one launch each (Triton), everything else in large torch products.

It is the reverse sweep of `sweep` with its two loops over time replaced: the forward one, and the one that
carries the gradient back through a chunk. Evaluating a chunk again and its weight gradients are large products.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch
from torch import Tensor

from neurognode.dynamics._kernels.gated import Evaluation, Weights
from neurognode.dynamics._kernels.parameters import reason_against
from neurognode.dynamics._kernels.sweep import Walk, sweep_with
from neurognode.dynamics.base import VectorField
from neurognode.dynamics.gnode import GNODE
from neurognode.dynamics.problem import Problem

ACTIVATIONS = ("tanh", "relu", "silu", "softplus", "gelu")
METHODS = ("euler", "exponential_euler", "rk4", "midpoint")
_TRIALS = 16
_WIDEST = 64
"""Wider weights do not stay on chip."""


def supports(field: VectorField, method: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return None if the kernel can take this, or the reason why not."""
    reason = reason_against(field, method, METHODS, ACTIVATIONS, dtype)
    if reason or not isinstance(field, GNODE):
        return reason
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return f"the states are on {device}, not on a GPU"
    if dtype != torch.float32:
        return f"the states are {dtype}; it computes in float32"
    nets = [net for net in (field.drift_net, field.gate_net) if net is not None]
    if any(len(set(net.hidden)) > 1 for net in nets):
        return "the hidden layers of a net differ in width"
    if max(field.latent_dim, *(w for net in nets for w in (*net.hidden, 1))) > _WIDEST:
        return f"a layer is wider than {_WIDEST}"
    return None


def available(dtype: torch.dtype) -> str | None:
    """Return None if Triton is installed, or the reason why not."""
    return None if importlib.util.find_spec("triton") else "the package triton is not installed"


def pays(problem: Problem) -> bool:
    """Say whether it is expected to be the fastest: on a GPU, always."""
    return problem.h0.device.type == "cuda"


def run(problem: Problem) -> Tensor:
    """Integrate; differentiable once, with respect to states, inputs, weights and time constants."""
    return sweep_with(_LaunchedWalk, problem)


class _Padded:
    """Matrices of one net, padded to powers of two, for the programs."""

    def __init__(self, weights: Weights, branch: int, latents: int) -> None:
        matrices, biases = weights.matrices[branch], weights.biases[branch]
        self.depth = len(matrices) - 1
        self.width = latents if self.depth == 0 else _power(matrices[0].shape[1])
        n, h = latents, self.width
        self.first = _pad(matrices[0], h, n)
        empty = self.first.new_zeros(1)
        middle = [_pad(m, h, h) for m in matrices[1:-1]]
        self.middle = torch.stack(middle, 1).contiguous() if middle else empty
        middle_bias = [_pad(b, h) for b in biases[1:-1]]
        self.middle_bias = torch.stack(middle_bias, 1).contiguous() if middle_bias else empty
        self.last = _pad(matrices[-1], n, h) if self.depth else empty
        self.last_bias = _pad(biases[-1], n) if self.depth else empty

    def forward(self) -> tuple[Tensor, ...]:
        return self.first, self.middle, self.middle_bias, self.last, self.last_bias

    def backward(self) -> tuple[Tensor, ...]:
        return self.first, self.middle, self.last


def _power(width: int) -> int:
    return max(16, 1 << (width - 1).bit_length())


def _pad(value: Tensor, *sizes: int) -> Tensor:
    widths = [w for size, have in zip(reversed(sizes), reversed(value.shape)) for w in (0, size - have)]
    return torch.nn.functional.pad(value.detach(), widths).contiguous()


class _LaunchedWalk(Walk):
    """The walk with its loops over time launched as programs."""

    chunk_elements = 1 << 26

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.members, self.batch, self.latents = self.h0.shape
        self.wide = _power(self.latents)
        nets = [_Padded(self.weights, b, self.wide) for b in range(self.weights.branches)]
        self.nets = nets if len(nets) == 2 else [nets[0], nets[0]]
        kinds = self.weights.activation.name
        self.options: dict[str, Any] = {
            "METHOD": METHODS.index(self.method),
            "GATED": self.weights.gated,
            "DEPTH_F": self.nets[0].depth,
            "DEPTH_G": self.nets[1].depth,
            "B": _TRIALS,
            "N": self.wide,
            "HF": self.nets[0].width,
            "HG": self.nets[1].width,
        }
        self.activation = ACTIVATIONS.index(kinds) if kinds in ACTIVATIONS else 0
        self.grid = (-(-self.batch // _TRIALS), self.members)

    def _stacked_drives(self, start: int, stop: int) -> list[tuple[Tensor, int]]:
        """Drives of both nets as (stages or 1, K, steps, B, width), and the elements between stages."""
        nodes = self.nodes if self.problem.linear else self.nodes[:1]
        by_stage = [self.weights.drives(self._input(start, stop, node), stop - start) for node in nodes]
        found = []
        for b in range(self.weights.branches):
            shape = (self.members, stop - start, self.batch, -1)
            drives = torch.stack([_pad(stage[b], self.nets[b].width).expand(shape) for stage in by_stage])
            found.append((drives.contiguous(), drives[0].numel() if len(nodes) > 1 else 0))
        return found if len(found) == 2 else [found[0], found[0]]

    def _forward_chunk(self, states: Tensor, start: int, stop: int) -> None:
        from neurognode.dynamics._kernels.gpu_programs import forward_walk

        chunk = states[:, start : stop + 1].contiguous()
        (drive_f, stage_f), (drive_g, stage_g) = self._stacked_drives(start, stop)
        share = self._share(start, stop).contiguous()
        mask = share if self.mask is None else self._chunk_mask(start, stop)
        forward_walk[self.grid](
            chunk, share, mask, drive_f, drive_g, stage_f, stage_g,
            *self.nets[0].forward(), *self.nets[1].forward(),
            stop - start, self.batch, self.latents, float(self.weights.scale or 1.0),
            BOUNDED=bool(self.weights.scale), MASKED=self.mask is not None, ACTIVATION=self.activation,
            num_stages=1, **self.options,
        )  # fmt: skip
        states[:, start + 1 : stop + 1] = chunk[:, 1:]

    def _chunk_mask(self, start: int, stop: int) -> Tensor:
        assert self.mask is not None
        return self.mask[:, start:stop].expand(self.members, -1, -1, -1).contiguous()

    def _reverse_chunk(self, stages: list[Evaluation], extra: Tensor, cotangent: Tensor) -> Tensor:
        from neurognode.dynamics._kernels.gpu_programs import reverse_walk

        cotangent = cotangent.contiguous().clone()
        names = ("by_flow", "by_target", "by_gate")
        if not self.weights.gated:
            names = ("by_flow", "by_target", "by_target")
        by = [torch.stack([getattr(s, name) for s in stages]) for name in names]
        kept, delta_f, delta_g = (torch.empty_like(by[0]) for _ in range(3))
        slopes = [self._slopes(stages, b) for b in range(self.weights.branches)]
        deltas = [torch.empty_like(s) for s in slopes]
        pick = [0, 1] if self.weights.gated else [0, 0]
        reverse_walk[self.grid](
            cotangent, extra.contiguous(), *by, kept, delta_f, delta_g,
            slopes[0], deltas[0], slopes[pick[1]], deltas[pick[1]],
            *self.nets[0].backward(), *self.nets[1].backward(),
            extra.shape[1], self.batch, self.latents,
            num_stages=1, **self.options,
        )  # fmt: skip
        for i, stage in enumerate(stages):
            stage.cotangent = kept[i]
            for b, last in enumerate((delta_f, delta_g)[: self.weights.branches]):
                widths = [m.shape[1] for m in self.weights.matrices[b][:-1]]
                stage.deltas[b] = [deltas[b][i, at][..., :w] for at, w in enumerate(widths)] + [last[i]]
        return cotangent

    def _slopes(self, stages: list[Evaluation], branch: int) -> Tensor:
        """Slopes of one net as (stages, layers, K, steps, B, width)."""
        net = self.nets[branch]
        if net.depth == 0:
            return self.h0.new_zeros(1)
        return torch.stack(
            [torch.stack([_pad(s, net.width) for s in stage.slopes[branch]]) for stage in stages]
        )
