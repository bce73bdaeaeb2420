"""Trajectories that are corrected after every interval: the compiled CPU kernel, and the plain loop."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurognode.dynamics._kernels import cpu
from neurognode.dynamics._kernels.parameters import Parameters
from neurognode.dynamics._kernels.plain import run as run_plain
from neurognode.dynamics._kernels.workspace import Lease
from neurognode.dynamics.problem import Problem, make_problem


def supports(problem: Problem) -> str | None:
    """Return None if the compiled kernel can take this, or the reason why not."""
    if problem.linear or problem.lengths is not None:
        return "corrected trajectories take held inputs and no lengths"
    reason = cpu.supports(problem.field, problem.method, problem.h0.device, problem.h0.dtype)
    return reason or cpu.available(problem.h0.dtype)


def plain(problem: Problem, keep: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """Step by step with torch; any field."""
    h, states, predictions = problem.h0, [problem.h0], []
    matrix = keep.dim() > anchor.dim()
    for t in range(len(problem.times) - 1):
        drive = None if problem.inputs is None else problem.inputs[..., t : t + 2, :]
        single = make_problem(
            problem.field,
            h,
            problem.times[t : t + 2],
            drive,
            method=problem.method,
            substeps=problem.substeps,
            lengths=None,
            input_kind="hold",
            checkpoint=False,
        )
        prediction = run_plain(single)[..., 1, :]
        own = keep.select(anchor.dim() - 2, t)
        moved = (own @ prediction[..., None])[..., 0] if matrix else own * prediction
        h = anchor[..., t, :] + moved
        predictions.append(prediction)
        states.append(h)
    return torch.stack(states, -2), torch.stack(predictions, -2)


def compiled(problem: Problem, keep: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """All steps in the compiled kernel; differentiable once."""
    parameters = Parameters(problem.field, with_inputs=problem.inputs is not None)  # type: ignore[arg-type]
    rate = problem.field.tau.reciprocal()  # type: ignore[operator, union-attr]
    tensors = (problem.h0, problem.inputs, rate, keep, anchor, *parameters.tensors)
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    return _Corrected.apply(cpu._Call.of(problem, parameters, wanted), *tensors)


class _Corrected(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        call: cpu._Call,
        h0: Tensor,
        inputs: Tensor | None,
        rate: Tensor,
        keep: Tensor,
        anchor: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor]:
        spec, lib = call.spec, call.library
        h0, rate, keep, anchor = (t.contiguous() for t in (h0, rate, keep, anchor))
        inputs = None if inputs is None else inputs.contiguous()
        theta = call.parameters.pack(tensors)
        states = h0.new_empty(*h0.shape[:-1], spec.times, spec.latent)
        predictions = torch.empty_like(anchor)
        width = spec.latent ** (2 if keep.dim() > anchor.dim() else 1)
        sizes = (ctypes.c_int64 * 2)()
        lib.ng_corrected_sizes(ctypes.byref(spec), ctypes.c_int64(call.stored), ctypes.c_int64(width), sizes)
        store = Lease(call.sizes[1], h0.dtype) if call.stored else None
        scratch = Lease(sizes[0] * spec.threads, h0.dtype)
        arguments = (theta, rate, h0, inputs, keep, anchor, call.steps, states, predictions, store, scratch)
        _run(lib.ng_corrected_forward, spec, width, *arguments)
        ctx.save_for_backward(h0, inputs, rate, keep, anchor, states, predictions, theta)
        ctx.call, ctx.store, ctx.width, ctx.size = call, store, width, sizes[1]
        return states, predictions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, along: Tensor) -> tuple[Tensor | None, ...]:
        h0, inputs, rate, keep, anchor, states, predictions, theta = ctx.saved_tensors
        call: cpu._Call = ctx.call
        spec = call.spec
        gtheta, grate, gh0 = torch.empty_like(theta), torch.zeros_like(rate), torch.empty_like(h0)
        gkeep, ganchor, gx = torch.empty_like(keep), torch.empty_like(anchor), None
        if inputs is not None and ctx.needs_input_grad[2]:
            gx = h0.new_zeros(*h0.shape[:-1], spec.times, spec.inputs)
        scratch = Lease(ctx.size * spec.threads, h0.dtype)
        gradients = (gradient.contiguous(), along.contiguous(), gtheta, grate, gh0, gx, gkeep, ganchor)
        given = (theta, rate, h0, inputs, keep, anchor, call.steps, states, predictions, ctx.store)
        _run(call.library.ng_corrected_backward, spec, ctx.width, *given, *gradients, scratch)
        if gx is not None and inputs.dim() == 4 and inputs.shape[0] != gx.shape[0]:
            gx = gx.sum(0, keepdim=True)
        return None, gh0, gx, grate, gkeep, ganchor, *call.parameters.unpack(gtheta)


def _run(function: Any, spec: Any, width: int, *arguments: Tensor | Lease | None) -> None:
    addresses = [
        ctypes.c_void_p(None if a is None else a.address if isinstance(a, Lease) else a.data_ptr())
        for a in arguments
    ]
    function(ctypes.byref(spec), ctypes.c_int64(width), *addresses)
