"""Poisson regression of many units at once."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from neurognode.metrics import poisson_nll

ALPHAS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


class PoissonRegression:
    """Log-linear Poisson regression with a ridge penalty, all outputs at once.

    Minimises ``mean over rows of sum over units (rate - count log rate) + alpha / 2 |weights|^2`` on
    standardised features.

    Parameters
    ----------
    alpha : float
        Ridge penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.evaluation.glm import PoissonRegression
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(5000, 1))
    >>> counts = rng.poisson(np.exp(0.5 * x - 1.0))
    >>> model = PoissonRegression(1e-6).fit(x, counts)
    >>> np.log(model.predict(np.array([[1.0]]))).round(1).item()
    -0.5
    """

    def __init__(self, alpha: float = 1e-2) -> None:
        self.alpha = alpha

    def fit(self, x: np.ndarray, counts: np.ndarray, weight: np.ndarray | None = None) -> PoissonRegression:
        """Fit to rows.

        Parameters
        ----------
        x : array (row, feature)
        counts : array (row, unit)
        weight : array (row, unit), optional
            0 leaves an entry out.
        """
        self.centre_, self.scale_ = x.mean(axis=0), x.std(axis=0) + 1e-9
        z = (x - self.centre_) / self.scale_
        w = np.ones(counts.shape) if weight is None else np.asarray(weight, float)
        total = np.maximum(w.sum(axis=0), 1)
        base = np.log(np.maximum((w * counts).sum(axis=0) / total, 1e-6))
        shape = (z.shape[1] + 1, counts.shape[1])
        first = getattr(self, "coefficients_", None)
        start = np.vstack([np.zeros((shape[0] - 1, shape[1])), base]) if first is None else first

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            b = flat.reshape(shape)
            drive = np.clip(z @ b[:-1] + b[-1], -20, 10)
            rate = np.exp(drive)
            slope = w * (rate - counts) / total
            value = (w * (rate - counts * drive) / total).sum() + self.alpha / 2 * (b[:-1] ** 2).sum()
            grad = np.vstack([z.T @ slope + self.alpha * b[:-1], slope.sum(axis=0)])
            return float(value), grad.ravel()

        found = minimize(
            loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-9}
        )
        self.coefficients_ = found.x.reshape(shape)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Expected counts, shape (..., unit)."""
        z = (x - self.centre_) / self.scale_
        return np.exp(np.clip(z @ self.coefficients_[:-1] + self.coefficients_[-1], -20, 10))

    def nll(self, x: np.ndarray, counts: np.ndarray, weight: np.ndarray) -> float:
        """Summed negative log likelihood in nats of the entries that `weight` keeps."""
        return float((poisson_nll(self.predict(x), counts) * weight).sum())
