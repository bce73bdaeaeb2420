"""The compared models as settings of `TaskNetwork`, matched in latents or in parameters."""

from __future__ import annotations

from typing import Any

from neurognode import registry
from neurognode.models import TaskNetwork

SHALLOW: dict[str, Any] = {"hidden": (), "bounded": True, "init": "glorot"}
DEEP: dict[str, Any] = {"hidden": (64, 64), "activation": "relu", "init": "critical_closed"}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "RNN": ("node", SHALLOW),
    "mGRU": ("gnode", {**SHALLOW, "gate_hidden": ()}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {}),
    "nODE": ("node", DEEP),
    "gnODE": ("gnode", {**DEEP, "gate_hidden": ()}),
    "gnODE, deep gate": ("gnode", {**DEEP, "gate_hidden": (32,)}),
}
"""The RNN is the neural ODE without hidden layers and a tanh at its end, the mGRU the same with a gate: with Euler
steps as long as the time constant these are the cells of the paper (claim C1), and the compiled kernel serves them."""


def network(model: str, latent_dim: int, **settings: Any) -> TaskNetwork:
    """A `TaskNetwork` of one of `MODELS`, as a discrete cell (Euler steps of one time constant)."""
    dynamics, options = MODELS[model]
    if model == "LSTM":
        latent_dim = max(2, 2 * (latent_dim // 2))
    return TaskNetwork(
        latent_dim, dynamics=dynamics, dynamics_options=options, method="euler", progress=False, **settings
    )


def n_parameters(model: str, latent_dim: int, input_dim: int, output_dim: int) -> int:
    """Weights of cell, linear readout and encoder of the first input."""
    dynamics, options = MODELS[model]
    cell = registry.resolve("dynamics", dynamics)(latent_dim, input_dim, random_state=0, **options)
    inside = sum(p.numel() for p in cell.parameters())
    return inside + (latent_dim + 1) * output_dim + (input_dim + 1) * latent_dim


def matched_dim(model: str, wanted: int, input_dim: int, output_dim: int) -> int:
    """The number of latents (even) at which a model has about `wanted` parameters."""
    sizes = range(2, 400, 2)
    return min(sizes, key=lambda n: abs(n_parameters(model, n, input_dim, output_dim) - wanted))
