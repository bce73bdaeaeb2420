"""Tensor maximum entropy: only the covariances over times, units and trials are those of the data.

Elsayed and Cunningham 2017, Nat. Neurosci. 20:1310. The distribution of largest entropy with given expected marginal
covariances is Gaussian, its covariance diagonal in the product of their eigenvectors, with entries
1 / (a_i + b_j + c_k); the a, b, c minimise a convex function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import minimize

from neurognode import trials as schema
from neurognode.surrogates.base import RandomState, with_signal

NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class TensorMaximumEntropy:
    """A Gaussian distribution of tensors (A, B, C) with given mean and marginal covariances.

    Attributes
    ----------
    mean : array (A, B, C)
    vectors : tuple of three arrays
        Eigenvectors of the marginal covariances, one a column; null directions left out.
    deviations : array (a, b, c)
        Standard deviation along each product of eigenvectors.
    error : float
        Largest relative error of the marginal eigenvalues.
    """

    mean: np.ndarray
    vectors: tuple[np.ndarray, np.ndarray, np.ndarray]
    deviations: np.ndarray
    error: float

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """One tensor (A, B, C)."""
        draw = rng.standard_normal(self.deviations.shape) * self.deviations
        return self.mean + np.einsum("ai,bj,ck,ijk->abc", *self.vectors, draw, optimize=True)


def fit_maximum_entropy(tensor: np.ndarray) -> TensorMaximumEntropy:
    """Fit the distribution to one tensor (A, B, C), such as (time, unit, condition).

    The mean that is kept is the sum of the means over each axis alone (the tensor's marginal means), as in
    Elsayed and Cunningham.

    Raises
    ------
    ValueError
        If the tensor is not finite, or constant.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.surrogates import fit_maximum_entropy
    >>> tensor = np.random.default_rng(0).normal(size=(10, 4, 6)) * np.arange(1, 5)[None, :, None]
    >>> fit_maximum_entropy(tensor).error < 0.01
    True
    """
    tensor = np.asarray(tensor, float)
    if tensor.ndim != 3 or not np.isfinite(tensor).all():
        raise ValueError(f"A finite tensor with three axes is needed, got shape {tensor.shape}.")
    residual = _without_means(tensor)
    size = float((residual**2).sum())
    if size <= 0:
        raise ValueError("The tensor is constant along its axes; it has no covariance to keep.")
    values, vectors = [], []
    for axis in range(3):
        flat = np.moveaxis(residual, axis, 0).reshape(residual.shape[axis], -1)
        eigenvalues, basis = np.linalg.eigh(flat @ flat.T)
        kept = eigenvalues > NOTHING * eigenvalues.max()
        values.append(eigenvalues[kept] / size)
        vectors.append(basis[:, kept])
    multipliers = _multipliers(values)
    total = _sum(multipliers)
    error = max(
        float(np.max(np.abs((1 / total).sum(tuple(a for a in range(3) if a != axis)) / values[axis] - 1)))
        for axis in range(3)
    )
    return TensorMaximumEntropy(
        tensor - residual, (vectors[0], vectors[1], vectors[2]), np.sqrt(size / total), error
    )


def _without_means(tensor: np.ndarray) -> np.ndarray:
    out = tensor
    for axis in range(3):
        out = out - out.mean(axis, keepdims=True)
    return out


def _sum(multipliers: list[np.ndarray]) -> np.ndarray:
    a, b, c = multipliers
    return a[:, None, None] + b[None, :, None] + c[None, None, :]


def _multipliers(values: list[np.ndarray]) -> list[np.ndarray]:
    """Minimise sum(value * multiplier) - sum(log(a + b + c)) over positive multipliers, in their logarithms."""
    sizes = [len(v) for v in values]
    cuts = np.cumsum(sizes)[:-1]
    product = float(np.prod(sizes))
    start = np.concatenate([np.log(product / (3 * len(v) * np.maximum(v, 1e-6))) for v in values])

    def objective(logs: np.ndarray) -> tuple[float, np.ndarray]:
        parts = np.split(np.exp(logs), cuts)
        total = _sum(parts)
        inverse = 1 / total
        gradient = [
            (values[axis] - inverse.sum(tuple(a for a in range(3) if a != axis))) * parts[axis]
            for axis in range(3)
        ]
        value = sum(float(v @ p) for v, p in zip(values, parts)) - float(np.log(total).sum())
        return value, np.concatenate(gradient)

    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 3000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-9},
    )
    return np.split(np.exp(found.x), cuts)


def tensor_maximum_entropy(trials: xr.Dataset, random_state: RandomState = None) -> xr.Dataset:
    """Draw trials from the maximum-entropy distribution with the recording's covariances.

    Keeps the means over each axis and, in expectation, the covariances between times, between units and between
    trials. Destroys every structure beyond them, such as a flow shared by all trials. Counts come out as real
    numbers, cut off at zero, and so the result is a continuous signal in everything but name; average over
    conditions first where that is what is analysed.

    Parameters
    ----------
    trials : Trials
        Recording; bins that were not observed are taken as the unit's mean.
    random_state : int, Generator or None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode import make_trials, surrogates
    >>> trials = make_trials(np.random.default_rng(0).poisson(2.0, size=(5, 20, 3)), bin_size=0.02)
    >>> surrogates.tensor_maximum_entropy(trials, 0).counts.shape
    (5, 20, 3)
    """
    schema.validate(trials)
    signal, mask = schema.signal(trials), schema.observed(trials)
    values = np.where(mask, signal.values, 0.0).astype(float)
    mean = values.sum((0, 1)) / np.maximum(mask.sum((0, 1)), 1)
    filled = np.where(mask, values, mean)
    drawn = fit_maximum_entropy(filled).sample(np.random.default_rng(random_state))
    if signal.name == "counts":
        drawn = np.maximum(drawn, 0.0)
    return with_signal(trials, drawn, "tensor_maximum_entropy")
