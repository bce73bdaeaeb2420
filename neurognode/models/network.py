"""Everything learned, in one module whose forward pass is the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurognode.models.data import Batch
from neurognode.models.encoders import Encoder
from neurognode.models.inferred_inputs import InferredInputs
from neurognode.models.likelihoods import Likelihood
from neurognode.models.path import LatentPath
from neurognode.models.readouts import Readout
from neurognode.models.session_drift import SessionDrift


@dataclass(frozen=True)
class Objective:
    """Weights and schedules of the loss; `progress` runs from 0 to 1 over the training.

    Parameters
    ----------
    kl_weight, kl_start : float
        Weight of the divergence after warm-up, and the share of it at the start.
    kl_warmup : float
        Share of the training over which the weight rises.
    coordinated_dropout : float
        Share of encoder inputs that are hidden in a step; units the encoder may see enter the loss only where
        hidden, so that the encoder cannot copy its input to its output.
    anneal : tuple of float, optional
        ``(begin, end, last)``: the factor on the process noise falls from 1 to `last` between these shares of
        the training (straight in its logarithm), and is 0 afterwards.
    """

    kl_weight: float = 1.0
    kl_start: float = 0.02
    kl_warmup: float = 0.15
    coordinated_dropout: float = 0.25
    anneal: tuple[float, float, float] | None = None

    def divergence_weight(self, progress: float) -> float:
        """Weight of the divergence at a point of the training."""
        risen = min(1.0, progress / self.kl_warmup) if self.kl_warmup else 1.0
        return self.kl_weight * (self.kl_start + (1 - self.kl_start) * risen)

    def noise_factor(self, progress: float) -> float:
        """Factor on the process noise at a point of the training.

        Examples
        --------
        >>> from neurognode.models.network import Objective
        >>> objective = Objective(anneal=(0.2, 0.6, 0.01))
        >>> [round(objective.noise_factor(p), 3) for p in (0.1, 0.4, 0.7)]
        [1.0, 0.1, 0.0]
        """
        if self.anneal is None:
            return 1.0
        begin, end, last = self.anneal
        if progress >= end:
            return 0.0
        return last ** (max(progress - begin, 0.0) / (end - begin))


class Inferred(NamedTuple):
    """States (B, T, N), location (B, T, U), divergence (B,), and inferred inputs (B, T, J) or None."""

    states: Tensor
    location: Tensor
    divergence: Tensor
    inputs: Tensor | None


class LatentNetwork(nn.Module):
    """Encoder, posterior over the path, readout and likelihood.

    Parameters
    ----------
    encoder : Encoder
        Sees the units of `seen`, one flag per bin and the external inputs.
    path : LatentPath
        Dynamics and posterior.
    readout, likelihood : Readout, Likelihood
        From states to the probability of the signal of all U units.
    seen : Tensor, (U,)
        True for the units the encoder may see.
    gain : float
        Factor from what the readout gives to the likelihood's location: the bin size for counts, else 1.
    inferred : InferredInputs, optional
        Inferred inputs, appended to the external ones.
    drift : SessionDrift, optional
        Slow change over the session.
    objective : Objective
        Weights of the loss.
    """

    seen: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        encoder: Encoder,
        path: LatentPath,
        readout: Readout,
        likelihood: Likelihood,
        *,
        seen: Tensor,
        gain: float,
        inferred: InferredInputs | None = None,
        drift: SessionDrift | None = None,
        objective: Objective | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.path, self.readout, self.likelihood = encoder, path, readout, likelihood
        self.inferred, self.drift = inferred, drift
        self.objective = objective or Objective()
        self.gain = gain
        self.noise_factor = 1.0
        self.register_buffer("seen", seen)
        self.register_buffer("centre", torch.zeros(len(seen)))
        self.register_buffer("spread", torch.ones(len(seen)))

    def forward(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Loss per bin of a batch, from one posterior sample, and its parts."""
        objective = self.objective
        hide = objective.coordinated_dropout if self.training else 0.0
        hidden = torch.rand_like(batch.values) < hide if hide else None
        found = self.infer(batch, hidden=hidden, hide=hide, noise_factor=objective.noise_factor(progress))
        log_prob = self.likelihood.log_prob(batch.values, found.location, batch.observed)
        weight = self._loss_weight(batch, hidden, hide)
        n_bins = self.valid(batch).sum()
        nll = -(log_prob if weight is None else log_prob * weight).sum() / n_bins
        divergence = found.divergence.sum() / n_bins
        loss = nll + objective.divergence_weight(progress) * divergence
        return {"loss": loss, "nll": nll.detach(), "kl": divergence.detach()}

    def infer(
        self,
        batch: Batch,
        *,
        hidden: Tensor | None = None,
        hide: float = 0.0,
        noise: float = 1.0,
        noise_factor: float | None = None,
        repeats: int = 1,
    ) -> Inferred:
        """Run encoder, dynamics and readout once.

        Parameters
        ----------
        batch : Batch
            The trials.
        hidden : Tensor, (B, T, U), optional
            True for entries to hide from the encoder; `hide` is their expected share.
        noise : float
            1 to sample the posterior, 0 for its path of means.
        noise_factor : float, optional
            Factor on the process noise; that of the fitted model by default.
        repeats : int
            Independent samples of every trial; the first axis of the results is then (repeats * B).
        """
        valid = self.valid(batch)
        features = self.encoder(self._seen(batch, hidden, hide), batch.lengths)
        inputs, when, lengths = batch.inputs, batch.when, batch.lengths
        if repeats > 1:
            features, valid = features.repeat(repeats, 1, 1), valid.repeat(repeats, 1)
            inputs = None if inputs is None else inputs.repeat(repeats, 1, 1)
            when = None if when is None else when.repeat(repeats)
            lengths = None if lengths is None else lengths.repeat(repeats)
        timing: dict[str, Any] = {"lengths": lengths, "stride": self.encoder.stride, "noise": noise}
        divergence = features.new_zeros(len(features))
        inferred = None
        if self.inferred is not None:
            inferred, divergence = self.inferred(features, valid, **timing)
            inputs = inferred if inputs is None else torch.cat([inputs, inferred], -1)
        factor = self.noise_factor if noise_factor is None else noise_factor
        path = self.path(features, valid, inputs, noise_factor=factor, **timing)
        return Inferred(path.states, self.location(path.states, when), path.divergence + divergence, inferred)

    def location(self, states: Tensor, when: Tensor | None) -> Tensor:
        """Location (…, U) of states (…, N), with the session's slow change if that is modelled."""
        offset = None if self.drift is None or when is None else self.drift(when)
        return self.gain * self.readout(states, offset)

    def valid(self, batch: Batch) -> Tensor:
        """1 within a trial, 0 after its end, (B, T)."""
        n_bins, device = batch.values.shape[1], batch.values.device
        if batch.lengths is None:
            return batch.values.new_ones(len(batch.values), n_bins)
        inside = torch.arange(n_bins, device=device)[None] < batch.lengths.to(device)[:, None]
        return inside.to(batch.values.dtype)

    def _seen(self, batch: Batch, hidden: Tensor | None, hide: float) -> Tensor:
        """What the encoder is shown: standardised signal, share of units missing, external inputs."""
        shown = ((batch.values - self.centre) / self.spread)[..., self.seen]
        missing = shown.new_zeros(*shown.shape[:-1], 1)
        if batch.observed is not None:
            recorded = batch.observed[..., self.seen]
            shown, missing = shown * recorded, 1 - recorded.mean(-1, keepdim=True)
        if hidden is not None:
            shown = shown.masked_fill(hidden[..., self.seen], 0.0) / (1 - hide)
        parts = [shown, missing] if batch.inputs is None else [shown, missing, batch.inputs]
        return torch.cat(parts, -1)

    def _loss_weight(self, batch: Batch, hidden: Tensor | None, hide: float) -> Tensor | None:
        weight = batch.observed
        if hidden is not None:
            counted = torch.where(self.seen, hidden / hide, 1.0)
            weight = counted if weight is None else weight * counted
        return weight
