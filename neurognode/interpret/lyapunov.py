"""Lyapunov exponents by repeated QR decomposition (Benettin et al. 1980, Meccanica 15:9)."""

from __future__ import annotations

import numpy as np

from neurognode.interpret.flow import Flow
from neurognode.interpret.variational import tangent_steps

EVERY = 4
"""Steps between two decompositions: few enough for the directions to stay apart."""


def lyapunov_exponents(
    flow: Flow, states: np.ndarray, duration: float, *, discard: float = 0.0, step: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Exponents of the attractor that `states` lie on, averaged over them.

    Parameters
    ----------
    flow : Flow
        The field.
    states : array (n, N)
        Starts; many short runs replace a long one.
    duration : float
        Seconds over which growth is averaged.
    discard : float
        Seconds run before, for transients and for the directions to align.
    step : float, optional
        Integration step, seconds; chosen from the fastest rate otherwise.

    Returns
    -------
    exponents, standard_error : arrays (N,)
        1/s, the largest first, and their standard error over starts (NaN for a single one). Starts that
        diverge are left out; all NaN if every one does.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow, lyapunov_exponents
    >>> from neurognode.synthetic import circuits
    >>> flow = Flow(circuits.make("rotation").field)
    >>> exponents, _ = lyapunov_exponents(flow, np.ones((4, flow.dim)), 1.0)
    >>> bool(abs(exponents.sum() - np.trace(flow.jacobian(np.ones((1, flow.dim)))[0])) < 1e-3)
    True
    """
    h = np.array(states, float)
    step = flow.time_step(h, max(duration, 1e-9)) if step is None else step
    if flow.is_map:
        step = flow.map_step
    basis = np.broadcast_to(np.eye(flow.dim), (len(h), flow.dim, flow.dim)).copy()
    growth, alive = np.zeros((len(h), flow.dim)), np.ones(len(h), bool)
    warm, total = round(discard / step), max(1, round(duration / step))
    done = 0
    with np.errstate(all="ignore"):
        for _, propagators in tangent_steps(flow, h, step, warm + total):
            for propagator in propagators:
                alive &= np.isfinite(propagator).all((1, 2))
                basis = np.where(alive[:, None, None], propagator, np.eye(flow.dim)) @ basis
                done += 1
                if done % EVERY and done not in (warm, warm + total):
                    continue
                basis, upper = np.linalg.qr(basis)
                if done > warm:
                    growth += np.log(np.abs(np.diagonal(upper, axis1=1, axis2=2)))
    kept = growth[alive & np.isfinite(growth).all(1)] / (total * step)
    if not len(kept):
        return np.full(flow.dim, np.nan), np.full(flow.dim, np.nan)
    kept = np.sort(kept, axis=1)[:, ::-1]
    error = kept.std(0, ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else np.full(flow.dim, np.nan)
    return kept.mean(0), error


def kaplan_yorke(exponents: np.ndarray) -> float:
    """Kaplan-Yorke dimension from exponents sorted in decreasing order.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import kaplan_yorke
    >>> round(kaplan_yorke(np.array([0.9056, 0.0, -14.5723])), 3)
    2.062
    """
    total = np.cumsum(exponents)
    held = int((total >= 0).sum())
    if not np.isfinite(total).all():
        return float("nan")
    if held == 0 or held == len(exponents):
        return float(held)
    return held + float(total[held - 1] / abs(exponents[held]))
