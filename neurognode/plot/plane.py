"""A plane in latent space, for looking at flows of three and more latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Plane:
    """An origin and two axes in latent space, orthonormal unless they are outputs.

    Attributes
    ----------
    origin : array of shape (N,)
        A point of the plane.
    axes : array of shape (2, N)
        Directions; a coordinate is the inner product with one.
    names : tuple of str
        Labels of the axes.
    share : float
        Share of the visited states' variance that the plane holds; NaN for outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.plot import Plane
    >>> plane = Plane.through(np.random.default_rng(0).normal(size=(100, 4)) * [3, 2, 0.1, 0.1])
    >>> plane.project(np.zeros((7, 4))).shape, plane.share > 0.99
    ((7, 2), True)
    """

    origin: np.ndarray
    axes: np.ndarray
    names: tuple[str, str]
    share: float

    @classmethod
    def through(cls, states: np.ndarray) -> Plane:
        """The plane of most variance of `states` (n, N); two latents are taken as they are.

        Raises
        ------
        ValueError
            If there are fewer than two latents or no finite state.
        """
        states = np.asarray(states, float)
        states = states[np.isfinite(states).all(1)]
        if states.ndim != 2 or states.shape[1] < 2 or not len(states):
            raise ValueError(f"A plane needs finite states of two latents or more, got shape {states.shape}.")
        if states.shape[1] == 2:
            return cls(np.zeros(2), np.eye(2), ("latent 0", "latent 1"), 1.0)
        centre = states.mean(0)
        _, scale, directions = np.linalg.svd(states - centre, full_matrices=False)
        axes = directions[:2] * np.where(directions[:2].sum(1, keepdims=True) < 0, -1, 1)
        share = float((scale[:2] ** 2).sum() / max((scale**2).sum(), 1e-300))
        return cls(centre, axes, ("first principal latent", "second principal latent"), share)

    @classmethod
    def of_readout(
        cls, weight: np.ndarray, bias: np.ndarray, names: tuple[str, str] = ("output 0", "output 1")
    ) -> Plane:
        """The plane of two outputs ``y = weight h + bias``: pictures are then in output coordinates.

        Parameters
        ----------
        weight : array of shape (2, N)
            Of a linear readout (or of two of its outputs).
        bias : array of shape (2,)
            Its offset.
        names : tuple of str
            Labels of the axes.

        Raises
        ------
        ValueError
            If the two outputs do not span a plane.

        Examples
        --------
        >>> import numpy as np
        >>> from neurognode.plot import Plane
        >>> plane = Plane.of_readout(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([0.0, 3.0]))
        >>> plane.project(np.ones(2)).round(9).tolist(), plane.lift(np.array([2.0, 5.0])).round(9).tolist()
        ([2.0, 5.0], [1.0, 1.0])
        """
        weight, bias = np.asarray(weight, float), np.asarray(bias, float)
        size = np.linalg.svd(weight, compute_uv=False) if weight.ndim == 2 else np.zeros(1)
        if weight.shape[0] != 2 or len(size) < 2 or not size[1] > 1e-9 * size[0]:
            raise ValueError(
                f"weight of shape {weight.shape} spans no plane; two independent outputs are needed."
            )
        return cls(-np.linalg.pinv(weight) @ bias, weight, names, float("nan"))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Coordinates in the plane: (..., N) to (..., 2)."""
        return (np.asarray(points, float) - self.origin) @ self.axes.T

    def turn(self, velocities: np.ndarray) -> np.ndarray:
        """Components of velocities along the plane's axes: (..., N) to (..., 2)."""
        return np.asarray(velocities, float) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Points of latent space that lie in the plane: (..., 2) to (..., N)."""
        return self.origin + np.asarray(points, float) @ np.linalg.pinv(self.axes).T

    def lift_onto(self, points: np.ndarray, states: np.ndarray, neighbours: int = 30) -> np.ndarray:
        """Like `lift`, but moved off the plane to where the visited states lie above and below it.

        The offset is the mean of the `neighbours` nearest states' components outside the plane, so that a
        curved sheet of states is followed instead of cut.
        """
        from scipy.spatial import cKDTree

        lifted = self.lift(points)
        if states.shape[1] == 2:
            return lifted
        flat = self.project(states)
        off = states - self.lift(flat)
        _, index = cKDTree(flat).query(points, k=min(neighbours, len(states)))
        return lifted + off[index.reshape(*points.shape[:-1], -1)].mean(-2)
