"""Everything learned, in one module whose forward pass is the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurognode.models.data import Batch, valid_bins
from neurognode.models.draws import drawn_for, marks_like
from neurognode.models.encoders import Encoder
from neurognode.models.inferred_inputs import InferredInputs
from neurognode.models.likelihoods import Likelihood
from neurognode.models.path import LatentPath, Plan
from neurognode.models.readouts import Readout
from neurognode.models.session import Session


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


class Begun(NamedTuple):
    """What is known before the field is integrated: plan, inputs, the inferred ones, their cost, what was hidden."""

    plan: Plan
    inputs: Tensor | None
    inferred: Tensor | None
    divergence: Tensor
    hidden: Tensor | None = None


class LatentNetwork(nn.Module):
    """Encoder and posterior over the path, shared by all sessions, and what each session has of its own.

    Parameters
    ----------
    encoder : Encoder
        Sees the signal, one flag per bin and the external inputs.
    path : LatentPath
        Dynamics and posterior.
    sessions : sequence of Session
        One per recording.
    inferred : InferredInputs, optional
        Inferred inputs, appended to the external ones.
    objective : Objective
        Weights of the loss.
    """

    def __init__(
        self,
        encoder: Encoder,
        path: LatentPath,
        sessions: Sequence[Session],
        *,
        inferred: InferredInputs | None = None,
        objective: Objective | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.path, self.inferred = encoder, path, inferred
        self.sessions = nn.ModuleList(sessions)
        self.objective = objective or Objective()
        self.noise_factor = self.input_factor = 1.0

    def session(self, index: int = 0) -> Session:
        """The part of one recording."""
        part = self.sessions[index]
        assert isinstance(part, Session)
        return part

    @property
    def shown_width(self) -> int:
        """Of what the encoder sees in a bin, how many numbers come from the units."""
        first = self.session()
        return len(first.shown_units) if first.read_in is None else first.read_in.out_features

    @property
    def readout(self) -> Readout:
        """Readout of the first session."""
        return self.session().readout

    @property
    def likelihood(self) -> Likelihood:
        """Likelihood of the first session."""
        return self.session().likelihood

    def location(self, states: Tensor, when: Tensor | None = None, session: int = 0) -> Tensor:
        """Location (..., U) of states (..., N); see `Session.location`."""
        return self.session(session).location(states, when)

    def forward(self, batch: Batch | Sequence[Batch], progress: float) -> dict[str, Tensor]:
        """Loss per bin of some trials, from one posterior sample, and its parts.

        Of trials that are a part of a batch, what they add to the loss of the whole.
        """
        log_likelihood, divergence, n_bins = self._zero(), self._zero(), self._zero()
        for part in [batch] if isinstance(batch, Batch) else batch:
            with drawn_for(part.share):
                begun = self.begin_training(part, progress)
            found = self.path.run(begun.plan, part.values.shape[1], begun.inputs, self.path.field)
            fits, costs = self.terms(part, begun, *found)
            log_likelihood, divergence = log_likelihood + fits, divergence + costs
            n_bins = n_bins + (valid_bins(part).sum() if part.share is None else part.share.n_bins)
        return self.losses(log_likelihood, divergence, n_bins, progress)

    def begin_training(self, batch: Batch, progress: float) -> Begun:
        """Everything about a training sample that does not need the field."""
        hide = self.hide
        hidden = marks_like(batch.values, hide) if hide else None
        begun = self.begin(
            batch, hidden=hidden, hide=hide, noise_factor=self.objective.noise_factor(progress)
        )
        return begun._replace(hidden=hidden)

    def terms(
        self, batch: Batch, begun: Begun, states: Tensor, predictions: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Log likelihood and divergence, summed over the batch."""
        session = self.session(batch.session)
        location = session.location(states, batch.when)
        fits = session.log_likelihood(batch, location, begun.hidden, self.hide)
        costs = self.path.divergence(begun.plan, states, predictions, valid_bins(batch), begun.inputs)
        return fits, (costs + begun.divergence).sum()

    def losses(
        self, log_likelihood: Tensor, divergence: Tensor, n_bins: Tensor, progress: float
    ) -> dict[str, Tensor]:
        """Loss per bin and its parts, from sums over a batch."""
        nll, divergence = -log_likelihood / n_bins, divergence / n_bins
        loss = nll + self.objective.divergence_weight(progress) * divergence
        return {"loss": loss, "nll": nll.detach(), "kl": divergence.detach()}

    @property
    def hide(self) -> float:
        """Share of entries that are hidden from the encoder in training, as it can be drawn."""
        return round(256 * self.objective.coordinated_dropout) / 256 if self.training else 0.0

    def _zero(self) -> Tensor:
        return self.path.start.mean.new_zeros(())

    def infer(
        self,
        batch: Batch,
        *,
        hidden: Tensor | None = None,
        hide: float = 0.0,
        noise: float = 1.0,
        noise_factor: float | None = None,
        repeats: int = 1,
        start_shift: Tensor | None = None,
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
        start_shift : Tensor, (B, N) or (repeats * B, N), optional
            Added to the first states; see `neurognode.models.refinement`.
        """
        begun = self.begin(
            batch, hidden=hidden, hide=hide, noise=noise, noise_factor=noise_factor, repeats=repeats
        )
        plan, valid, when = begun.plan, valid_bins(batch).repeat(repeats, 1), batch.when
        if start_shift is not None:
            times = repeats if len(start_shift) < len(plan.h0) else 1
            plan = plan._replace(h0=plan.h0 + start_shift.repeat(times, 1))
        states, predictions = self.path.run(plan, valid.shape[1], begun.inputs, self.path.field)
        location = self.session(batch.session).location(
            states, None if when is None else when.repeat(repeats)
        )
        divergence = self.path.divergence(plan, states, predictions, valid, begun.inputs)
        return Inferred(states, location, divergence + begun.divergence, begun.inferred)

    def begin(
        self,
        batch: Batch,
        *,
        hidden: Tensor | None = None,
        hide: float = 0.0,
        noise: float = 1.0,
        noise_factor: float | None = None,
        repeats: int = 1,
    ) -> Begun:
        """What comes before the field is integrated; arguments as in `infer`."""
        session, valid = self.session(batch.session), valid_bins(batch)
        features = self.encoder(session.shown(batch, hidden, hide), batch.lengths)
        inputs, lengths = batch.inputs, batch.lengths
        if repeats > 1:
            features, valid = features.repeat(repeats, 1, 1), valid.repeat(repeats, 1)
            inputs = None if inputs is None else inputs.repeat(repeats, 1, 1)
            lengths = None if lengths is None else lengths.repeat(repeats)
        timing: dict[str, Any] = {"lengths": lengths, "stride": self.encoder.stride, "noise": noise}
        divergence = features.new_zeros(len(features))
        inferred = None
        if self.inferred is not None:
            inferred, divergence = self.inferred(features, valid, **timing)
            inferred = self.input_factor * inferred
            inputs = inferred if inputs is None else torch.cat([inputs, inferred], -1)
        factor = self.noise_factor if noise_factor is None else noise_factor
        plan = self.path.plan(features, valid, noise_factor=factor, **timing)
        return Begun(plan, inputs, inferred, divergence)

    def mean_inputs(self, batch: Batch, features: Tensor) -> Tensor | None:
        """External inputs and the posterior means of the inferred ones, (B, T, I), None if there are neither."""
        if self.inferred is None:
            return batch.inputs
        timing: dict[str, Any] = {"lengths": batch.lengths, "stride": self.encoder.stride, "noise": 0.0}
        inferred = self.inferred(features, valid_bins(batch), **timing)[0]
        return inferred if batch.inputs is None else torch.cat([batch.inputs, inferred], -1)
