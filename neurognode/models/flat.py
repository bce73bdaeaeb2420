"""`FlatLatentDynamics`: latent dynamics of one long recording given as a 2-D array, for scikit-learn pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neurognode.models.estimator import LatentDynamics
from neurognode.trials import make_trials


class FlatLatentDynamics(TransformerMixin, BaseEstimator):
    """`LatentDynamics` for an array of shape (bins, units), one row after another in time.

    The recording is cut into windows of `window` bins, the last of which may be shorter. Rows are neighbours in time,
    so that the answer for a row depends on the rows around it, and their order matters.

    Parameters
    ----------
    latent_dim : int
        Number N of latents.
    window : int
        Bins of a window.
    kind : {"counts", "calcium", "continuous"}
        What the columns are.
    bin_size : float
        Seconds per bin.
    max_steps : int
        Optimiser steps.
    random_state : int or Generator, optional
        Seed.
    options : dict, optional
        Further settings of `LatentDynamics`.

    Attributes
    ----------
    model_ : LatentDynamics
        The fitted model.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models.flat import FlatLatentDynamics
    >>> x = np.random.default_rng(0).normal(size=(230, 5))
    >>> FlatLatentDynamics(2, window=50, max_steps=2, random_state=0).fit_transform(x).shape
    (230, 2)
    """

    def __init__(
        self,
        latent_dim: int = 1,
        *,
        window: int = 50,
        kind: str = "continuous",
        bin_size: float = 0.01,
        max_steps: int = 1000,
        random_state: int | np.random.Generator | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.window = window
        self.kind = kind
        self.bin_size = bin_size
        self.max_steps = max_steps
        self.random_state = random_state
        self.options = options

    def fit(self, X: Any, y: None = None) -> FlatLatentDynamics:
        """Fit to rows in temporal order, (bins, units)."""
        array = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        model = LatentDynamics(
            self.latent_dim,
            max_steps=self.max_steps,
            random_state=self.random_state,
            progress=False,
            **(self.options or {}),
        )
        self.model_ = model.fit(self._windows(array))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Posterior mean latents, (bins, N)."""
        check_is_fitted(self, "model_")
        array = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        latents = self.model_.transform(self._windows(array))
        assert isinstance(latents, xr.DataArray)
        rows = latents.values.reshape(-1, latents.sizes["latent"])[: len(array)]
        return rows.astype(array.dtype)

    def _windows(self, array: np.ndarray) -> xr.Dataset:
        width = min(self.window, len(array))
        missing = -len(array) % width
        padded = np.concatenate([array, np.zeros((missing, array.shape[1]))])
        observed = np.arange(len(padded)) < len(array)
        values = padded.reshape(-1, width, array.shape[1])
        return make_trials(
            values, bin_size=self.bin_size, kind=self.kind, observed=observed.reshape(-1, width)
        )
