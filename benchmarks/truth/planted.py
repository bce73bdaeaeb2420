"""Known systems as recordings: two families, one to set thresholds on and one to report."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurognode.synthetic import circuits
from neurognode.synthetic.recording import SimulatedRecording, simulate_recording

SCALED = {
    "bistable": {"growth": 4.0, "contraction": 12.0, "noise": 0.3},
    "points": {"growth": 6.0, "noise": 0.35},
    "saddle": {"growth": 5.0, "contraction": 6.0, "noise": 0.15},
    "line": {"contraction": 10.0, "noise": 0.15},
    "leaky_line": {"contraction": 10.0, "noise": 0.15},
    "ring": {"attraction": 5.0, "noise": 0.35},
    "drifting_ring": {"attraction": 5.0, "noise": 0.35},
    "bumpy_ring": {"attraction": 5.0, "noise": 0.35},
    "plane": {"contraction": 10.0, "noise": 0.15},
    "torus": {"attraction": 5.0, "noise": 0.35},
    "limit_cycle": {"growth": 3.0, "frequency": 1.0, "noise": 0.25},
    "noise_oscillation": {"damping": 2.0, "frequency": 1.5, "noise": 1.0},
    "rotation": {"damping": 0.4, "frequency": 1.2, "noise": 0.12},
    "lorenz": {"speed": 2.0},
    "sequence": {"speed": 1.6, "contraction": 6.0, "noise": 0.2},
    "drift_diffusion": {"contraction": 15.0, "noise": 0.5},
    "none": {"noise": 1.4},
}
"""Parameters that are multiplied by a random factor between 0.8 and 1.25, with their defaults."""

REPORTED = 10
"""Seeds from this one on are another family than smaller ones, on which thresholds are set."""
READ = (10, 11, 12)
"""Seeds of it whose failures were read before rules were changed: they are shown, but not counted."""


def is_counted(line: dict[str, Any]) -> bool:
    """Whether a fit or a verdict (a line of results) is of the reported data sets of full size."""
    return line["seed"] >= REPORTED and line["seed"] not in READ and line["n_trials"] == 200


def other_parameters(name: str, seed: int) -> Any:
    """A circuit with its parameters multiplied by random factors between 0.8 and 1.25, in its own dimension."""
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    scaled = SCALED.get("points" if name.startswith("points_") else name, {})
    parameters = {key: value * float(np.exp(rng.uniform(-0.223, 0.223))) for key, value in scaled.items()}
    return circuits.make(name, **parameters)


def planted(name: str, seed: int) -> Any:
    """A circuit with other parameters than the default ones, in three or more latents."""
    circuit = other_parameters(name, seed)
    return circuits.embed(circuit, max(3, circuit.latent_dim), random_state=1000 + seed)


def planted_recording(
    name: str, seed: int, n_trials: int = 200, mean_rate: float = 7.5
) -> SimulatedRecording:
    """Spikes of 60 units that read a circuit.

    Seeds below `REPORTED` have the default parameters, even trials and all units. The others have other parameters,
    another readout (softplus for odd seeds, weaker tuning), uneven trials, and a fifth of the units recorded
    in half of the session only.
    """
    settings: dict[str, Any] = {
        "n_units": 60,
        "n_trials": n_trials,
        "mean_rate": mean_rate,
        "random_state": seed,
    }
    if seed < REPORTED:
        circuit = circuits.make(name)
    else:
        circuit = other_parameters(name, seed)
        settings |= {"uneven": 0.3, "missing": 0.2, "modulation": (0.6, 1.0)}
        settings["link"] = "softplus" if seed % 2 else "exp"
    return simulate_recording(circuit, embed_dim=max(3, circuit.latent_dim), **settings)
