"""Integrating a field whose state is corrected after every interval, as a filter or a posterior does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from neurognode.dynamics._kernels import corrected as kernels
from neurognode.dynamics.base import VectorField
from neurognode.dynamics.methods import METHODS
from neurognode.dynamics.problem import make_problem
from neurognode.errors import one_of


def integrate_corrected(
    field: VectorField,
    h0: Tensor,
    times: Tensor | np.ndarray | Sequence[float],
    keep: Tensor,
    anchor: Tensor,
    inputs: Tensor | None = None,
    method: str = "exponential_euler",
    substeps: int = 1,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Integrate, replacing every new state by ``anchor + keep @ prediction``; differentiable.

    Parameters
    ----------
    field : VectorField
        The field.
    h0 : Tensor, (B, N) or (K, B, N)
        Initial states.
    times : array, (T,)
        Seconds.
    keep : Tensor, (..., B, T - 1, N, N) or (..., B, T - 1, N)
        How much of the prediction is kept: matrices, or their diagonals.
    anchor : Tensor, (..., B, T - 1, N)
        What is added to it.
    inputs, method, substeps
        As in `integrate`; inputs are held over their interval.
    backend : {"auto", "plain", "cpu"}
        As in `integrate`.

    Returns
    -------
    states : Tensor, (..., B, T, N)
        Corrected states; the first is `h0`.
    predictions : Tensor, (..., B, T - 1, N)
        What the field alone led to, before each correction.

    Raises
    ------
    ValueError
        If an argument has the wrong shape, or the backend cannot take the problem.

    Examples
    --------
    Keeping nothing, the states are the anchors, and the predictions start from them:

    >>> import torch
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.dynamics.corrected import integrate_corrected
    >>> field = GNODE(2, hidden=(4,), random_state=0)
    >>> anchor = torch.ones(1, 3, 2)
    >>> states, predictions = integrate_corrected(
    ...     field, torch.zeros(1, 2), [0, 0.1, 0.2, 0.3], torch.zeros(1, 3, 2), anchor)
    >>> bool((states[:, 1:] == anchor).all()), predictions.shape
    (True, torch.Size([1, 3, 2]))
    """
    one_of(method, METHODS, "method")
    one_of(backend, ("auto", "plain", "cpu"), "backend")
    problem = make_problem(
        field,
        h0,
        times,
        inputs,
        method=method,
        substeps=substeps,
        lengths=None,
        input_kind="hold",
        checkpoint=False,
    )
    wanted = (*h0.shape[:-1], len(problem.times) - 1, field.latent_dim)
    if tuple(anchor.shape) != wanted or tuple(keep.shape) not in (wanted, (*wanted, field.latent_dim)):
        raise ValueError(
            f"keep has shape {tuple(keep.shape)} and anchor {tuple(anchor.shape)}; expected "
            f"{(*wanted, field.latent_dim)} or {wanted}, and {wanted}."
        )
    if wanted[-2] == 0:
        return h0[..., None, :], anchor
    reason = "asked for the plain version" if backend == "plain" else kernels.supports(problem)
    if reason and backend == "cpu":
        raise ValueError(f"backend='cpu' cannot take this: {reason}. Use backend='auto' or 'plain'.")
    run = kernels.plain if reason else kernels.compiled
    return run(problem, keep, anchor)
