"""What every dynamical system of this package offers: `VectorField`, `GatedField` and `Map`."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class VectorField(nn.Module):
    """Right-hand side of an ordinary differential equation, ``dh/dt = field(h, x)``, time in seconds.

    Subclasses implement `forward`; everything else has a default that they may replace by a closed form.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.
    input_dim : int
        Number I of external inputs; 0 for an autonomous field.
    members : int, optional
        Population axis: K fields of one shape in one module. Every parameter and buffer then has a leading
        axis of length K, states are (K, ..., N) and inputs (K, ..., I) or (1, ..., I).
    bound : float, optional
        If given, no coordinate of a state that starts within ``[-bound, bound]`` leaves it.

    Attributes
    ----------
    kind : str
        Name under which `neurognode.dynamics.build` finds the class.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics import VectorField
    >>> class Decay(VectorField):
    ...     def forward(self, h, x=None):
    ...         return -h / 0.5
    >>> field = Decay(latent_dim=2)
    >>> field.rates(torch.zeros(2)).real
    tensor([-2., -2.])
    """

    kind: ClassVar[str] = ""

    def __init__(
        self, latent_dim: int, input_dim: int = 0, *, members: int | None = None, bound: float | None = None
    ) -> None:
        super().__init__()
        for name, value, least in (("latent_dim", latent_dim, 1), ("input_dim", input_dim, 0)):
            if int(value) != value or value < least:
                raise ValueError(f"{name}={value!r} must be an integer of at least {least}.")
        if members is not None and members < 1:
            raise ValueError(f"members={members!r} must be None or an integer of at least 1.")
        self.latent_dim, self.input_dim = int(latent_dim), int(input_dim)
        self.members, self.bound = members, bound
        self._options: dict[str, Any] = {}

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return dh/dt in latent units per second; (..., N) and (..., I) to (..., N)."""
        raise NotImplementedError

    def jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the derivative of the field with respect to the state, (..., N, N), in 1/s."""
        return _autograd_jacobian(lambda z: self(z, x), h)

    def input_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the derivative of the field with respect to the input, (..., N, I)."""
        if x is None:
            x = h.new_zeros(*h.shape[:-1], self.input_dim)
        wide = x.expand(*h.shape[:-1], self.input_dim)
        return _autograd_jacobian(lambda z: self(h, z), wide)

    def speed(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the Euclidean norm of dh/dt, (...,), in latent units per second."""
        return torch.linalg.vector_norm(self(h, x), dim=-1)

    def rates(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the eigenvalues of the Jacobian, complex (..., N), in 1/s; a negative real part decays."""
        return torch.linalg.eigvals(self.jacobian(h, x).detach())

    def config(self) -> dict[str, Any]:
        """Return what `neurognode.dynamics.build` needs to make this module again, weights apart."""
        shape = {"latent_dim": self.latent_dim, "input_dim": self.input_dim, "members": self.members}
        return {"kind": self.kind, **shape, **copy.deepcopy(self._options)}

    def member(self, index: int) -> VectorField:
        """Return member `index` of a population as an ordinary field with its own copy of the weights.

        Raises
        ------
        ValueError
            If this is not a population or has no such member.
        """
        from neurognode.dynamics.population import member

        return member(self, index)

    def extra_repr(self) -> str:
        shown = {k: v for k, v in self.config().items() if k not in ("kind",) and v is not None}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())


class GatedField(VectorField):
    """A field of the form ``dh/dt = gate(h, x) * (drift(h, x) - h) / tau``.

    The gate, between 0 and 1, sets how fast the state moves; the drift, where it moves to. A closed gate
    stops the flow whatever the drift is, which is how gating makes continuous attractors easy to reach [1]_.

    Attributes
    ----------
    tau : Tensor
        Time constants in seconds, (N,) or (K, N).

    References
    ----------
    .. [1] Kim, Can and Krishnamurthy, "Trainability, Expressivity and Interpretability in Gated Neural
       ODEs", ICML 2023, arXiv:2307.06398.
    """

    leak: bool = True

    @property
    def tau(self) -> Tensor:
        raise NotImplementedError

    def gate(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the gate, between 0 and 1, (..., N)."""
        raise NotImplementedError

    def drift(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the target that the state relaxes to, (..., N), in latent units."""
        raise NotImplementedError

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        target = self.drift(h, x)
        flow = target - h if self.leak else target
        return self.gate(h, x) * flow / per_unit(self.tau, h, self.members)


class Map(VectorField):
    """A discrete-time system, ``h[k + 1] = step(h[k], x[k])``, with its own step `dt` in seconds.

    It answers as a `VectorField` does: ``forward`` is ``(step(h, x) - h) / dt``, and `rates` are
    ``log(eigenvalues of the step) / dt``, so that continuous and discrete systems are compared in 1/s.
    """

    def __init__(
        self,
        latent_dim: int,
        input_dim: int = 0,
        *,
        dt: float,
        members: int | None = None,
        bound: float | None = None,
    ) -> None:
        super().__init__(latent_dim, input_dim, members=members, bound=bound)
        if not dt > 0:
            raise ValueError(f"dt={dt!r} must be a positive time in seconds.")
        self.dt = float(dt)
        self._options["dt"] = self.dt

    def step(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the state one step later, (..., N)."""
        raise NotImplementedError

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return (self.step(h, x) - h) / self.dt

    def step_jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the derivative of one step with respect to the state, (..., N, N)."""
        return _autograd_jacobian(lambda z: self.step(z, x), h)

    def jacobian(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        step = self.step_jacobian(h, x)
        return (step - torch.eye(self.latent_dim, dtype=step.dtype, device=step.device)) / self.dt

    def rates(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        return torch.log(torch.linalg.eigvals(self.step_jacobian(h, x).detach())) / self.dt


def per_unit(values: Tensor, h: Tensor, members: int | None) -> Tensor:
    """Shape (N,) or (K, N) values so that they broadcast against states (..., N) or (K, ..., N)."""
    if members is None or values.dim() < 2:
        return values
    return values.reshape(values.shape[0], *([1] * (h.dim() - 2)), values.shape[-1])


def _autograd_jacobian(function: Any, point: Tensor) -> Tensor:
    """Jacobian of a function that acts on the last axis alone, by one reverse pass per output."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        z = point if (keep and point.requires_grad) else point.detach().requires_grad_()
        value = function(z)
        rows = [
            torch.autograd.grad(
                value[..., i].sum(), z, create_graph=keep, retain_graph=True, allow_unused=True
            )[0]
            if value.requires_grad
            else None
            for i in range(value.shape[-1])
        ]
    return torch.stack([torch.zeros_like(z) if r is None else r for r in rows], dim=-2)
