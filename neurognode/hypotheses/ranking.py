"""Fields ranked by held-out activity, with paired intervals, and what that says about mechanisms."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neurognode.files import atomic_path

FREE = "gnode"
RESIDUAL = "+residual"
MECHANISMS = {
    "line": "line_attractor",
    "leaky_line": "line_attractor",
    "unstable_line": "line_attractor",
    "plane": "plane_attractor",
    "double_well": "discrete_attractors",
    "ring": "ring_attractor",
    "limit_cycle": "limit_cycle",
    "rotation": "rotation",
    "drift_diffusion": "drift_diffusion",
}
"""Constrained field in ``neurognode.dynamics`` -> the hypothesis it is a model of."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Fields scored on the same held-out trials and units, the best first.

    Attributes
    ----------
    names : tuple of str
        Fields: mechanisms, mechanisms with ``+residual``, and the free one, "gnode".
    bits : array (M,)
        Held-out bits per spike.
    gains : array (M, trial)
        Log-likelihood above that of the training means, bits, of every held-out trial.
    spikes : array (trial,)
        Spikes in each.
    residual : array (M,)
        Share of the squared flow at the fitted states that is the residual's; NaN for fields without one.
    models : tuple
        The fitted models, in the same order; empty if it was loaded.
    n_bootstrap, random_state : int
        Resamplings of trials behind the intervals, and their seed.
    """

    names: tuple[str, ...]
    bits: np.ndarray
    gains: np.ndarray
    spikes: np.ndarray
    residual: np.ndarray
    models: tuple[Any, ...] = ()
    n_bootstrap: int = 2000
    random_state: int = 0

    def difference(self, first: str, second: str = FREE) -> tuple[float, float, float]:
        """Bits per spike of one field above another's: estimate and 95 % interval, trials paired."""
        apart = self.gains[self.names.index(first)] - self.gains[self.names.index(second)]
        drawn = np.random.default_rng(self.random_state).integers(
            0, len(apart), size=(self.n_bootstrap, len(apart))
        )
        samples = apart[drawn].sum(1) / np.maximum(self.spikes[drawn].sum(1), 1.0)
        low, high = np.percentile(samples, [2.5, 97.5])
        return float(apart.sum() / max(self.spikes.sum(), 1.0)), float(low), float(high)

    @property
    def mechanisms(self) -> list[str]:
        """Mechanisms alone, the best first."""
        return [name for name in self.names if name in MECHANISMS]

    def winner(self) -> str | None:
        """The best mechanism, if it is as good as the free field and better than those of all other hypotheses.

        Better: the interval of the paired difference lies above zero. It forecasts best, which is not yet to be
        right: a ring also holds the states of two wells. Read it beside the portrait.
        """
        first, *others = self.mechanisms or [""]
        rivals = [name for name in others if MECHANISMS[name] != MECHANISMS[first]]
        better = bool(rivals) and all(self.difference(first, name)[1] > 0 for name in rivals)
        enough = FREE in self.names and bool(first) and self.difference(first)[2] >= 0
        return first if better and enough else None

    def as_good_as_free(self) -> list[str]:
        """Mechanisms whose interval reaches zero or lies above it: no residual is needed beyond them."""
        return [name for name in self.mechanisms if self.difference(name)[2] >= 0]

    def to_frame(self) -> pd.DataFrame:
        """One row a field: hypothesis, bits per spike, difference to the free field, share of the residual."""
        rows = np.array([self.difference(name) for name in self.names])
        return pd.DataFrame(
            {
                "field": self.names,
                "hypothesis": [MECHANISMS.get(name.removesuffix(RESIDUAL), "free") for name in self.names],
                "bits_per_spike": self.bits,
                "above_free": rows[:, 0],
                "lower": rows[:, 1],
                "upper": rows[:, 2],
                "residual_share": self.residual,
            }
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, without the models."""
        kept = {
            "names": self.names, "bits": self.bits.tolist(), "gains": self.gains.tolist(),
            "spikes": self.spikes.tolist(), "residual": [None if np.isnan(r) else r for r in self.residual],
            "n_bootstrap": self.n_bootstrap, "random_state": self.random_state,
        }  # fmt: skip
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(kept) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Ranking:
        """Read what `save` wrote."""
        with open(path) as stream:
            kept = json.load(stream)
        arrays: dict[str, Any] = {
            k: np.array(kept.pop(k), float) for k in ("bits", "gains", "spikes", "residual")
        }
        return cls(names=tuple(kept.pop("names")), **arrays, **kept)

    def sentence(self) -> str:
        """What the scores say, in one sentence."""
        if not self.mechanisms:
            return "No mechanism was tried."
        best = self.mechanisms[0]
        gap, low, high = self.difference(best)
        size = f"{gap:+.4f} bits per spike from the free field ({low:+.4f} to {high:+.4f})"
        text = f"{best} is the best mechanism, {size}"
        text += ", as good as it and better than the mechanisms of other hypotheses" if self.winner() else ""
        if high < 0:
            text += "; it does not suffice"
            full = best + RESIDUAL
            if full in self.names:
                share, closed = self.residual[self.names.index(full)], self.difference(full)
                text += f": with a residual of {share:.0%} of its flow it comes to {closed[0]:+.4f}"
        return text + "."

    def __str__(self) -> str:
        lines = ["Held-out bits per spike, and the difference to the free field (95 % interval over trials):"]
        for name, bits, share in zip(self.names, self.bits, self.residual):
            mean, low, high = self.difference(name)
            gap = "" if name == FREE else f", {mean:+.4f} ({low:+.4f} to {high:+.4f})"
            rest = "" if np.isnan(share) else f", residual {share:.0%} of the flow"
            lines.append(f"  {name}: {bits:.4f}{gap}{rest}")
        return "\n".join([*lines, self.sentence()])
