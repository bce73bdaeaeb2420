"""A field as numpy sees it: float64, one constant input, batched, stepped without noise or with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from neurognode.dynamics import integrate

Diffusion = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""States (n, N) and standard normal draws (n, N) -> noise (n, N) in latent units per sqrt(s)."""

STEP, LARGEST_STEP = 0.6, 1.5
"""A step of the built-in Runge-Kutta method times the rate that 95 % of states stay below, and times the fastest."""


class Flow:
    """A `VectorField` or `Map` in float64 with its input held constant, in and out as numpy arrays.

    Parameters
    ----------
    field : VectorField or Map
        The dynamics; copied, so that the fitted module keeps its precision and gradients.
    inputs : array of shape (I,), optional
        The constant input. Zeros where the field takes inputs and none are given.

    Raises
    ------
    ValueError
        If `field` is a population (take ``field.member(k)``), or `inputs` has another length than the field's.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import Flow
    >>> from neurognode.synthetic import circuits
    >>> flow = Flow(circuits.make("bistable").field)
    >>> flow.velocity(np.zeros((5, flow.dim))).shape
    (5, 2)
    """

    def __init__(self, field: Any, inputs: np.ndarray | None = None) -> None:
        if getattr(field, "members", None) is not None:
            raise ValueError("A population of fields has no single portrait. Take one with field.member(k).")
        self.field = copy.deepcopy(field).double().cpu().eval().requires_grad_(False)
        self.dim = int(field.latent_dim)
        self.is_map = hasattr(field, "step") and hasattr(field, "dt")
        self.map_step = float(field.dt) if self.is_map else 0.0
        self.dtype = torch.float64
        self.inputs = self._constant(inputs, int(getattr(field, "input_dim", 0) or 0))

    @staticmethod
    def _constant(inputs: np.ndarray | None, size: int) -> torch.Tensor | None:
        if size == 0:
            return None
        values = np.zeros(size) if inputs is None else np.asarray(inputs, float).reshape(-1)
        if values.shape != (size,):
            raise ValueError(f"inputs has {values.size} values; this field takes {size} inputs.")
        return torch.as_tensor(values, dtype=torch.float64)

    def single(self) -> Flow:
        """The same flow in single precision, for what need not be exact."""
        light = copy.copy(self)
        light.dtype, light.field = torch.float32, copy.deepcopy(self.field).float()
        light.inputs = None if self.inputs is None else self.inputs.float()
        return light

    def _x(self, h: torch.Tensor) -> torch.Tensor | None:
        return None if self.inputs is None else self.inputs.expand(*h.shape[:-1], -1)

    def tensor_velocity(self, h: torch.Tensor) -> torch.Tensor:
        """dh/dt at states (n, N), latent units per second, as a tensor."""
        return self.field(h, self._x(h))

    @torch.no_grad()
    def velocity(self, states: np.ndarray) -> np.ndarray:
        """dh/dt at states (n, N), latent units per second."""
        return self.tensor_velocity(torch.as_tensor(states, dtype=self.dtype)).numpy()

    def jacobian(self, states: np.ndarray, chunk: int = 4096) -> np.ndarray:
        """d(dh/dt)/dh at states (n, N), shape (n, N, N), in 1/s."""
        return self._pieces(lambda h: self.field.jacobian(h, self._x(h)), states, chunk)

    @property
    def has_target(self) -> bool:
        """Whether the field is gated: gate * (drift - h) / tau, with a closed form for the drift's derivative."""
        return getattr(self.field, "leak", False) and hasattr(self.field, "drift_jacobian")

    def tensor_open_velocity(self, h: torch.Tensor) -> torch.Tensor:
        """The velocity with all gates open: it has the same zeros, and closed gates do not hide them."""
        if not self.has_target:
            return self.tensor_velocity(h)
        return (self.field.drift(h, self._x(h)) - h) / self.field.tau

    @torch.no_grad()
    def open_velocity(self, states: np.ndarray) -> np.ndarray:
        """The velocity with all gates open at states (n, N), latent units per second."""
        return self.tensor_open_velocity(torch.as_tensor(states, dtype=self.dtype)).numpy()

    def open_jacobian(self, states: np.ndarray, chunk: int = 4096) -> np.ndarray:
        """Derivative of `open_velocity`, (n, N, N)."""
        if not self.has_target:
            return self.jacobian(states, chunk)
        eye, tau = torch.eye(self.dim, dtype=self.dtype), self.field.tau
        return self._pieces(
            lambda h: (self.field.drift_jacobian(h, self._x(h)) - eye) / tau[:, None], states, chunk
        )

    def rates(self, states: np.ndarray, chunk: int = 4096) -> np.ndarray:
        """Eigenvalues of the local dynamics in 1/s, complex (n, N), the slowest decaying first.

        NaN where the Jacobian is not finite.
        """
        jacobian = self.jacobian(states, chunk)
        good = np.isfinite(jacobian).all((1, 2))
        values = np.full(jacobian.shape[:2], np.nan, complex)
        if good.any():
            values[good] = self.to_rates(np.linalg.eigvals(jacobian[good]))
        order = np.argsort(np.where(np.isnan(values.real), np.inf, -values.real), axis=1, kind="stable")
        return np.take_along_axis(values, order, 1)

    def to_rates(self, eigenvalues: np.ndarray) -> np.ndarray:
        """Eigenvalues of the velocity's Jacobian -> continuous rates in 1/s (only a map changes them)."""
        if not self.is_map:
            return eigenvalues.astype(complex)
        with np.errstate(divide="ignore"):
            return np.log(1 + eigenvalues.astype(complex) * self.map_step) / self.map_step

    def _pieces(self, function: Callable[..., torch.Tensor], states: np.ndarray, chunk: int) -> np.ndarray:
        tensor = torch.as_tensor(states, dtype=self.dtype)
        parts = [function(piece).detach() for piece in torch.split(tensor, chunk)]
        return torch.cat(parts).numpy() if parts else np.empty((0, self.dim, self.dim))

    def time_step(self, states: np.ndarray, duration: float) -> float:
        """A step in seconds that resolves the rates met at `states`; a map has its own."""
        if self.is_map:
            return self.map_step
        rates = np.abs(self.rates(states[:: max(1, len(states) // 200)])).max(1)
        rates = rates[np.isfinite(rates)]
        usual, fastest = (np.percentile(rates, 95), rates.max()) if len(rates) else (0.0, 0.0)
        step = min(STEP / max(usual, 1e-12), LARGEST_STEP / max(fastest, 1e-12))
        return float(np.clip(step, duration / 20000, duration / 200))

    @torch.no_grad()
    def path(
        self,
        states: np.ndarray,
        times: np.ndarray,
        *,
        step: float | None = None,
        diffusion: Diffusion | None = None,
        rng: np.random.Generator | None = None,
        limit: float = np.inf,
    ) -> np.ndarray:
        """Follow the flow from `states` (n, N): shape (n, T, N) at `times` (T,), the first being the start.

        Runge-Kutta of order 4 without noise, Euler-Maruyama with `diffusion`; a map is iterated. States that
        leave the ball of radius `limit` around the mean start, or stop being finite, become NaN and stay so. In
        single precision the compiled kernels do it, several times faster.
        """
        h = torch.tensor(np.asarray(states), dtype=self.dtype)
        out = np.full((len(h), len(times), self.dim), np.nan)
        out[:, 0] = h.numpy()
        if not len(h):
            return out
        step = self.time_step(np.asarray(states), float(times[-1] - times[0])) if step is None else step
        centre = h.mean(0)
        for k, gap in enumerate(np.diff(times)):
            count = max(1, round(gap / step)) if self.is_map else max(1, int(np.ceil(gap / step - 1e-9)))
            if diffusion is None and self.dtype == torch.float32 and not self.is_map:
                h = self._compiled(h, float(gap), count)
            else:
                for _ in range(count):
                    h = self._advance(h, gap / count, diffusion, rng)
            lost = ~(torch.linalg.vector_norm(h - centre, dim=1) <= limit)
            h[lost] = torch.nan
            out[:, k + 1] = h.numpy()
        return out

    def _compiled(self, h: torch.Tensor, gap: float, count: int) -> torch.Tensor:
        """`count` Runge-Kutta steps by the kernels of `neurognode.dynamics.integrate`."""
        good = torch.isfinite(h).all(1)
        if not good.any():
            return h
        x = None if self.inputs is None else self.inputs.expand(int(good.sum()), 2, -1)
        moved = integrate(self.field, h[good], [0.0, gap], x, "rk4", count, check=False)[:, -1]
        return h.index_put((good,), moved)

    def _advance(
        self, h: torch.Tensor, dt: float, diffusion: Diffusion | None, rng: np.random.Generator | None
    ) -> torch.Tensor:
        f = self.tensor_velocity
        if self.is_map:
            h_next = h + f(h) * self.map_step
        elif diffusion is not None:
            h_next = h + f(h) * dt
        else:
            a = f(h)
            b = f(h + 0.5 * dt * a)
            c = f(h + 0.5 * dt * b)
            h_next = h + dt / 6 * (a + 2 * b + 2 * c + f(h + dt * c))
        if diffusion is None:
            return h_next
        generator = np.random.default_rng() if rng is None else rng
        noise = diffusion(h.numpy(), generator.standard_normal(tuple(h.shape)))
        return h_next + np.sqrt(dt) * torch.as_tensor(noise, dtype=h.dtype)

    def end(self, states: np.ndarray, duration: float, **options: Any) -> np.ndarray:
        """Where the flow has taken `states` (n, N) after `duration` seconds, (n, N). Options as for `path`."""
        return self.path(states, np.array([0.0, duration]), **options)[:, -1]


def as_diffusion(diffusion: Any, dim: int) -> Diffusion | None:
    """Make noise out of a description of it.

    Parameters
    ----------
    diffusion : None, float, array (N,) or (N, N), module with ``std(states)``, or function
        Standard deviations in latent units per sqrt(s); a matrix mixes independent noise; a function gets
        states and standard normal draws, both (n, N), and returns the noise.
    dim : int
        Number of latents.

    Raises
    ------
    ValueError
        If it is none of these, or an array of another size.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import as_diffusion
    >>> as_diffusion(0.5, 2)(np.zeros((1, 2)), np.ones((1, 2))).tolist()
    [[0.5, 0.5]]
    """
    if diffusion is None:
        return None
    if isinstance(diffusion, torch.nn.Module):
        return _from_module(diffusion)
    if callable(diffusion):
        return diffusion
    values = np.asarray(diffusion, float)
    if values.shape == (dim, dim):
        return lambda states, draws: draws @ values.T
    if values.size not in (1, dim) or not np.all(values.reshape(-1) >= 0):
        raise ValueError(
            f"diffusion must be one or {dim} standard deviations >= 0 or a ({dim}, {dim}) matrix, got {diffusion!r}."
        )
    return lambda states, draws: draws * values.reshape(-1)


def _from_module(module: torch.nn.Module) -> Diffusion:
    own = copy.deepcopy(module).double().cpu().eval().requires_grad_(False)
    deviation = getattr(own, "std", own)

    def noise(states: np.ndarray, draws: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return draws * deviation(torch.as_tensor(states)).numpy()

    return noise
