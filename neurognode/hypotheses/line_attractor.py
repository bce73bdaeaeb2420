"""Line attractor (integrator): an open curve of nearly equal rest states; leaky and unstable forms too."""

from __future__ import annotations

import numpy as np

from neurognode.hypotheses import demands
from neurognode.hypotheses.base import Criterion, Hypothesis, View, above, below, demand


class LineAttractor(Hypothesis):
    """States relax to an open curve and are held on it, or leave it slowly along it.

    Leaky and unstable integrators are forms of it, as long as the motion along the curve takes at least half a
    trial and is much slower than the return to it.
    """

    name = "line_attractor"
    title = "Line attractor (integrator)"
    predicts = "States relax to an open curve at once and move along it slowly or not at all."
    refuted_by = "Collapse within half a trial; a second slow direction; separate wells; a closed curve."
    statistic_name = "log2 of the slowest time constant over the next"
    effect_name = "rate along the line times the trial length"
    null = "shuffle_trials"
    citation = "Seung 1996, PNAS 93:13339; Nair et al. 2023, Cell 186:178"
    compatible = ("drift_diffusion", "regime_switch")

    def criteria(self, view: View) -> list[Criterion]:
        number = view.numbers
        leak = demands.rate_per_trial(view)
        found = [
            demands.stays(view),
            above(
                number["extent"],
                0.3,
                0.12,
                "The set that states relax to is short: {value:.2f} of the region.",
            ),
            *demands.on_set(
                view,
                1,
                [
                    demands.has_topology(view, "line", "points"),
                    demands.is_attractive(view),
                    demands.no_wells(view),
                ],
            ),
            demands.is_slow(view, 0.35, 0.7),
            above(
                leak, -1.6, -2.6, "States decay along the line at {value:.1f} per trial: too fast for memory."
            ),
            below(leak, 1.6, 2.6, "States grow along the line at {value:.1f} per trial."),
        ]
        if leak < -0.5:
            found.append(_clear_of_noise(view))
        if _ends_caught(view):
            found.append(demand(None, "Its ends hold states for good, as bounds or wells would."))
        return found

    def statistic(self, view: View) -> float:
        return float(np.log2(max(view.numbers["gap"], 1e-3)))

    def effect(self, view: View) -> float:
        return demands.rate_per_trial(view)

    def variant(self, view: View) -> str:
        rate = demands.rate_per_trial(view)
        return "leaky" if rate < -0.5 else "unstable" if rate > 0.5 else ""

    def signature(self, view: View) -> float:
        """Log2 of the ratio of the two longest time constants of a linear fit to the latents (Nair et al.)."""
        return two_slowest(view)

    def reason(self, view: View) -> str:
        number = view.numbers
        return (
            f"States relax to an open curve at {number['normal_rate']:.1f} /s and change along it at "
            f"{number['tangent_rate']:+.2f} /s."
        )


def _clear_of_noise(view: View) -> Criterion:
    """A leaky line has to stand out from a plain decay in all directions."""
    return above(
        view.numbers["gap"], 6.0, 3.0, "The slow direction is only {value:.1f} times slower than the next."
    )


def _ends_caught(view: View) -> bool:
    return view.numbers["n_clusters"] >= 2 and view.numbers["switching"] < demands.WELLS


def two_slowest(view: View) -> float:
    """Log2 of the slowest over the second slowest time constant of a first-order linear fit to trajectories."""
    rates = linear_rates(view)
    if rates is None or len(rates) < 2:
        return float("nan")
    size = np.sort(np.abs(rates.real))
    return float(np.log2(max(size[1], 1e-6) / max(size[0], 1e-6)))


def linear_rates(view: View) -> np.ndarray | None:
    """Eigenvalues in 1/s of the best linear one-step prediction of the trajectories, or None without them."""
    if view.trajectories is None or view.bin_size is None or view.trajectories.shape[1] < 3:
        return None
    dim = view.trajectories.shape[2]
    before = view.trajectories[:, :-1].reshape(-1, dim)
    after = view.trajectories[:, 1:].reshape(-1, dim)
    good = np.isfinite(before).all(1) & np.isfinite(after).all(1)
    if good.sum() < 5 * dim:
        return None
    design = np.column_stack([before[good], np.ones(good.sum())])
    step = np.linalg.lstsq(design, after[good], rcond=None)[0][:dim].T
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.eigvals(step).astype(complex)) / view.bin_size
