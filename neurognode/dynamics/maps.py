"""The discrete-time cells that the gnODE paper compares with, exactly as its code defines them, and the LSTM.

These are not `torch.nn.GRU` and its kin: the reset gate multiplies the state before the matrix, a gate of 1
means "write", and every matrix of the state has one bias while those of the input have none.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics.base import Map
from neurognode.dynamics.initialization import draw, seeded
from neurognode.dynamics.network import Network
from neurognode.errors import one_of

_INITS = ("glorot", "kaiming", "critical")


class _Cell(Map):
    """What the cells share: their step relative to their time constant, and their affine nets."""

    nets: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        dt: float = 0.01,
        tau: float | None = None,
        init: str = "glorot",
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        tau = dt if tau is None else float(tau)
        if not tau >= dt:
            raise ValueError(f"tau={tau!r} s must be at least dt={dt!r} s.")
        super().__init__(latent_dim, input_dim, dt=dt, members=members, bound=1.0)
        self.share = dt / tau
        self._options |= {"tau": tau, "init": one_of(init, _INITS, "init")}
        generator = seeded(random_state)
        for name in self.nets:
            net = Network(latent_dim, input_dim, latent_dim, members=members)
            draw(net, init, generator)
            self.add_module(name, net)

    def _net(self, name: str) -> Network:
        net = self.get_submodule(name)
        assert isinstance(net, Network)
        return net

    def _towards(self, h: Tensor, target: Tensor, gate: Tensor | float = 1.0) -> Tensor:
        return h + self.share * gate * (target - h)

    def _eye(self, h: Tensor) -> Tensor:
        return torch.eye(self.latent_dim, dtype=h.dtype, device=h.device)


class RNN(_Cell):
    """Vanilla recurrent net, ``h' = (1 - a) h + a tanh(W h + U x + b)`` with ``a = dt / tau``.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    dt : float
        Step in seconds.
    tau : float, optional
        Time constant in seconds; `dt` by default, so that ``a = 1``.
    init : {"glorot", "kaiming", "critical"}
        Initial weights.
    members : int, optional
        Population axis.
    random_state : int, numpy.random.Generator, optional
        Seed of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.maps import RNN
    >>> RNN(3, 2, random_state=0).step(torch.zeros(4, 3), torch.ones(4, 2)).shape
    torch.Size([4, 3])

    References
    ----------
    Kim, Can and Krishnamurthy, ICML 2023, arXiv:2307.06398.
    """

    kind: ClassVar[str] = "rnn"
    nets: ClassVar[tuple[str, ...]] = ("candidate_net",)

    def step(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self._towards(h, torch.tanh(self._net("candidate_net")(h, x)))

    def step_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        net = self._net("candidate_net")
        slope = 1 - torch.tanh(net(h, x)) ** 2
        return (1 - self.share) * self._eye(h) + self.share * slope[..., None] * net.jacobian(h, x)


class MGRU(_Cell):
    """Minimal gated unit, ``h' = (1 - a z) h + a z tanh(W h + U x + b)`` with a gate ``z`` affine in h and x.

    It is the gnODE with no hidden layer, a tanh flow, and Euler steps.

    Parameters
    ----------
    latent_dim, input_dim, dt, tau, init, members, random_state
        As for `RNN`.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.maps import MGRU
    >>> MGRU(3, random_state=0).rates(torch.zeros(3)).shape
    torch.Size([3])
    """

    kind: ClassVar[str] = "mgru"
    nets: ClassVar[tuple[str, ...]] = ("candidate_net", "gate_net")

    def step(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        gate = torch.sigmoid(self._net("gate_net")(h, x))
        return self._towards(h, torch.tanh(self._net("candidate_net")(h, x)), gate)

    def step_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        gate_net, net = self._net("gate_net"), self._net("candidate_net")
        gate, target = torch.sigmoid(gate_net(h, x)), torch.tanh(net(h, x))
        moved = (1 - target**2)[..., None] * net.jacobian(h, x) - self._eye(h)
        by_gate = ((target - h) * gate * (1 - gate))[..., None] * gate_net.jacobian(h, x)
        return self._eye(h) + self.share * (gate[..., None] * moved + by_gate)


class GRU(_Cell):
    """Gated recurrent unit, an `MGRU` whose candidate reads ``h * r``: ``tanh(W (h * r) + U x + b)``.

    Parameters
    ----------
    latent_dim, input_dim, dt, tau, init, members, random_state
        As for `RNN`.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.maps import GRU
    >>> bool(GRU(3, random_state=0).step(torch.ones(2, 3)).abs().max() <= 1)
    True
    """

    kind: ClassVar[str] = "gru"
    nets: ClassVar[tuple[str, ...]] = ("candidate_net", "gate_net", "reset_net")

    def step(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        gate = torch.sigmoid(self._net("gate_net")(h, x))
        reset = torch.sigmoid(self._net("reset_net")(h, x))
        return self._towards(h, torch.tanh(self._net("candidate_net")(h * reset, x)), gate)

    def step_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        gate_net, reset_net, net = (self._net(n) for n in ("gate_net", "reset_net", "candidate_net"))
        gate, reset = torch.sigmoid(gate_net(h, x)), torch.sigmoid(reset_net(h, x))
        target = torch.tanh(net(h * reset, x))
        by_reset = (h * reset * (1 - reset))[..., None] * reset_net.jacobian(h, x)
        inner = torch.diag_embed(reset) + by_reset
        moved = (1 - target**2)[..., None] * (net.jacobian(h * reset, x) @ inner) - self._eye(h)
        by_gate = ((target - h) * gate * (1 - gate))[..., None] * gate_net.jacobian(h, x)
        return self._eye(h) + self.share * (gate[..., None] * moved + by_gate)


class LSTM(Map):
    """Long short-term memory, for reference; its state is ``(output, cell)``, so that latent_dim is even.

    Parameters
    ----------
    latent_dim : int
        Twice the number of units.
    input_dim : int
        Number of inputs.
    dt : float
        Step in seconds.
    init : {"glorot", "kaiming", "critical"}
        Initial weights; the forget gate's bias starts at 1.
    members : int, optional
        Population axis.
    random_state : int, numpy.random.Generator, optional
        Seed.

    Raises
    ------
    ValueError
        If `latent_dim` is odd.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.maps import LSTM
    >>> LSTM(6, 1, random_state=0).step(torch.zeros(2, 6), torch.ones(2, 1)).shape
    torch.Size([2, 6])

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), with forget gates.
    """

    kind: ClassVar[str] = "lstm"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        dt: float = 0.01,
        init: str = "glorot",
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(latent_dim, input_dim, dt=dt, members=members)
        if latent_dim % 2:
            raise ValueError(f"latent_dim={latent_dim!r} must be even: half output, half cell.")
        self.units = latent_dim // 2
        self._options["init"] = one_of(init, _INITS, "init")
        self.net = Network(self.units, input_dim, 4 * self.units, members=members)
        draw(self.net, init, seeded(random_state))
        with torch.no_grad():
            self.net.biases[0][..., self.units : 2 * self.units] += 1.0

    def step(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        output, cell = h.split(self.units, dim=-1)
        write, keep, candidate, show = self.net(output, x).chunk(4, dim=-1)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.cat([torch.sigmoid(show) * torch.tanh(cell), cell], dim=-1)


CELLS: dict[str, Any] = {cell.kind: cell for cell in (RNN, MGRU, GRU, LSTM)}
