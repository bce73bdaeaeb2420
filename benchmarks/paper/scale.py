"""How much is run: `QUICK` in about ten minutes, `STANDARD` in one to two hours, `FULL` in about six, on two cores."""

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
    attractor_steps: int
    expressivity_steps: int
    expressivity_rates: tuple[float, ...]
    latent_dims: tuple[int, ...]
    lengths: tuple[float, ...]
    depths: tuple[int, ...]
    real_steps: int
    walker_steps: int
    walker_seeds: int
    beyond_steps: int
    n_train: int = 500
    n_validation: int = 100
    n_test: int = 600
    attractor_trials: int = 2000

    def settings(self, part: str | None = None) -> dict[str, Any]:
        """For the results' files: those that a part depends on, or all; through JSON, tuples are lists."""
        everything = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {k: everything[k] for k in (everything if part is None else DEPENDS[part])}


DEPENDS = {
    "exactness": ("name",),
    "trainability": ("name", "seeds", "steps", "rates", "decays", "n_train", "n_validation", "n_test"),
    "initialisation": ("name", "seeds", "n_train", "n_validation", "n_test"),
    "attractors": ("name", "seeds", "attractor_steps", "attractor_trials", "n_test"),
    "expressivity": ("name", "seeds", "expressivity_steps"),
    "real_world": ("name", "seeds", "real_steps"),
    "walker": ("name", "walker_steps", "walker_seeds"),
    "beyond": ("name", "beyond_steps"),
    "spikes": ("name", "beyond_steps", "attractor_steps"),
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
    expressivity_rates=(1e-2,),
    latent_dims=(2, 4, 8, 16),
    lengths=(0.3, 0.1),
    depths=(0, 1, 2),
    real_steps=800,
    walker_steps=400,
    walker_seeds=1,
    beyond_steps=400,
)
STANDARD = Scale(
    "standard",
    seeds=5,
    steps=1000,
    rates=(1e-2,),
    decays=(0.0,),
    attractor_steps=5000,
    expressivity_steps=800,
    expressivity_rates=(1e-2,),
    latent_dims=(1, 2, 3, 4, 6, 8, 12, 16, 32, 64),
    lengths=(0.3, 0.1),
    depths=(0, 1, 2, 3),
    real_steps=600,
    walker_steps=4000,
    walker_seeds=1,
    beyond_steps=600,
)
FULL = Scale(
    "full",
    seeds=5,
    steps=6000,
    rates=(1e-3, 3e-3, 1e-2, 2e-2),
    decays=(0.0, 1e-4),
    attractor_steps=8000,
    expressivity_steps=5000,
    expressivity_rates=(3e-3, 1e-2),
    latent_dims=(1, 2, 3, 4, 6, 8, 16, 32, 64),
    lengths=(0.5, 0.2, 0.1, 0.05),
    depths=(0, 1, 2, 3),
    real_steps=4000,
    walker_steps=7000,
    walker_seeds=5,
    beyond_steps=1500,
)
