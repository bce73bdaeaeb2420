"""The compiled CPU kernel: whole trajectories of blocks of trials, vectorised over the trials."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurognode.dynamics._kernels import compiler
from neurognode.dynamics._kernels.parameters import Parameters, reason_against, weights_of
from neurognode.dynamics._kernels.workspace import Lease
from neurognode.dynamics.base import VectorField
from neurognode.dynamics.gnode import GNODE
from neurognode.dynamics.problem import Problem

ACTIVATIONS = ("tanh", "relu", "silu", "softplus", "gelu")
METHODS = ("euler", "exponential_euler", "rk4", "midpoint")
_MAX_LAYERS = 16
_REALS = {torch.float32: "float", torch.float64: "double"}
_FEW_TRIALS, _FEW_EVALUATIONS, _MANY_WEIGHTS, _WEIGHTS_PER_EVALUATION = 3, 128, 500_000, 45_000
"""Evaluations are those of all trials together: packing many weights costs as much as some of them."""
_NARROW_TRIALS, _NARROW_EVALUATIONS, _NARROW_WEIGHTS = 1024, 2, 130_000
"""Without AVX-512, one or two evaluations of very many trials through nets of many weights are left to the library."""
_STORE_LIMIT = 1 << 20
"""Bytes of activations kept for the backward pass; beyond, they are computed again."""
_THREAD_WORK = 2e6
"""Multiplications below which a second thread does not pay."""


class _Spec(ctypes.Structure):
    """Mirrors ``struct Spec`` of source/field.h."""

    _fields_ = (
        *((n, ctypes.c_int64) for n in ("members", "batch", "times", "latent", "inputs", "input_members")),
        *((n, ctypes.c_int64) for n in ("method", "substeps", "activation", "linear", "threads")),
        *((n, ctypes.c_int64) for n in ("gated", "lengths")),
        ("layers", ctypes.c_int64 * 2),
        ("widths", ctypes.c_int64 * (2 * _MAX_LAYERS)),
        ("bound", ctypes.c_double),
        ("gate_slope", ctypes.c_double),
    )


def supports(field: VectorField, method: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return None if the kernel can take this, or the reason why not."""
    reason = reason_against(field, method, METHODS, ACTIVATIONS, dtype)
    if reason or not isinstance(field, GNODE):
        return reason
    if device.type != "cpu":
        return f"the states are on {device}, not on the CPU"
    if dtype not in _REALS:
        return f"the states are {dtype}; it computes in float32 and float64"
    if max(len(field.drift_net.weights), len(field.gate_net.weights if field.gate_net else ())) > _MAX_LAYERS:
        return f"the field has more than {_MAX_LAYERS} layers"
    return None


def available(dtype: torch.dtype) -> str | None:
    """Return None if the kernel is compiled or could be just now, or the reason why not."""
    try:
        compiler.library(_REALS[dtype])
    except compiler.CompilerError as error:
        return str(error)
    return None


def pays(problem: Problem) -> bool:
    """Say whether it is expected to be faster: not where a few evaluations go through very many weights."""
    trials = problem.h0.shape[-2]
    weights = weights_of(problem.field)  # type: ignore[arg-type]
    if trials >= _NARROW_TRIALS and problem.evaluations <= _NARROW_EVALUATIONS and _narrow_vectors():
        return weights < _NARROW_WEIGHTS
    if trials >= _FEW_TRIALS and trials * problem.evaluations >= _FEW_EVALUATIONS:
        return True
    return weights <= _MANY_WEIGHTS and weights <= _WEIGHTS_PER_EVALUATION * problem.evaluations


def _narrow_vectors() -> bool:
    return not torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def run(problem: Problem) -> Tensor:
    """Integrate; differentiable once, with respect to states, inputs, weights and time constants."""
    parameters = Parameters(problem.field, with_inputs=problem.inputs is not None)  # type: ignore[arg-type]
    rate = problem.field.tau.reciprocal()  # type: ignore[operator, union-attr]
    tensors = (problem.h0, problem.inputs, rate, *parameters.tensors)
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    call = _Call.of(problem, parameters, wanted)
    return _Trajectory.apply(call, *tensors)


