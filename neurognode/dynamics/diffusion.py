"""Process noise: how much a latent is kicked, and simulating a field with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from neurognode.dynamics.base import VectorField, per_unit
from neurognode.dynamics.methods import METHODS
from neurognode.dynamics.network import Network
from neurognode.dynamics.problem import make_problem
from neurognode.errors import IntegrationError, one_of

DIFFUSION_KINDS = ("constant", "per_latent", "state")


class Diffusion(nn.Module):
    """Standard deviation of the process noise, in latent units per square root of a second.

    ``dh = field(h, x) dt + diffusion(h) dW``, with independent noise on every latent.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.
    kind : {"constant", "per_latent", "state"}
        One value for all latents, one for each, or a small net of the state with positive output.
    std : float or sequence of float
        Initial value; positive.
    hidden : sequence of int
        Hidden widths of the net of ``kind="state"``, whose output layer starts at zero, so that noise
        starts out the same everywhere.
    members : int, optional
        Population axis.
    random_state : int, numpy.random.Generator, optional
        Seed of the net's first weights.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.diffusion import Diffusion
    >>> Diffusion(2, std=0.5)(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """

    quick: ClassVar[tuple[str, ...]] = ("log_std",)
    """Parameters that the training moves faster than others."""

    def __init__(
        self,
        latent_dim: int,
        *,
        kind: str = "constant",
        std: float | Sequence[float] = 0.1,
        hidden: Sequence[int] = (32,),
        members: int | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.kind = one_of(kind, DIFFUSION_KINDS, "kind")
        start = torch.as_tensor(std, dtype=torch.get_default_dtype()).reshape(-1)
        width = 1 if kind == "constant" else latent_dim
        if start.numel() not in (1, width) or not bool((start > 0).all()):
            raise ValueError(f"std={std!r} must be positive, and one value or {width} of them.")
        self.latent_dim, self.members = latent_dim, members
        lead = () if members is None else (members,)
        self.log_std = nn.Parameter(start.log().expand(*lead, width).clone())
        self.net = (
            Network(latent_dim, 0, latent_dim, hidden=hidden, members=members) if kind == "state" else None
        )
        if self.net is not None:
            generator = torch.Generator().manual_seed(
                int(np.random.default_rng(random_state).integers(2**62))
            )
            with torch.no_grad():
                for weight in list(self.net.weights)[:-1]:
                    weight.copy_(torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[-1]))
        self._options = {"kind": kind, "std": start.tolist(), "hidden": [int(w) for w in hidden]}

    def forward(self, h: Tensor) -> Tensor:
        """Return the noise standard deviation at a state, (..., N) to (..., N)."""
        log_std = per_unit(self.log_std, h, self.members).expand_as(h)
        return torch.exp(log_std if self.net is None else log_std + self.net(h))

    def config(self) -> dict[str, Any]:
        """Return the arguments that make this module again, weights apart."""
        return {"latent_dim": self.latent_dim, "members": self.members, **self._options}

    def member(self, index: int) -> Diffusion:
        """Return member `index` of a population as an ordinary diffusion with a copy of the weights."""
        if self.members is None or not 0 <= index < self.members:
            raise ValueError(f"member {index!r} does not exist; there are {self.members or 'no members'}.")
        single = Diffusion(**{**self.config(), "members": None}).to(self.log_std)
        single.load_state_dict({name: value[index].clone() for name, value in self.state_dict().items()})
        return single


def simulate(
    field: VectorField,
    diffusion: Diffusion | float,
    h0: Tensor,
    times: Tensor | np.ndarray | Sequence[float],
    inputs: Tensor | None = None,
    generator: torch.Generator | None = None,
    *,
    noise: Tensor | None = None,
    substeps: int = 1,
    method: str = "euler",
) -> Tensor:
    """Sample a stochastic path by the Euler-Maruyama method, differentiable through its noise.

    Parameters
    ----------
    field : VectorField
        The drift of the stochastic differential equation.
    diffusion : Diffusion or float
        Noise standard deviation, latent units per square root of a second.
    h0 : Tensor, (B, N) or (K, B, N)
        Initial states.
    times : array, (T,)
        Seconds, strictly increasing.
    inputs : Tensor, (B, T, I) or (K, B, T, I), optional
        Held over each interval.
    generator : torch.Generator, optional
        Seeds the noise; a new unseeded one by default, never torch's global one.
    noise : Tensor, (S, ...h0.shape), optional
        Standard normal values to use instead, one set for each of the ``S = (T - 1) * substeps`` steps;
        the path is then a deterministic and differentiable function of everything (reparameterised).
    substeps : int
        Steps per interval.
    method : {"euler", "exponential_euler", "midpoint", "rk4"}
        How the drift is stepped. With ``exponential_euler`` the noise keeps its Euler-Maruyama size.

    Returns
    -------
    Tensor, (B, T, N) or (K, B, T, N)
        One path per initial state.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or value.
    IntegrationError
        If the path diverges.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.dynamics.diffusion import Diffusion, simulate
    >>> seeded = torch.Generator().manual_seed(0)
    >>> field = GNODE(2, random_state=0)
    >>> path = simulate(field, Diffusion(2), torch.zeros(3, 2), [0.0, 0.1], generator=seeded)
    >>> path.shape
    torch.Size([3, 2, 2])
    """
    one_of(method, METHODS, "method")
    problem = make_problem(
        field,
        h0,
        times,
        inputs,
        method=method,
        substeps=substeps,
        lengths=None,
        input_kind="hold",
        checkpoint=False,
    )
    steps = problem.steps
    if any(dt < 0 for dt in steps):
        raise ValueError("times must be increasing: a stochastic path has no backwards.")
    n_steps = len(steps) * substeps
    if noise is None:
        if generator is None:
            generator = torch.Generator(h0.device)
            generator.seed()
        noise = torch.randn(
            (n_steps, *h0.shape), generator=generator, dtype=h0.dtype, device=generator.device
        )
        noise = noise.to(h0.device)
    elif tuple(noise.shape) != (n_steps, *h0.shape):
        raise ValueError(f"noise has shape {tuple(noise.shape)}; expected {(n_steps, *h0.shape)}.")
    step = METHODS[method].step
    h, states = h0, [h0]
    for k, length in enumerate(steps):
        x = None if problem.inputs is None else problem.inputs[..., k, :]
        dt = length / substeps
        for i in range(substeps):
            scale = diffusion(h) if isinstance(diffusion, nn.Module) else diffusion
            kick = math.sqrt(dt) * scale * noise[k * substeps + i]
            h = step(field, h, lambda fraction, x=x: x, dt) + kick  # type: ignore[misc]
        states.append(h)
    path = torch.stack(states, dim=-2)
    if not bool(torch.isfinite(path[..., -1, :]).all()):
        raise IntegrationError(f"The path diverged before t={float(problem.times[-1]):g} s; use substeps=.")
    return path
