"""Building the network that an estimator's settings and some training data ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neurognode import registry
from neurognode.dynamics import GNODE, Diffusion, build
from neurognode.models.encoders import Encoder
from neurognode.models.inferred_inputs import InferredInputs
from neurognode.models.network import LatentNetwork, Objective
from neurognode.models.path import LatentPath
from neurognode.models.presets import LIKELIHOODS, setting
from neurognode.models.readouts import make_readout
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


def make_network(model: LatentDynamics, shape: Shape, seed: int) -> LatentNetwork:
    """Build the untrained network of an estimator; `seed` fixes every initial weight."""
    latent_dim = int(setting(model.preset, "latent_dim", model.latent_dim))
    n_inferred = int(setting(model.preset, "inferred_inputs", model.inferred_inputs))
    likelihood_name = LIKELIHOODS[shape.kind] if model.likelihood == "auto" else model.likelihood
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        likelihood = registry.resolve("likelihoods", likelihood_name)(shape.n_units)
        link = likelihood.readout if model.readout == "auto" else model.readout
        readout = make_readout(link, latent_dim, shape.n_units)
        encoder = _encoder(model, shape)
        path = _path(model, encoder, latent_dim, shape, n_inferred, seed)
        inferred = None
        if n_inferred:
            inferred = InferredInputs(encoder.features, n_inferred, bin_size=shape.bin_size)
        drift = SessionDrift(shape.n_units, model.session_drift) if model.session_drift else None
        return LatentNetwork(
            encoder,
            path,
            readout,
            likelihood,
            seen=torch.from_numpy(shape.seen),
            gain=shape.bin_size if likelihood.signal == "counts" else 1.0,
            inferred=inferred,
            drift=drift,
            objective=_objective(model),
        )


def _encoder(model: LatentDynamics, shape: Shape) -> Encoder:
    options = dict(setting(model.preset, "encoder")) if model.encoder in ("gru", "causal_gru") else {}
    options |= model.encoder_options or {}
    width = int(shape.seen.sum()) + 1 + shape.n_inputs
    encoder = registry.resolve("encoders", model.encoder)(width, **options)
    corrected = setting(model.preset, "process_noise", model.process_noise) is True
    if (
        encoder.causal
        and not corrected
        and not setting(model.preset, "inferred_inputs", model.inferred_inputs)
    ):
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
    if issubclass(kind, GNODE):
        hidden = setting(model.preset, "hidden")
        options = {
            "hidden": hidden,
            "tau": setting(model.preset, "tau_bins") * shape.bin_size,
            "random_state": seed,
        }
        if model.dynamics == "gnode":
            options["gate_hidden"] = None
    options |= model.dynamics_options or {}
    field = kind(latent_dim, shape.n_inputs + n_inferred, **options)
    noise = setting(model.preset, "process_noise", model.process_noise)
    diffusion = None
    if noise:
        diffusion = Diffusion(latent_dim, kind="per_latent", std=0.1 / shape.bin_size**0.5)
    return LatentPath(
        encoder.features,
        field,
        diffusion,
        bin_size=shape.bin_size,
        method=model.method,
        substeps=model.substeps,
    )


def _objective(model: LatentDynamics) -> Objective:
    noise = setting(model.preset, "process_noise", model.process_noise)
    return Objective(
        kl_weight=setting(model.preset, "kl_weight", model.kl_weight),
        coordinated_dropout=setting(model.preset, "coordinated_dropout", model.coordinated_dropout),
        anneal=(0.15, 0.6, 0.05) if noise == "anneal" else None,
    )


def initialise(network: LatentNetwork, values: np.ndarray, mask: np.ndarray) -> None:
    """Set scales, biases and likelihood parameters from training data (trial, time, unit)."""
    seen = np.where(mask, values, np.nan)
    mean, std = np.nanmean(seen, axis=(0, 1)), np.nanstd(seen, axis=(0, 1))
    std = np.maximum(std, 1e-6)
    with torch.no_grad():
        network.centre.copy_(torch.as_tensor(mean))
        network.spread.copy_(torch.as_tensor(std))
    likelihood, readout = network.likelihood, network.readout
    if likelihood.signal == "counts":
        readout.initialise(mean / network.gain)
    elif likelihood.support == "real" and readout.link == "identity":
        readout.initialise(mean, shift=mean, scale=std)
    else:
        readout.initialise(np.maximum(mean, 0.1 * std), scale=std)
    likelihood.initialise(values, mask)


__all__ = ["Shape", "build", "initialise", "make_network"]
