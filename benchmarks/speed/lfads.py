"""Sequential auto-encoder with a GRU generator, written from the equations of Pandarinath et al. 2018.

Encoders give the generator's first state and, through a controller, inputs bin by bin; factors are linear in the
generator's state, log rates linear in the factors. It is a peer for timing: no more options than the paper's model has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurognode.models.data import Batch, valid_bins


class LFADS(nn.Module):
    """Generator, controller and encoders; ``forward(batch, progress)`` is the loss per bin.

    Parameters
    ----------
    seen : Tensor of int, (S,)
        Units that the encoders see.
    mean : Tensor, (U,)
        Mean counts per bin, where rates start.
    generator, encoder, factors, inputs : int
        Widths; without inputs there is no controller, and the generator runs freely.
    dropout : float
        On what encoders see and on the generator's states.

    References
    ----------
    Pandarinath et al., "Inferring single-trial neural population dynamics using sequential auto-encoders", Nature
    Methods 15:805 (2018), online methods, equations 1 to 15.
    """

    def __init__(
        self,
        seen: Tensor,
        mean: Tensor,
        *,
        generator: int = 100,
        encoder: int = 64,
        factors: int = 32,
        inputs: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.register_buffer("seen", seen)
        self.n_inputs = inputs
        self.first = nn.GRU(len(seen), encoder, batch_first=True, bidirectional=True)
        self.to_start = nn.Linear(2 * encoder, 2 * generator)
        self.generator = nn.GRU(max(inputs, 1), generator, batch_first=True)
        self.to_factors = nn.Linear(generator, factors, bias=False)
        self.to_rates = nn.Linear(factors, len(mean))
        self.drop = nn.Dropout(dropout)
        if inputs:
            self.second = nn.GRU(len(seen), encoder, batch_first=True, bidirectional=True)
            self.controller = nn.GRUCell(2 * encoder + factors, encoder)
            self.to_inputs = nn.Linear(encoder, 2 * inputs)
            self.cell = nn.GRUCell(inputs, generator)
            self.log_time = nn.Parameter(torch.full((inputs,), math.log(10.0)))
            self.log_variance = nn.Parameter(torch.full((inputs,), math.log(0.1)))
        with torch.no_grad():
            self.to_rates.bias.copy_(mean.clamp_min(1e-4).log())

    def forward(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        valid = valid_bins(batch)
        rates, divergence = self.rates(batch, 1.0)
        nll = rates - batch.values * rates.log() + torch.lgamma(batch.values + 1)
        ramp = min(1.0, 0.02 + progress / 0.15)
        total = (nll * valid[..., None]).sum() + ramp * divergence.sum()
        return {"loss": total / valid.sum()}

    def rates(self, batch: Batch, noise: float) -> tuple[Tensor, Tensor]:
        """Expected counts (B, T, U), and the divergence from the priors (B,)."""
        shown = self.drop(batch.values[..., self.seen])
        ends = self.first(shown)[1]
        mean, log_variance = self.to_start(torch.cat([ends[0], ends[1]], -1)).chunk(2, -1)
        start, divergence = _sample(mean, log_variance.clamp(-10, 4), noise)
        if self.n_inputs:
            states, cost = self._driven(shown, start, noise, valid_bins(batch))
            divergence = divergence + cost
        else:
            silence = start.new_zeros(len(start), shown.shape[1], 1)
            states = self.generator(silence, start[None].contiguous())[0]
        return self.to_rates(self.to_factors(self.drop(states))).clamp(-14, 6).exp(), divergence

    def _driven(self, shown: Tensor, state: Tensor, noise: float, valid: Tensor) -> tuple[Tensor, Tensor]:
        features = self.second(shown)[0]
        control = features.new_zeros(len(shown), self.controller.hidden_size)
        keep = torch.exp(-1 / self.log_time.exp())
        stationary = self.log_variance.exp()
        before, states, cost = None, [], features.new_zeros(len(shown))
        for t in range(shown.shape[1]):
            seen = torch.cat([features[:, t], self.to_factors(self.drop(state))], -1)
            control = self.controller(seen, control)
            mean, log_variance = self.to_inputs(control).chunk(2, -1)
            log_variance = log_variance.clamp(-10, 2)
            driven = mean + noise * torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            centre = 0.0 if before is None else keep * before
            prior = stationary if before is None else stationary * (1 - keep**2)
            apart = (mean - centre).square() + log_variance.exp()
            cost = cost + 0.5 * (apart / prior - 1 + prior.log() - log_variance).sum(-1) * valid[:, t]
            state, before = self.cell(driven, state), driven
            states.append(state)
        return torch.stack(states, 1), cost


def _sample(mean: Tensor, log_variance: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    drawn = mean + noise * torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    return drawn, 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)
