"""Building the network that an estimator's settings and some training data ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neurognode import registry
from neurognode.dynamics import GNODE, Diffusion, Map
from neurognode.dynamics.constrained.residual import WithResidual
from neurognode.models.checks import check_options
from neurognode.models.encoders import Encoder
from neurognode.models.inferred_inputs import InferredInputs
from neurognode.models.network import LatentNetwork, Objective
from neurognode.models.path import LatentPath
from neurognode.models.presets import LIKELIHOODS, setting
from neurognode.models.readouts import make_readout
from neurognode.models.session import Session
from neurognode.models.session_drift import SessionDrift

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


@dataclass(frozen=True)
class Shape:
    """What a network must be built for.

    Attributes
    ----------
    n_units, n_inputs : int
        Units that enter the fit, and external inputs.
    seen : array of bool, (n_units,)
        Units the encoder may see.
    bin_size : float
        Seconds per bin.
    kind : str
        Activity kind of the trials.
    """

    n_units: int
    n_inputs: int
    seen: np.ndarray
    bin_size: float
    kind: str


ANNEALED_NOISE = 0.13
"""Deviation of process noise that will be annealed away, per bin; fixed, and the same for all latents."""

READ_IN = 16
"""Width of the read-ins that bring several recordings to one encoder."""


def make_network(model: LatentDynamics, shapes: Sequence[Shape], seed: int) -> LatentNetwork:
    """Build the untrained network of an estimator; `seed` fixes every initial weight."""
    latent_dim = int(setting(model, "latent_dim"))
    n_inferred = int(setting(model, "inferred_inputs"))
    first, several = shapes[0], len(shapes) > 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        width = READ_IN if several else int(first.seen.sum())
        read_in = READ_IN if several else None
        sessions = [make_session(model, shape, latent_dim, read_in) for shape in shapes]
        encoder = _encoder(model, width + 1 + first.n_inputs, first)
        path = _path(model, encoder, latent_dim, first, n_inferred, seed)
        inferred = None
        if n_inferred:
            inferred = InferredInputs(encoder.features, n_inferred, bin_size=first.bin_size)
        objective = _objective(model, all(bool(shape.seen.all()) for shape in shapes))
        return LatentNetwork(encoder, path, sessions, inferred=inferred, objective=objective)


def make_session(model: LatentDynamics, shape: Shape, latent_dim: int, read_in: int | None) -> Session:
    """Build the part that is one recording's own, with a read-in of that width where several share the encoder."""
    name = LIKELIHOODS[shape.kind] if model.likelihood == "auto" else model.likelihood
    likelihood = registry.resolve("likelihoods", name)(shape.n_units)
    link = likelihood.readout if model.readout == "auto" else model.readout
    return Session(
        make_readout(link, latent_dim, shape.n_units),
        likelihood,
        seen=torch.from_numpy(shape.seen),
        gain=shape.bin_size if likelihood.signal == "counts" else 1.0,
        drift=SessionDrift(shape.n_units, model.session_drift) if model.session_drift else None,
        read_in=read_in,
    )


def _encoder(model: LatentDynamics, width: int, shape: Shape) -> Encoder:
    options = (
        dict(setting(model, "encoder", "", kind=shape.kind)) if model.encoder in ("gru", "causal_gru") else {}
    )
    seconds = options.pop("block", 0.0)
    if model.encoder == "gru":
        options["stride"] = min(max(round(seconds / shape.bin_size), 1), 4)
    options |= model.encoder_options or {}
    made = registry.resolve("encoders", model.encoder)
    check_options(made, model.encoder_options, "encoder_options")
    encoder = made(width, **options)
    corrected = setting(model, "process_noise") is True
    if encoder.causal and not corrected and not setting(model, "inferred_inputs"):
        raise ValueError(
            f"encoder={model.encoder!r} sees no later bins, so the first state alone cannot tell what "
            "follows. Use process_noise=True or inferred_inputs > 0 with it."
        )
    return encoder


def _path(
    model: LatentDynamics, encoder: Encoder, latent_dim: int, shape: Shape, n_inferred: int, seed: int
) -> LatentPath:
    options: dict[str, Any] = {}
    kind = registry.resolve("dynamics", model.dynamics)
    check_options(kind, model.dynamics_options, "dynamics_options")
    if issubclass(kind, GNODE):
        hidden = setting(model, "hidden", "")
        options = {
            "hidden": hidden,
            "tau": setting(model, "tau_bins", "") * shape.bin_size,
            "spread": setting(model, "spread", ""),
            "random_state": seed,
        }
        if model.dynamics == "gnode":
            options["gate_hidden"] = None
    elif issubclass(kind, Map):
        options = {"dt": shape.bin_size}
    elif issubclass(kind, WithResidual):
        options = {"tau": setting(model, "tau_bins", "") * shape.bin_size, "random_state": seed}
    options |= model.dynamics_options or {}
    field = kind(latent_dim, shape.n_inputs + n_inferred, **options)
    noise = setting(model, "process_noise")
    diffusion = None
    if noise == "anneal":
        diffusion = Diffusion(latent_dim, std=ANNEALED_NOISE / shape.bin_size**0.5).requires_grad_(False)
    elif noise:
        diffusion = Diffusion(latent_dim, kind="per_latent", std=0.1 / shape.bin_size**0.5)
    return LatentPath(
        encoder.features,
        field,
        diffusion,
        bin_size=shape.bin_size,
        method=setting(model, "method"),
        substeps=model.substeps,
    )


def _objective(model: LatentDynamics, all_seen: bool) -> Objective:
    """Units that are never shown keep an encoder from copying; where there are some, nothing else need be hidden."""
    noise = setting(model, "process_noise")
    return Objective(
        kl_weight=setting(model, "kl_weight"),
        coordinated_dropout=setting(
            model, "coordinated_dropout" if all_seen else "held_out_dropout", "coordinated_dropout"
        ),
        anneal=setting(model, "anneal", "") if noise == "anneal" else None,
    )
