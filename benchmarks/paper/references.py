"""Two published kinds of model in their plainest form, beside the package's own: an ODE-LSTM and a Neural CDE.

References
----------
Lechner and Hasani, "Learning Long-Term Dependencies in Irregularly-Sampled Time Series", 2020, arXiv:2006.04418.
Kidger et al., "Neural Controlled Differential Equations for Irregular Time Series", NeurIPS 2020, arXiv:2005.08926.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]
"""Inputs (trial, time, channel); targets; for classes, which bins count; time before each sample, in samples."""


class ODELSTM(nn.Module):
    """An LSTM whose hidden state flows by Euler steps of an ordinary differential equation between samples."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int, n_steps: int = 1) -> None:
        super().__init__()
        self.cell, self.n_steps, self.width = nn.LSTMCell(n_inputs, width), n_steps, width
        self.flow = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))
        self.readout = nn.Linear(width, n_outputs)

    def forward(self, inputs: Tensor, gaps: Tensor) -> Tensor:
        """Outputs (trial, time, output)."""
        h = c = inputs.new_zeros(len(inputs), self.width)
        found = []
        for x, gap in zip(inputs.unbind(1), gaps.unbind(1)):
            h, c = self.cell(x, (h, c))
            for _ in range(self.n_steps):
                h = h + gap[:, None] / self.n_steps * self.flow(h)
            found.append(h)
        return self.readout(torch.stack(found, 1))


class NeuralCDE(nn.Module):
    """``dz = f(z) dX`` along the straight lines between samples, with time as one of the channels of X."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.start = nn.Linear(n_inputs + 1, width)
        self.flow = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width * (n_inputs + 1)), nn.Tanh()
        )
        self.readout = nn.Linear(width, n_outputs)

    def forward(self, inputs: Tensor, gaps: Tensor) -> Tensor:
        """Outputs (trial, time, output)."""
        time = 0.1 * gaps.cumsum(1)[..., None]
        path = torch.cat([inputs, time], 2)
        z = self.start(path[:, 0])
        found = [z]
        for change in path.diff(dim=1).unbind(1):
            z = z + torch.einsum("bni,bi->bn", self.flow(z).view(*z.shape, -1), change)
            found.append(z)
        return self.readout(torch.stack(found, 1))


def trained(
    make: Callable[[], nn.Module], train: Arrays, held: Arrays, *, seed: int, max_steps: int, rate: float,
    decay: float, validate_every: int,
) -> nn.Module:  # fmt: skip
    """Train with Adam, a cosine schedule and clipped gradients; keep the weights that are best on `held`."""
    torch.manual_seed(seed)
    net, rng = make(), np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max_steps, 0.01 * rate)
    best, kept = float("inf"), net.state_dict()
    for step in range(max_steps):
        rows = rng.integers(len(train[0]), size=64)
        optimiser.zero_grad()
        loss(net, *(None if a is None else a[rows] for a in train)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % validate_every == 0 or step + 1 == max_steps:
            with torch.no_grad():
                now = float(loss(net, *held))
            if now < best:
                best, kept = now, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    return net


def loss(
    net: nn.Module, inputs: np.ndarray, targets: np.ndarray, mask: np.ndarray | None, gaps: np.ndarray
) -> Tensor:
    """Mean squared error, or cross entropy at the last bin that counts where there is a mask."""
    outputs = run(net, inputs, mask, gaps)
    if mask is None:
        return ((outputs - torch.as_tensor(targets, dtype=torch.float32)) ** 2).mean()
    return nn.functional.cross_entropy(outputs, torch.as_tensor(targets, dtype=torch.long))


def run(net: nn.Module, inputs: np.ndarray, mask: np.ndarray | None, gaps: np.ndarray) -> Tensor:
    """Outputs of every bin, or of the last one that counts where there is a mask."""
    outputs = net(*(torch.as_tensor(a, dtype=torch.float32) for a in (inputs, gaps)))
    if mask is None:
        return outputs
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    return outputs[torch.arange(len(outputs)), torch.as_tensor(last)]
