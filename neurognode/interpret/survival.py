"""Does what was found survive a finer time step? Dynamics trained at one step need not be those of the flow."""

from __future__ import annotations

import numpy as np
import torch

from neurognode.interpret.flow import Flow
from neurognode.interpret.region import Region


def step_survival(
    flow: Flow, region: Region, states: np.ndarray, bin_size: float, duration: float
) -> dict[str, float]:
    """Largest typical change of end points when the step is dt, dt/2 and dt/10, in region diameters.

    The field is integrated by exponential Euler as in training (plain Euler where it has no gates).

    Parameters
    ----------
    states : array (n, N)
        Starts.
    bin_size : float
        The step dt of training, seconds.
    duration : float
        Seconds to run.

    Returns
    -------
    dict
        ``"dt"``, ``"dt/2"``, ``"dt/10"``: 90th percentile over starts of the distance of the end point to
        that of the exact flow. Infinite where a run diverges; 0 for a map, which has no other step.

    Examples
    --------
    >>> from neurognode.interpret import Flow, step_survival, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> states = circuit.simulate(30).latents
    >>> change = step_survival(Flow(circuit.field), visited_region(states), states[:, 0], 0.02, 1.0)
    >>> change["dt/10"] < change["dt"] < 0.2
    True
    """
    if flow.is_map:
        return {"dt": 0.0, "dt/2": 0.0, "dt/10": 0.0}
    reach = 10 * np.linalg.norm(region.upper - region.lower)
    exact = region.measure(flow.end(states, duration, limit=reach))
    out = {}
    for name, divisor in (("dt", 1), ("dt/2", 2), ("dt/10", 10)):
        count = max(1, round(duration / bin_size)) * divisor
        ends = region.measure(_stepped(flow, states, duration / count, count))
        gap = np.linalg.norm(ends - exact, axis=1)[np.isfinite(exact).all(1)]
        gap = np.where(np.isfinite(gap), gap, np.inf)
        out[name] = (
            float(np.percentile(gap, 90, method="lower")) / region.diameter if len(gap) else float("nan")
        )
    return out


@torch.no_grad()
def _stepped(flow: Flow, states: np.ndarray, dt: float, count: int) -> np.ndarray:
    h = torch.as_tensor(np.array(states, float))
    x = None if flow.inputs is None else flow.inputs.expand(len(h), -1)
    gated = hasattr(flow.field, "gate") and hasattr(flow.field, "drift") and getattr(flow.field, "leak", True)
    for _ in range(count):
        if gated:
            share = -torch.expm1(-flow.field.gate(h, x) * dt / flow.field.tau)
            h = h + share * (flow.field.drift(h, x) - h)
        else:
            h = h + dt * flow.tensor_velocity(h)
    return h.numpy()
