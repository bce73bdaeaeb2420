"""How complex a trajectory a field can generate, as a function of its latents and of the form of its flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurognode.models import TaskNetwork
from neurognode.synthetic import smooth_trajectories


@dataclass(frozen=True, eq=False)
class Expressivity:
    """Errors of fitting random smooth trajectories.

    Attributes
    ----------
    latent_dims : array (n,)
        Numbers of latents N.
    errors : array (n, seed)
        Mean squared error over the variance of the targets, at the best learning rate.
    length_scale : float
        Of the targets, in seconds; complexity is its inverse.
    """

    latent_dims: np.ndarray
    errors: np.ndarray
    length_scale: float

    def critical_dim(self, limit: float = 0.05) -> float:
        """Smallest number of latents with a median error below `limit`; infinite if there is none."""
        return _critical(self.latent_dims, self.errors, limit)

    def interval(self, limit: float = 0.05, n_resamples: int = 1000) -> tuple[float, float]:
        """95 % interval of `critical_dim`, by resampling seeds."""
        rng = np.random.default_rng(0)
        n_seeds = self.errors.shape[1]
        draws = rng.integers(n_seeds, size=(n_resamples, n_seeds))
        found = [_critical(self.latent_dims, self.errors[:, rows], limit) for rows in draws]
        low, high = np.quantile(found, [0.025, 0.975], method="nearest")
        return float(low), float(high)


def expressivity(
    latent_dims: Sequence[int] = (2, 4, 8, 16),
    *,
    dynamics: str = "gnode",
    dynamics_options: Mapping[str, Any] | None = None,
    length_scale: float = 0.2,
    n_trajectories: int = 4,
    output_dim: int = 2,
    n_seeds: int = 3,
    learning_rate: Sequence[float] = (3e-3, 1e-2),
    max_steps: int = 2000,
    random_state: int = 0,
) -> Expressivity:
    """Fit the same random trajectories with fields of different numbers of latents.

    Targets are drawn from a Gaussian process with a squared-exponential covariance. Every trajectory has a
    learned initial state; the readout is linear; there is no input. An autonomous flow cannot pass through one
    state with two velocities, so trajectories of `output_dim` D that cross need more than D latents, whatever the
    form of the flow.

    Parameters
    ----------
    latent_dims : sequence of int
    dynamics, dynamics_options
        Of the field; its time constant is 0.1 s unless given.
    length_scale : float
        Of the targets, in seconds; trials last 1 s.
    n_trajectories, output_dim : int
        How many targets there are and how many channels they have.
    n_seeds : int
        Initial weights.
    learning_rate : sequence of float
        The best is taken for every seed.
    max_steps : int
    random_state : int

    Returns
    -------
    Expressivity

    References
    ----------
    After Kim, Can and Krishnamurthy, ICML 2023, arXiv:2307.06398, section on expressivity; the details are ours.

    Examples
    --------
    >>> from neurognode.evaluation import expressivity
    >>> found = expressivity((1, 3), dynamics_options={"hidden": (16,)}, n_seeds=2, max_steps=3)
    >>> found.errors.shape
    (2, 2)
    """
    times, targets = smooth_trajectories(
        n_trajectories, output_dim, length_scale=length_scale, random_state=random_state
    )
    errors = [
        _errors(targets, float(times[1]), n, dynamics, dynamics_options, n_seeds, learning_rate, max_steps)
        for n in latent_dims
    ]
    return Expressivity(np.asarray(latent_dims), np.asarray(errors), length_scale)


def _errors(
    targets: np.ndarray,
    dt: float,
    latent_dim: int,
    dynamics: str,
    options: Mapping[str, Any] | None,
    n_seeds: int,
    learning_rate: Sequence[float],
    max_steps: int,
) -> list[float]:
    net = TaskNetwork(
        latent_dim,
        dynamics=dynamics,
        dynamics_options={"tau": 0.1, "init": "critical_closed", **(options or {})},
        initial_state="per_trial",
        method="exponential_euler",
        dt=dt,
        n_members=n_seeds,
        learning_rate=list(learning_rate),
        batch_size=len(targets),
        max_steps=max_steps,
        validate_every=25,
        random_state=0,
        progress=False,
    ).fit(None, targets)
    return [min(m["validation_loss"] for m in net.members_ if m["seed"] == s) for s in range(n_seeds)]


def _critical(latent_dims: np.ndarray, errors: np.ndarray, limit: float) -> float:
    good = np.median(errors, axis=1) < limit
    return float(np.min(latent_dims[good])) if good.any() else float("inf")
