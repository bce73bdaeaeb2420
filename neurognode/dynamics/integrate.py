"""Integrating a field from initial states over given times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics import _kernels
from neurognode.dynamics._kernels import adaptive
from neurognode.dynamics.base import Map, VectorField
from neurognode.dynamics.methods import METHODS
from neurognode.dynamics.problem import Problem, all_finite, make_problem
from neurognode.errors import IntegrationError, one_of


def integrate(
    field: VectorField,
    h0: Tensor,
    times: Tensor | np.ndarray | Sequence[float],
    inputs: Tensor | None = None,
    method: str = "exponential_euler",
    substeps: int = 1,
    lengths: Tensor | np.ndarray | Sequence[int] | None = None,
    backend: str = "auto",
    *,
    input_kind: str = "hold",
    checkpoint: bool = False,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    adjoint: bool = False,
    check: bool = True,
) -> Tensor:
    """Integrate a field, differentiably, from `h0` at ``times[0]`` to every other time.

    Parameters
    ----------
    field : VectorField
        The field; a population integrates all its members in one call. A `Map` makes its own steps, so that
        every interval of `times` must hold a whole number of them; `method` is then not used.
    h0 : Tensor, (B, N) or (K, B, N)
        Initial states.
    times : array, (T,)
        Seconds, strictly increasing, evenly spaced or not; strictly decreasing to integrate backwards.
    inputs : Tensor, (B, T, I) or (K, B, T, I), optional
        ``inputs[:, k]`` is held over the interval from ``times[k]`` to ``times[k + 1]``, for every stage of
        a step; the last one is not used. Missing inputs are zero.
    method : {"exponential_euler", "euler", "midpoint", "rk4", "dopri5", "dopri8", "bosh3", "adaptive_heun"}
        ``exponential_euler`` (order 1) keeps a bounded field within its bound at any step; ``euler`` has
        order 1, ``midpoint`` order 2 (two evaluations a step) and ``rk4`` order 4 (four). The others choose
        their own steps (by torchdiffeq), starting anew where an input changes.
    substeps : int
        Steps per interval of the first four methods, for accuracy.
    lengths : array of int, (B,) or (K, B), optional
        Number of time points of each trial; after its last one a trial keeps its state.
    backend : {"auto", "plain", "cpu", "sweep", "triton", "cells"}
        Which kernel computes it; all agree to rounding. ``plain`` is the reference: it takes any field, and
        is the one to ask for when a second derivative is needed. ``cpu`` is compiled on first use (which
        takes some seconds, once on a machine), ``sweep`` is a hand-written reverse in torch, and ``triton``
        is for GPUs; ``cells`` is for the GRU and LSTM maps. ``auto`` takes the one expected to be fastest.
    input_kind : {"hold", "linear"}
        Whether inputs are held over their interval or interpolated linearly between its ends.
    checkpoint : bool
        Save memory in the backward pass by computing the steps again.
    rtol, atol : float
        Tolerances of the adaptive methods.
    adjoint : bool
        Solve the adjoint equation backwards for the gradients of an adaptive method: flat memory, gradients
        as exact as the tolerances.
    check : bool
        Raise if the states are not finite at the end; False returns them as they are.

    Returns
    -------
    Tensor, (B, T, N) or (K, B, T, N)
        States; ``[:, 0]`` is `h0`.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or value.
    IntegrationError
        If the states are no longer finite; the message names the time.

    Examples
    --------
    A field fitted at one bin width is the same differential equation at another:

    >>> import torch
    >>> from neurognode.dynamics import GNODE, integrate
    >>> field = GNODE(2, hidden=(16,), random_state=0)
    >>> h0 = torch.ones(1, 2)
    >>> coarse = integrate(field, h0, [0.0, 0.02, 0.04])[:, -1]
    >>> fine = integrate(field, h0, [0.0, 0.02, 0.04], substeps=10)[:, -1]
    >>> bool((coarse - fine).abs().max() < 0.05)
    True
    """
    one_of(method, [*METHODS, *adaptive.ORDERS], "method")
    if adjoint and method in METHODS:
        raise ValueError(f"adjoint=True is for adaptive methods; with method={method!r} use checkpoint=True.")
    problem = make_problem(
        field,
        h0,
        times,
        inputs,
        method=method,
        substeps=substeps,
        lengths=lengths,
        input_kind=input_kind,
        checkpoint=checkpoint,
    )
    if method in adaptive.ORDERS and not isinstance(field, Map):
        states = adaptive.run(problem, rtol=rtol, atol=atol, adjoint=adjoint)
    else:
        states = _kernels.run(problem, backend)
    if check:
        _check_finite(states, problem)
    return states


def _check_finite(states: Tensor, problem: Problem) -> None:
    """Raise if a trajectory diverged; what is not finite once stays so, so that the last state tells."""
    if all_finite(states[..., -1, :]):
        return
    lost = ~torch.isfinite(states.detach()).all(-1)
    first = int(torch.argmax(lost.reshape(-1, lost.shape[-1]).any(0).int()))
    advice = "Use substeps= for shorter steps"
    if problem.method != "exponential_euler":
        advice += ", or method='exponential_euler', which stays within the bound of a bounded flow"
    raise IntegrationError(
        f"The trajectory diverged at t={float(problem.times[first]):g} s ({int(lost[..., first].sum())} of "
        f"{lost[..., first].numel()} trials) with method={problem.method!r}. {advice}."
    )
