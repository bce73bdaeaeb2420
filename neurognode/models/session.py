"""What belongs to one recording rather than to the dynamics: scales, read-in, readout, likelihood, slow drift."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from neurognode.models.data import Batch, valid_bins
from neurognode.models.likelihoods import Likelihood
from neurognode.models.readouts import Readout
from neurognode.models.session_drift import SessionDrift


class Session(nn.Module):
    """The part of a network that is one recording's own.

    Parameters
    ----------
    readout, likelihood : Readout, Likelihood
        From states to the probability of the signal of all U units.
    seen : Tensor of bool, (U,)
        Units the encoder may see.
    gain : float
        Factor from what the readout gives to the likelihood's location: the bin size for counts, else 1.
    drift : SessionDrift, optional
        Slow change over the session.
    read_in : int, optional
        Width of a linear map before the encoder, where several recordings share one.
    """

    seen: Tensor
    shown_units: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        readout: Readout,
        likelihood: Likelihood,
        *,
        seen: Tensor,
        gain: float,
        drift: SessionDrift | None = None,
        read_in: int | None = None,
    ) -> None:
        super().__init__()
        self.readout, self.likelihood, self.drift, self.gain = readout, likelihood, drift, gain
        self.register_buffer("seen", seen)
        self.register_buffer("shown_units", seen.nonzero()[:, 0], persistent=False)
        self.register_buffer("centre", torch.zeros(len(seen)))
        self.register_buffer("spread", torch.ones(len(seen)))
        self.read_in = None if read_in is None else nn.Linear(int(seen.sum()), read_in)

    def initialise(self, values: np.ndarray, mask: np.ndarray) -> None:
        """Set scales, biases and likelihood parameters from training data (trial, time, unit)."""
        seen = np.where(mask, values, np.nan)
        mean, std = np.nanmean(seen, axis=(0, 1)), np.nanstd(seen, axis=(0, 1))
        std = np.maximum(std, 1e-6)
        with torch.no_grad():
            self.centre.copy_(torch.as_tensor(mean))
            self.spread.copy_(torch.as_tensor(std))
        if self.likelihood.signal == "counts":
            self.readout.initialise(mean / self.gain)
        elif self.likelihood.support == "real" and self.readout.link == "identity":
            self.readout.initialise(mean, shift=mean, scale=std)
        else:
            self.readout.initialise(np.maximum(mean, 0.1 * std), scale=std)
        self.likelihood.initialise(values, mask)

    def location(self, states: Tensor, when: Tensor | None = None) -> Tensor:
        """Location (..., U) of states (..., N), with the session's slow change if that is modelled."""
        offset = None if self.drift is None or when is None else self.drift(when)
        return self.gain * self.readout(states, offset)

    def shown(self, batch: Batch, hidden: Tensor | None = None, hide: float = 0.0) -> Tensor:
        """What the encoder is shown: standardised signal, share of units missing, external inputs.

        Parameters
        ----------
        batch : Batch
            The trials.
        hidden : Tensor of bool, (B, T, U), optional
            Entries to hide; `hide` is their expected share.
        """
        shown = (self._units(batch.values) - self._units(self.centre)) / self._units(self.spread)
        missing = shown.new_zeros(*shown.shape[:-1], 1)
        if batch.observed is not None:
            recorded = self._units(batch.observed)
            shown, missing = shown * recorded, 1 - recorded.mean(-1, keepdim=True)
        if batch.lengths is not None:
            missing = missing * valid_bins(batch)[..., None]
        if hidden is not None:
            shown = shown.masked_fill(self._units(hidden), 0.0) / (1 - hide)
        if self.read_in is not None:
            shown = self.read_in(shown)
        return torch.cat([shown, missing] if batch.inputs is None else [shown, missing, batch.inputs], -1)

    def _units(self, values: Tensor) -> Tensor:
        """Of the last axis, what belongs to units that the encoder may see."""
        return values.index_select(-1, self.shown_units)

    def log_likelihood(
        self, batch: Batch, location: Tensor, hidden: Tensor | None = None, hide: float = 0.0
    ) -> Tensor:
        """Log likelihood of the batch, summed; seen units count where hidden, the more the fewer are hidden."""
        log_prob = self.likelihood.log_prob(batch.values, location, batch.observed)
        if batch.observed is not None:
            log_prob = log_prob * batch.observed
        if hidden is not None:
            log_prob = log_prob * torch.where(self.seen, hidden / hide, 1.0)
        return log_prob.sum()
