"""The gated neural ODE and its ungated special case, of any depth and width of flow and gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from neurognode.dynamics.base import GatedField, per_unit
from neurognode.dynamics.initialization import initialize
from neurognode.dynamics.network import Network


class GNODE(GatedField):
    """Gated neural ODE, ``tau dh/dt = G(h, x) * (F(h, x) - h)``.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.
    input_dim : int
        Number I of external inputs.
    hidden : sequence of int
        Widths of the hidden layers of the flow F; empty for an affine one.
    gate_hidden : sequence of int or None
        The same for the gate G; the paper's gate is a sigmoid of an affine map, ``()``. None: as `hidden`.
    activation : {"tanh", "relu", "silu", "softplus", "gelu", "sigmoid", "identity"}
        Nonlinearity of the hidden layers.
    bounded : float or bool
        If given, ``F = bounded * tanh(net / bounded)``; True means 1. A field with a bounded flow and a
        leak (and no gain) keeps every trajectory that starts within the bound inside it.
    gated : bool
        False fixes G at 1: the neural ODE.
    tau : float or sequence of float
        Time constant in seconds, one or one per latent.
    learn_tau : bool
        Learn one time constant per latent (as its logarithm), starting from `tau`.
    leak : bool
        False drops the ``-h``.
    gain : bool
        Multiply F by a learned scalar that starts at 1.
    layer_norm : bool
        Normalise what hidden layers receive.
    input_mode : {"additive", "modulating"}
        Whether the input is added to the first layer or multiplies it.
    gate_slope : float
        ``G = sigmoid(gate_slope * net)``; 10 makes a nearly binary gate.
    init : {"critical", "critical_closed", "critical_numeric", "glorot", "kaiming"}
        See `neurognode.dynamics.initialization.initialize`.
    spread : float
        Standard deviation of the first hidden layers' biases at the start. With tanh and biases near 0 the flow is
        at first an odd function of the state; gated flows then learn products of latents slowly, or get stuck.
    members : int, optional
        Population axis: K independent fields in one module.
    random_state : int, numpy.random.Generator, optional
        Seed of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import GNODE, integrate
    >>> field = GNODE(2, input_dim=1, hidden=(16,), random_state=0)
    >>> integrate(field, torch.zeros(4, 2), torch.arange(5) * 0.01, torch.ones(4, 5, 1)).shape
    torch.Size([4, 5, 2])

    References
    ----------
    Kim, Can and Krishnamurthy, "Trainability, Expressivity and Interpretability in Gated Neural ODEs",
    ICML 2023, arXiv:2307.06398.
    """

    kind: ClassVar[str] = "gnode"

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        hidden: Sequence[int] = (64, 64),
        gate_hidden: Sequence[int] | None = (),
        activation: str = "tanh",
        bounded: float | bool = False,
        gated: bool = True,
        tau: float | Sequence[float] = 0.1,
        learn_tau: bool = False,
        leak: bool = True,
        gain: bool = False,
        layer_norm: bool = False,
        input_mode: str = "additive",
        gate_slope: float = 1.0,
        init: str = "critical",
        spread: float = 1e-3,
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        scale = float(bounded)
        if scale < 0 or not np.isfinite(scale):
            raise ValueError(f"bounded={bounded!r} must be False, True or a positive number.")
        holds = bool(scale and leak and not gain)
        super().__init__(latent_dim, input_dim, members=members, bound=scale if holds else None)
        self.scale, self.gated, self.leak, self.gate_slope = scale, gated, leak, float(gate_slope)
        gate_hidden = tuple(hidden if gate_hidden is None else gate_hidden)
        common: dict[str, Any] = {
            "activation": activation, "layer_norm": layer_norm, "input_mode": input_mode, "members": members
        }  # fmt: skip
        self.drift_net = Network(latent_dim, input_dim, latent_dim, hidden=hidden, **common)
        self.gate_net = (
            Network(latent_dim, input_dim, latent_dim, hidden=gate_hidden, **common) if gated else None
        )
        self._seconds = _time_constants(tau, latent_dim)
        self._tau: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        if learn_tau:
            start = torch.tensor(self._seconds).log()
            self.log_tau = nn.Parameter(start if members is None else start.repeat(members, 1))
        self.gain = nn.Parameter(torch.ones((1,) if members is None else (members, 1))) if gain else None
        self._options = {
            "hidden": [int(w) for w in hidden],
            "gate_hidden": [int(w) for w in gate_hidden],
            "activation": activation,
            "bounded": scale or False,
            "gated": gated,
            "tau": list(self._seconds),
            "learn_tau": learn_tau,
            "leak": leak,
            "gain": gain,
            "layer_norm": layer_norm,
            "input_mode": input_mode,
            "gate_slope": self.gate_slope,
            "init": init,
            "spread": spread,
        }
        initialize(self, init, spread=spread, random_state=random_state)

    @property
    def learn_tau(self) -> bool:
        """Whether the time constants are parameters."""
        return "log_tau" in self._parameters

    @property
    def tau(self) -> Tensor:
        """Time constants in seconds, (N,) or (K, N)."""
        if self.learn_tau:
            return self.log_tau.exp()
        like = self.drift_net.weights[0]
        key = (like.dtype, like.device)
        if key not in self._tau:
            seconds = torch.tensor(self._seconds, dtype=like.dtype, device=like.device)
            self._tau[key] = seconds if self.members is None else seconds.repeat(self.members, 1)
        return self._tau[key]

    def drift(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        u = self.drift_net(h, x)
        target = self.scale * torch.tanh(u / self.scale) if self.scale else u
        return target if self.gain is None else per_unit(self.gain, h, self.members) * target

    def gate(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        if self.gate_net is None:
            return torch.ones_like(h)
        return torch.sigmoid(self.gate_slope * self.gate_net(h, x))

    def drift_jacobian(self, h: Tensor, x: Tensor | None = None, *, of: str = "state") -> Tensor:
        """Return the derivative of the drift with respect to the state, or ``of="input"``."""
        jacobian = self.drift_net.jacobian(h, x, of=of)
        if self.scale:
            jacobian = (1 - torch.tanh(self.drift_net(h, x) / self.scale) ** 2)[..., None] * jacobian
        return jacobian if self.gain is None else per_unit(self.gain, h, self.members)[..., None] * jacobian

    def gate_jacobian(self, h: Tensor, x: Tensor | None = None, *, of: str = "state") -> Tensor:
        """Return the derivative of the gate with respect to the state, or ``of="input"``."""
        if self.gate_net is None:
            return h.new_zeros(*h.shape, self.latent_dim if of == "state" else self.input_dim)
        gate = self.gate(h, x)
        return (self.gate_slope * gate * (1 - gate))[..., None] * self.gate_net.jacobian(h, x, of=of)

    def jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        own = torch.eye(self.latent_dim, dtype=h.dtype, device=h.device) if self.leak else 0.0
        return self._assemble(h, x, self.drift_jacobian(h, x) - own, self.gate_jacobian(h, x))

    def input_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return self._assemble(
            h, x, self.drift_jacobian(h, x, of="input"), self.gate_jacobian(h, x, of="input")
        )

    def _assemble(self, h: Tensor, x: Tensor | None, flow_part: Tensor, gate_part: Tensor) -> Tensor:
        flow = self.drift(h, x) - h if self.leak else self.drift(h, x)
        total = self.gate(h, x)[..., None] * flow_part + flow[..., None] * gate_part
        return total / per_unit(self.tau, h, self.members)[..., None]


class NODE(GNODE):
    """Neural ODE, ``tau dh/dt = F(h, x) - h``: a `GNODE` whose gate is fixed at 1.

    Parameters
    ----------
    latent_dim, input_dim : int
        Widths N and I.
    **options
        As for `GNODE`, without the gate's.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import NODE
    >>> bool((NODE(2, hidden=(8,)).gate(torch.randn(3, 2)) == 1).all())
    True
    """

    kind: ClassVar[str] = "node"

    def __init__(self, latent_dim: int, input_dim: int = 0, **options: Any) -> None:
        for name in ("gated", "gate_hidden", "gate_slope"):
            options.pop(name, None)
        super().__init__(latent_dim, input_dim, gated=False, **options)
        for name in ("gated", "gate_hidden", "gate_slope"):
            self._options.pop(name)


def _time_constants(tau: float | Sequence[float], latent_dim: int) -> list[float]:
    seconds = np.asarray(tau, dtype=float).reshape(-1)
    if seconds.size not in (1, latent_dim):
        raise ValueError(f"tau has {seconds.size} values; expected 1 or latent_dim={latent_dim}.")
    if not (seconds > 0).all() or not np.isfinite(seconds).all():
        raise ValueError(f"tau={tau!r} must be positive and finite (seconds).")
    return np.broadcast_to(seconds, latent_dim).tolist()
