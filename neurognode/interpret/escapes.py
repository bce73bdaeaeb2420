"""How long the fitted noise leaves a state in its well: the barrier that tells wells from bumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from neurognode.interpret.flow import Diffusion, Flow
from neurognode.interpret.region import Region
from neurognode.interpret.separation import nearest_attractor
from neurognode.interpret.stability import FixedPoints

LOOKS = 20
"""Times at which it is seen whose basin a state is in."""
MOST_STEPS, MOST_RUNS = 600, 1200
"""Steps of a trial length, and runs of all wells together, at most."""


@dataclass(frozen=True, eq=False)
class Escape:
    """Escape from each well (stable fixed point inside the data) under the fitted noise.

    Attributes
    ----------
    well : int array (W,)
        Its place among the portrait's fixed points.
    rate, low, high : arrays (W,)
        Escapes per second with their 95 % interval (Poisson counts); `low` is 0 where none was seen.
    exposure : array (W,)
        Seconds simulated inside each well.
    within_trial : array (W,)
        Probability to have left within a trial.
    barrier : array (W,)
        Height of the barrier in units of the noise: log of the well's slowest rate / 2 pi over the escape rate, as
        in Kramers' law; where no escape was seen a lower bound, at the upper end of the rate's interval.
    """

    well: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exposure: np.ndarray
    within_trial: np.ndarray
    barrier: np.ndarray

    @property
    def dwell(self) -> np.ndarray:
        """Mean seconds in each well, (W,); infinite where no escape was seen."""
        with np.errstate(divide="ignore"):
            return 1.0 / self.rate


def escape(
    flow: Flow,
    region: Region,
    fixed: FixedPoints,
    diffusion: Diffusion,
    trial_length: float,
    *,
    n_runs: int = 60,
    n_trials: float = 4.0,
    random_state: int | np.random.Generator | None = 0,
) -> Escape:
    """Run the fitted stochastic flow from every well and count how often it ends up in another basin.

    At `LOOKS` times the states are let go without noise; the first time that this leads elsewhere is an escape.

    Parameters
    ----------
    fixed : FixedPoints
        Of the field; its stable, isolated points inside the data are the wells.
    diffusion : function
        The fitted noise, from `as_diffusion`.
    trial_length : float
        Seconds.
    n_runs : int
        Runs from each well; fewer where there are more than twenty wells.
    n_trials : float
        Length of a run, in trial lengths.

    Examples
    --------
    >>> from neurognode.interpret import Flow, as_diffusion, escape, portrait
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> picture = portrait(circuit.field, circuit.simulate(40).latents, horizon=1.2)
    >>> noise = as_diffusion(circuit.noise, 2)
    >>> found = escape(Flow(circuit.field), picture.region, picture.fixed_points, noise, 1.2)
    >>> bool((found.within_trial < 0.1).all())
    True
    """
    wells = np.flatnonzero(fixed.stable & fixed.isolated & fixed.inside)
    none = np.empty(0)
    if not len(wells):
        return Escape(wells, none, none, none, none, none, none)
    rng = np.random.default_rng(random_state)
    own = np.repeat(np.arange(len(wells)), max(1, min(n_runs, MOST_RUNS // len(wells))))
    states = fixed.points[wells][own]
    limit = 10 * float(np.linalg.norm(region.upper - region.lower))
    light = flow.single()
    step = max(flow.time_step(states, trial_length), trial_length / MOST_STEPS)
    gap = n_trials * trial_length / LOOKS
    seen = light.path(
        states, gap * np.arange(LOOKS + 1), step=step / 2, diffusion=diffusion, rng=rng, limit=limit
    )[:, 1:]
    relaxed = light.end(seen.reshape(-1, flow.dim), trial_length, step=step, limit=limit)
    reached = nearest_attractor(region, fixed.points[wells], relaxed).reshape(len(own), LOOKS)
    stays = np.logical_and.accumulate(reached == own[:, None], axis=1)
    inside, looks = stays[:, -1], stays.sum(1)
    time = gap * (looks + 0.5 * ~inside)
    left = np.bincount(own[~inside], minlength=len(wells)).astype(float)
    exposure = np.bincount(own, weights=time, minlength=len(wells))
    low, high = chi2.ppf(0.025, 2 * left) / 2 / exposure, chi2.ppf(0.975, 2 * left + 2) / 2 / exposure
    rate, low = left / exposure, np.nan_to_num(low)
    slowest = np.abs(fixed.eigenvalues[wells].real).min(1)
    barrier = np.log(np.maximum(slowest / (2 * np.pi) / np.where(left > 0, rate, high), 1e-12))
    return Escape(wells, rate, low, high, exposure, 1 - np.exp(-rate * trial_length), barrier)
