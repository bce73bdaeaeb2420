"""A `Circuit` is a known dynamical system with the answers an analysis of it should give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from neurognode.dynamics.base import VectorField

RandomState = int | np.random.Generator | None
Start = Callable[[int, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class AnswerKey:
    """What is true of a circuit with its input switched off.

    Attributes
    ----------
    fixed_points : array of shape (P, N)
        Every isolated fixed point; a continuum is in `manifold` instead.
    eigenvalues : complex array of shape (P, N)
        Of the Jacobian at each fixed point, in 1/s, largest real part first.
    stable : bool array of shape (P,)
        True where every eigenvalue has a negative real part.
    topology : str
        Shape of the attracting set: ``points``, ``line``, ``ring``, ``plane``, ``torus``, ``cycle``,
        ``strange``, or ``none`` where states leave for good.
    n_attractors : int
        How many separate attractors there are; a continuum counts as one.
    text : str
        The answer in one sentence.
    period : float or None
        Of the limit cycle, in seconds.
    exponents : array of shape (N,) or None
        Lyapunov exponents of the attracting set, in 1/s, largest first (Floquet exponents of a cycle).
    manifold : array of shape (M, N) or None
        A dense sample of the attracting continuum, cycle or strange set.
    """

    fixed_points: np.ndarray
    eigenvalues: np.ndarray
    stable: np.ndarray
    topology: str
    n_attractors: int
    text: str
    period: float | None = None
    exponents: np.ndarray | None = None
    manifold: np.ndarray | None = None


def answer_key(
    points: Any,
    eigenvalues: Any,
    topology: str,
    n_attractors: int,
    text: str,
    *,
    latent_dim: int,
    **more: Any,
) -> AnswerKey:
    """Build an `AnswerKey` with its eigenvalues sorted and its stability worked out from them."""
    points = np.asarray(points, float).reshape(-1, latent_dim)
    values = np.asarray(eigenvalues, complex).reshape(-1, latent_dim)
    order = np.lexsort((values.imag, -values.real), axis=-1)
    values = np.take_along_axis(values, order, axis=-1)
    stable = np.asarray((values.real < 0).all(axis=1))
    return AnswerKey(points, values, stable, topology, n_attractors, text, **more)


@dataclass(frozen=True, eq=False)
class Pulses:
    """External input made of rectangular pulses, and what a trial table says about it.

    Attributes
    ----------
    onset, offset : array of shape (trial, pulse)
        In seconds from the start of the trial.
    amplitude : array of shape (trial, pulse, input)
        Height of each pulse; a pulse of height zero is no pulse.
    columns : dict of name to array of shape (trial,)
        For the trial table.
    """

    onset: np.ndarray
    offset: np.ndarray
    amplitude: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def at(self, times: np.ndarray) -> np.ndarray:
        """Input at the given times (s), shape (trial, time, input).

        Examples
        --------
        >>> import numpy as np
        >>> from neurognode.synthetic.circuits.base import Pulses
        >>> pulses = Pulses(np.array([[0.1]]), np.array([[0.3]]), np.array([[[2.0]]]))
        >>> pulses.at(np.array([0.0, 0.1, 0.2, 0.3]))[0, :, 0].tolist()
        [0.0, 2.0, 2.0, 0.0]
        """
        clock = np.asarray(times, float)[None, :, None] + 1e-9
        on = (clock >= self.onset[:, None]) & (clock < self.offset[:, None])
        return np.einsum("btp,bpi->bti", on.astype(float), self.amplitude)


@dataclass(frozen=True, eq=False)
class Simulation:
    """Latent trajectories simulated from a circuit.

    Attributes
    ----------
    times : array of shape (time,)
        Seconds from the start of the trial.
    latents : array of shape (trial, time, latent)
    inputs : array of shape (trial, time, input) or None
    columns : dict of name to array of shape (trial,)
        Trial table: conditions of the stimulus, labels such as the choice.
    """

    times: np.ndarray
    latents: np.ndarray
    inputs: np.ndarray | None
    columns: dict[str, np.ndarray]


Stimulus = Callable[[int, np.random.Generator], Pulses]
Label = Callable[[Simulation], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Circuit:
    """A known dynamical system dh/dt = field(h, x) + noise, with its answer key.

    Attributes
    ----------
    name : str
    field : VectorField
        The exact flow, in float64; latent units per second.
    hypothesis : str
        The hypothesis that is true of it, or ``"none"``.
    key : AnswerKey
    noise : array of shape (N, N)
        Mixing of the Wiener noise, latent units per square root of a second.
    duration : float
        Length of a trial in seconds.
    start : callable
        ``(n, rng) -> (n, N)`` initial states.
    stimulus : callable or None
        ``(n, rng) -> Pulses``.
    label : callable or None
        ``Simulation -> columns``, for what is known only after the trial, such as the choice.
    also_true : tuple of str
        Other hypotheses that are not wrong about this circuit.
    parameters : mapping
        What it was made with.
    """

    name: str
    field: VectorField
    hypothesis: str
    key: AnswerKey
    noise: np.ndarray
    duration: float
    start: Start
    stimulus: Stimulus | None = None
    label: Label | None = None
    also_true: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def latent_dim(self) -> int:
        """Dimension of the state."""
        return self.field.latent_dim

    @property
    def diffusion(self) -> np.ndarray:
        """Standard deviation of the noise of each latent, per square root of a second, shape (N,)."""
        return np.sqrt((self.noise**2).sum(axis=1))

    def initial(self, n_trials: int, random_state: RandomState = 0) -> np.ndarray:
        """Initial states, shape (trial, latent)."""
        return self.start(n_trials, np.random.default_rng(random_state))

    def inputs(self, n_trials: int, times: np.ndarray, random_state: RandomState = 0) -> np.ndarray | None:
        """External input at the given times, shape (trial, time, input), or None where there is none."""
        if self.stimulus is None:
            return None
        return self.stimulus(n_trials, np.random.default_rng(random_state)).at(times)

    def simulate(
        self,
        n_trials: int,
        *,
        duration: float | None = None,
        dt: float = 0.002,
        noisy: bool = True,
        random_state: RandomState = 0,
    ) -> Simulation:
        """Simulate trials with noise.

        The drift is advanced with the classical Runge-Kutta step and the noise with Euler-Maruyama, which
        for additive noise is of order four in the drift and strong order one in the noise.

        Parameters
        ----------
        n_trials : int
        duration : float, optional
            Seconds; the circuit's own by default.
        dt : float
            Step in seconds.
        noisy : bool
            False leaves the noise out.
        random_state : int, Generator or None

        Returns
        -------
        Simulation
            With states at 0, dt, 2 dt, ... up to and including `duration`.

        Examples
        --------
        >>> from neurognode.synthetic import circuits
        >>> circuits.make("ring").simulate(3, duration=0.1).latents.shape
        (3, 51, 2)
        """
        rng = np.random.default_rng(random_state)
        n_steps = round((self.duration if duration is None else duration) / dt)
        times = np.arange(n_steps + 1) * dt
        state = self.start(n_trials, rng)
        pulses = None if self.stimulus is None else self.stimulus(n_trials, rng)
        inputs = None if pulses is None else pulses.at(times)
        mixing = self.noise * np.sqrt(dt) * noisy
        latents = np.empty((n_trials, n_steps + 1, self.latent_dim))
        latents[:, 0] = state
        with torch.no_grad():
            for k in range(n_steps):
                drive = None if inputs is None else inputs[:, k]
                state = _runge_kutta(self.field, state, drive, dt)
                state = state + rng.standard_normal(state.shape) @ mixing.T
                latents[:, k + 1] = state
        columns = {} if pulses is None else dict(pulses.columns)
        simulation = Simulation(times, latents, inputs, columns)
        if self.label is not None:
            columns.update(self.label(simulation))
        return simulation


def _runge_kutta(flow: VectorField, state: np.ndarray, drive: np.ndarray | None, dt: float) -> np.ndarray:
    h = torch.from_numpy(np.ascontiguousarray(state))
    x = None if drive is None else torch.from_numpy(np.ascontiguousarray(drive))
    k1 = flow(h, x)
    k2 = flow(h + dt / 2 * k1, x)
    k3 = flow(h + dt / 2 * k2, x)
    k4 = flow(h + dt * k3, x)
    return (h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)).numpy()


def diagonal(*std: float) -> np.ndarray:
    """Noise mixing with independent noise of the given standard deviations."""
    return np.diag(np.asarray(std, float))
