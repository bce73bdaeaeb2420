"""Why a set is slow: closed gates, or a flow in balance (Kim, Can and Krishnamurthy 2023, arXiv:2307.06398)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region


@dataclass(frozen=True, eq=False)
class Slowness:
    """The two factors of a gated flow, gate * (drift - h) / tau, on a set and in the whole region.

    Attributes
    ----------
    gate, gate_region : float
        Root mean square gate over latents, median over the set and over the visited states; 1 is open.
    imbalance, imbalance_region : float
        Norm of ``drift - h``, median over the set and over the visited states, latent units.
    cause : str
        "closed gates" if the gates account for more than two thirds of the slowing (in logarithms),
        "balanced flow" if the balance does, "both" in between, "not slow" where the set is not slower than the
        region, "not gated" for fields without gates.
    """

    gate: float
    gate_region: float
    imbalance: float
    imbalance_region: float
    cause: str


def slowness(flow: Flow, region: Region, points: np.ndarray) -> Slowness:
    """Split the slowness of a set of states (n, N) into its two causes.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.interpret import Flow, slowness, visited_region
    >>> states = np.random.default_rng(0).normal(size=(200, 2))
    >>> slowness(Flow(GNODE(2)), visited_region(states), states[:50]).cause
    'not slow'
    """
    nan = float("nan")
    if not (hasattr(flow.field, "gate") and hasattr(flow.field, "drift")) or not len(points):
        return Slowness(nan, nan, nan, nan, "not gated")
    gate, imbalance = _factors(flow, points)
    gate_region, imbalance_region = _factors(flow, region.states)
    by_gate = np.log(max(gate_region, 1e-12) / max(gate, 1e-12))
    by_balance = np.log(max(imbalance_region, 1e-12) / max(imbalance, 1e-12))
    total = by_gate + by_balance
    if not total > np.log(2):
        cause = "not slow"
    else:
        cause = (
            "closed gates"
            if by_gate > 2 / 3 * total
            else "balanced flow"
            if by_balance > 2 / 3 * total
            else "both"
        )
    return Slowness(gate, gate_region, imbalance, imbalance_region, cause)


@torch.no_grad()
def _factors(flow: Flow, states: np.ndarray) -> tuple[float, float]:
    h = torch.as_tensor(states, dtype=torch.float64)
    x = None if flow.inputs is None else flow.inputs.expand(len(h), -1)
    gate = torch.sqrt((flow.field.gate(h, x) ** 2).mean(-1))
    imbalance = torch.linalg.vector_norm(flow.field.drift(h, x) - h, dim=-1)
    return float(gate.median()), float(imbalance.median())