@dataclass
class _Call:
    """What one call needs besides its tensors."""

    spec: _Spec
    parameters: Parameters
    steps: Tensor
    lengths: Tensor | None
    library: ctypes.CDLL
    sizes: list[int]
    stored: bool

    @classmethod
    def of(cls, problem: Problem, parameters: Parameters, differentiable: bool) -> _Call:
        spec = _specification(problem, parameters)
        library = compiler.library(_REALS[problem.h0.dtype])
        sizes = (ctypes.c_int64 * 4)()
        library.ng_sizes(ctypes.byref(spec), ctypes.c_int64(0), sizes)
        stored = differentiable and not problem.checkpoint
        stored = stored and sizes[1] * problem.h0.element_size() <= _STORE_LIMIT
        if stored:
            library.ng_sizes(ctypes.byref(spec), ctypes.c_int64(1), sizes)
        ends = problem.lengths
        if ends is not None:
            ends = ends.expand(problem.h0.shape[:-1]).contiguous()
        steps = problem.times[1:] - problem.times[:-1]
        return cls(spec, parameters, steps, ends, library, list(sizes), stored)


def _specification(problem: Problem, parameters: Parameters) -> _Spec:
    field: Any = problem.field
    h0, inputs = problem.h0, problem.inputs
    spec = _Spec(
        members=field.members or 1,
        batch=h0.shape[-2],
        times=len(problem.times),
        latent=field.latent_dim,
        inputs=0 if inputs is None else field.input_dim,
        input_members=1 if inputs is None or inputs.dim() == 3 else inputs.shape[0],
        method=METHODS.index(problem.method),
        substeps=problem.substeps,
        activation=_activation(field),
        linear=int(problem.linear),
        gated=int(field.gate_net is not None),
        lengths=int(problem.lengths is not None),
        bound=field.scale,
        gate_slope=field.gate_slope,
    )
    work = 0
    for b, widths in enumerate(parameters.widths):
        spec.layers[b] = len(widths)
        before = field.latent_dim
        for layer, width in enumerate(widths):
            spec.widths[b * _MAX_LAYERS + layer] = width
            work += before * width
            before = width
    work *= spec.members * spec.batch * max(spec.times - 1, 1) * spec.substeps
    spec.threads = torch.get_num_threads() if work > _THREAD_WORK else 1
    return spec


def _activation(field: Any) -> int:
    """Index of the activation; any will do where no layer is hidden."""
    name = field.drift_net.activation.name
    return ACTIVATIONS.index(name) if name in ACTIVATIONS else 0


class _Trajectory(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, call: _Call, h0: Tensor, inputs: Tensor | None, rate: Tensor, *tensors: Tensor
    ) -> Tensor:
        spec, lib = call.spec, call.library
        h0, rate = h0.contiguous(), rate.contiguous()
        inputs = None if inputs is None else inputs.contiguous()
        theta = call.parameters.pack(tensors)
        out = h0.new_empty(*h0.shape[:-1], spec.times, spec.latent)
        store = Lease(call.sizes[1], h0.dtype) if call.stored else None
        scratch = Lease(call.sizes[2] * spec.threads, h0.dtype)
        _call(lib.ng_forward, spec, theta, rate, h0, inputs, call.steps, call.lengths, out, store, scratch)
        ctx.save_for_backward(h0, inputs, rate, out, theta)
        ctx.call, ctx.store = call, store
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h0, inputs, rate, out, theta = ctx.saved_tensors
        call: _Call = ctx.call
        spec, needs = call.spec, ctx.needs_input_grad
        gtheta, grate, gh0 = torch.empty_like(theta), torch.zeros_like(rate), torch.empty_like(h0)
        gx = None
        if inputs is not None and needs[2]:
            gx = h0.new_zeros(*h0.shape[:-1], spec.times, spec.inputs)
        scratch = Lease(call.sizes[3] * spec.threads, h0.dtype)
        arguments = (theta, rate, h0, inputs, call.steps, call.lengths, out, ctx.store, gradient.contiguous())
        _call(call.library.ng_backward, spec, *arguments, gtheta, grate, gh0, gx, scratch)
        if gx is not None and inputs.dim() == 4 and inputs.shape[0] != gx.shape[0]:
            gx = gx.sum(0, keepdim=True)
        return None, gh0, gx, grate, *call.parameters.unpack(gtheta)


def _call(function: Any, spec: _Spec, *arguments: Tensor | Lease | None) -> None:
    addresses = [
        ctypes.c_void_p(None if a is None else a.address if isinstance(a, Lease) else a.data_ptr())
        for a in arguments
    ]
    function(ctypes.byref(spec), *addresses)
