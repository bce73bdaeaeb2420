"""How much is run: `QUICK` in about ten minutes, `FULL` in hours, on two cores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Scale:
    """Sizes of the experiments."""

    name: str
    seeds: int
    steps: int
    rates: tuple[float, ...]
    decays: tuple[float, ...]
    n_train: int = 500
    n_validation: int = 100
    n_test: int = 600
    attractor_steps: int = 3000
    attractor_trials: int = 2000
    expressivity_steps: int = 1500
    latent_dims: tuple[int, ...] = (2, 4, 8, 16)
    real_steps: int = 400

    def settings(self, part: str | None = None) -> dict[str, Any]:
        """For the results' files: those that a part depends on, or all; through JSON, tuples are lists."""
        everything = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {k: everything[k] for k in (everything if part is None else DEPENDS[part])}


DEPENDS = {
    "exactness": ("name",),
    "trainability": ("name", "seeds", "steps", "rates", "decays", "n_train", "n_validation", "n_test"),
    "attractors": ("name", "attractor_steps", "attractor_trials", "n_test"),
    "expressivity": ("name", "seeds", "expressivity_steps"),
    "real_world": ("name", "seeds", "real_steps"),
}
"""A cell is computed again when one of these changes."""


QUICK = Scale(
    "quick",
    seeds=2,
    steps=1000,
    rates=(1e-2,),
    decays=(0.0,),
    attractor_steps=3000,
    expressivity_steps=600,
    real_steps=800,
)
FULL = Scale(
    "full",
    seeds=5,
    steps=6000,
    rates=(1e-3, 3e-3, 1e-2, 2e-2),
    decays=(0.0, 1e-4),
    attractor_steps=8000,
    expressivity_steps=5000,
    latent_dims=(1, 2, 3, 4, 6, 8, 16, 32, 64),
    real_steps=4000,
)
