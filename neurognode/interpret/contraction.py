"""Contraction along trajectories, and tangling (Russo et al. 2018, Neuron 97:953)."""

from __future__ import annotations

import numpy as np

from neurognode.interpret.flow import Flow


def contraction_rates(flow: Flow, states: np.ndarray, metric: np.ndarray | None = None) -> np.ndarray:
    """Largest rate at which nearby states part, (n,), 1/s: top eigenvalue of the Jacobian's symmetric part.

    Negative everywhere means that all trajectories converge (Lohmiller and Slotine 1998).

    Parameters
    ----------
    states : array (n, N)
        Where to look.
    metric : array (N, N), optional
        Invertible map under which distances are taken.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow, contraction_rates
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("none")
    >>> bool((contraction_rates(Flow(circuit.field), np.zeros((1, circuit.latent_dim))) < 0).all())
    True
    """
    jacobian = flow.jacobian(states)
    if metric is not None:
        jacobian = metric @ jacobian @ np.linalg.inv(metric)
    rates = np.full(len(jacobian), np.nan)
    good = np.isfinite(jacobian).all((1, 2))
    rates[good] = np.linalg.eigvalsh((jacobian[good] + jacobian[good].transpose(0, 2, 1)) / 2)[:, -1]
    return rates


def tangling(states: np.ndarray, velocity: np.ndarray, *, share: float = 0.1, chunk: int = 512) -> np.ndarray:
    """How differently similar states move: max over others of |v - v'|^2 / (|h - h'|^2 + e), shape (n,), 1/s^2.

    Parameters
    ----------
    states, velocity : arrays (n, N)
        Along trajectories: of the data for the data's tangling, of the field for the field's.
    share : float
        ``e`` is this share of the states' total variance.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import tangling
    >>> angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    >>> circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    >>> bool(tangling(circle, circle[:, ::-1] * [-1, 1]).max() < 1.01)
    True
    """
    floor = share * states.var(0).sum() + 1e-300
    out = np.empty(len(states))
    for i in range(0, len(states), chunk):
        gap = ((states[i : i + chunk, None] - states[None]) ** 2).sum(2)
        change = ((velocity[i : i + chunk, None] - velocity[None]) ** 2).sum(2)
        out[i : i + chunk] = (change / (gap + floor)).max(1)
    return out
