"""What a push does: the flow's answer to a displacement of given size, time and direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurognode.errors import one_of
from neurognode.interpret.flow import Diffusion, Flow
from neurognode.interpret.region import Region

DIRECTIONS = ("along", "across", "random")
RETURNED, SWITCHED = 0.02, 0.10


@dataclass(frozen=True, eq=False)
class Response:
    """Trajectories with and without a push.

    Attributes
    ----------
    times : array (T,)
        Seconds from the push.
    pushed, unpushed : arrays (n, T, N)
        States after it, and without it; the first pushed state is the displaced one.
    push : array (n, N)
        The displacement, latent units.
    distance : array (n, T)
        Between the two, in region diameters.
    half_life : array (n,)
        Seconds until the distance has halved; infinite where it never does.
    switched : float
        Share of states that end more than 10 % of the region's diameter from where they would have been.
    returned : float
        Share that end within 2 % of it.
    outside : float
        Share of displaced states outside the visited region: there the answer is extrapolation.
    """

    times: np.ndarray
    pushed: np.ndarray
    unpushed: np.ndarray
    push: np.ndarray
    distance: np.ndarray
    half_life: np.ndarray
    switched: float
    returned: float
    outside: float

    def rates(self, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rates in spikes/s of units with an exponential readout (U, N), (U,): pushed and not, (n, T, U)."""
        return np.exp(self.pushed @ weight.T + bias), np.exp(self.unpushed @ weight.T + bias)

    def __str__(self) -> str:
        half = float(np.median(self.half_life))
        return (
            f"Response to a push: half gone after {half:.3g} s (median), {self.returned:.0%} return, "
            f"{self.switched:.0%} switch, {self.outside:.0%} are pushed outside the data"
        )


def perturb(
    flow: Flow,
    region: Region,
    states: np.ndarray,
    push: np.ndarray | str,
    duration: float,
    *,
    size: float = 0.1,
    diffusion: Diffusion | None = None,
    n_times: int = 101,
    random_state: int | np.random.Generator | None = 0,
) -> Response:
    """Push states and follow them.

    Parameters
    ----------
    flow : Flow
        The field.
    region : Region
        The visited region, for sizes and for what is extrapolation.
    states : array (n, N)
        States at the time of the push.
    push : array (N,) or (n, N), or {"along", "across", "random"}
        The displacement in latent units; or a direction: along the slowest mode of the flow at each state,
        across it (the fastest mode), or random. For units through the readout, give `unit_push`.
    duration : float
        Seconds to follow.
    size : float
        Length of a named push, in region diameters.
    diffusion : function, optional
        Noise, the same for both; none by default.
    n_times : int
        Number of times looked at.

    Examples
    --------
    >>> from neurognode.interpret import Flow, perturb, visited_region
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("ring")
    >>> states = circuit.simulate(30).latents
    >>> region, flow = visited_region(states), Flow(circuit.field)
    >>> across = perturb(flow, region, states[:, -1], "across", 1.0)
    >>> along = perturb(flow, region, states[:, -1], "along", 1.0)
    >>> across.returned > 0.7 and along.returned < 0.3
    True
    """
    states = np.asarray(states, float)
    rng = np.random.default_rng(random_state)
    if isinstance(push, str):
        one_of(push, DIRECTIONS, "push")
        direction = _direction(flow, states, push, rng)
        length = np.linalg.norm(region.measure(direction), axis=1, keepdims=True)
        move = direction / np.maximum(length, 1e-300) * size * region.diameter
    else:
        move = np.broadcast_to(np.asarray(push, float), states.shape).copy()
    times = np.linspace(0, duration, n_times)
    limit = 10 * np.linalg.norm(region.upper - region.lower)
    step = flow.time_step(states, duration)
    seed = int(rng.integers(2**32))
    paths = []
    for start in (states + move, states):
        noise = np.random.default_rng(seed)
        paths.append(flow.path(start, times, step=step, diffusion=diffusion, rng=noise, limit=limit))
    return _response(region, times, paths[0], paths[1], move)


def _response(
    region: Region, times: np.ndarray, pushed: np.ndarray, unpushed: np.ndarray, move: np.ndarray
) -> Response:
    distance = np.linalg.norm(region.measure(pushed) - region.measure(unpushed), axis=2) / region.diameter
    halved = distance <= 0.5 * distance[:, :1]
    half_life = np.where(halved.any(1), times[np.argmax(halved, axis=1)], np.inf)
    end = distance[:, -1]
    return Response(
        times, pushed, unpushed, move, distance, half_life,
        switched=float((~(end <= SWITCHED)).mean()),
        returned=float((end <= RETURNED).mean()),
        outside=float(1 - region.inside(pushed[:, 0]).mean()),
    )  # fmt: skip


def _direction(flow: Flow, states: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    if name == "random":
        return rng.standard_normal(states.shape)
    values, vectors = np.linalg.eig(flow.jacobian(states))
    chosen = np.argmin(np.abs(values.real), axis=1) if name == "along" else np.argmin(values.real, axis=1)
    direction = vectors[np.arange(len(states)), :, chosen].real
    return direction * rng.choice([-1.0, 1.0], len(states))[:, None]


def unit_push(weight: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The latent displacement (N,) that best makes a change (U,) of log rates through a readout (U, N).

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import unit_push
    >>> unit_push(np.eye(3)[:, :2], np.array([0.5, 0.0, 9.0])).tolist()
    [0.5, 0.0]
    """
    return np.linalg.lstsq(np.asarray(weight, float), np.asarray(change, float), rcond=None)[0]
