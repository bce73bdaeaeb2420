"""Affine maps between the latent spaces of models that saw the same trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Affine:
    """``h -> h @ linear + offset``.

    Attributes
    ----------
    linear : array, (N, M)
        Linear part.
    offset : array, (M,)
        Offset.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models.alignment import align
    >>> h = np.random.default_rng(0).normal(size=(50, 2))
    >>> bool(np.allclose(align(h, 2 * h + 1)(h), 2 * h + 1))
    True
    """

    linear: np.ndarray
    offset: np.ndarray

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Map states (..., N) to (..., M)."""
        return states @ self.linear + self.offset

    def matrix(self) -> np.ndarray:
        """Linear part above the offset, (N + 1, M)."""
        return np.vstack([self.linear, self.offset])

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> Affine:
        """The inverse of `matrix`."""
        return cls(matrix[:-1], matrix[-1])


def align(states: np.ndarray, reference: np.ndarray) -> Affine:
    """Least-squares affine map from `states` (n, N) to `reference` (n, M)."""
    design = np.hstack([states, np.ones((len(states), 1))]).astype(float)
    solution = np.linalg.lstsq(design, reference.astype(float), rcond=1e-6)[0]
    return Affine.from_matrix(solution)
