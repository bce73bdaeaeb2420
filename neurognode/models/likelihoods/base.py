"""What an observation model offers: `Likelihood`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn


class Likelihood(nn.Module):
    """Probability of the recorded signal given its location, unit by unit.

    A plug-in author subclasses this, sets the three class attributes and implements `log_prob`, `expected`
    and `sample`. The location comes out of a readout: expected counts in a bin for counts, otherwise a value
    in the signal's own units.

    Parameters
    ----------
    n_units : int
        Number U of units; learned parameters have one value per unit.

    Attributes
    ----------
    signal : {"counts", "continuous"}
        What it is for.
    support : {"counts", "binary", "real", "nonnegative"}
        Values it gives probability to.
    readout : str
        The readout that is used unless another is asked for.
    """

    signal: ClassVar[str] = "counts"
    support: ClassVar[str] = "counts"
    readout: ClassVar[str] = "exp"

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.n_units = n_units

    def initialise(self, values: np.ndarray, observed: np.ndarray) -> None:
        """Set parameters from training data (trial, time, unit); the default leaves them."""

    def log_prob(self, values: Tensor, location: Tensor, observed: Tensor | None = None) -> Tensor:
        """Log probability (density), (..., time, unit); arbitrary where not `observed`."""
        raise NotImplementedError

    def expected(self, location: Tensor) -> Tensor:
        """Expected signal, (..., time, unit)."""
        raise NotImplementedError

    def sample(self, location: Tensor) -> Tensor:
        """One draw of the signal, (..., time, unit), from torch's random state."""
        raise NotImplementedError

    def check(self, values: np.ndarray, observed: np.ndarray, units: np.ndarray) -> None:
        """Raise a ValueError that names the units whose values this likelihood gives no probability to."""
        seen = np.where(observed, values, 0)
        wrong = {
            "counts": (seen < 0) | (seen != np.round(seen)),
            "binary": (seen != 0) & (seen != 1),
            "nonnegative": seen < 0,
            "real": ~np.isfinite(seen),
        }[self.support]
        bad = units[wrong.any(axis=(0, 1))]
        if len(bad):
            need = {
                "counts": "whole numbers of at least 0",
                "binary": "0 or 1",
                "nonnegative": "values of at least 0",
                "real": "finite values",
            }[self.support]
            shown = ", ".join(str(u) for u in bad[:10]) + (
                f" and {len(bad) - 10} more" if len(bad) > 10 else ""
            )
            raise ValueError(f"{type(self).__name__} needs {need}; these units have others: {shown}.")


def unit_parameter(n_units: int, value: float) -> nn.Parameter:
    """A learned parameter with one value per unit."""
    return nn.Parameter(torch.full((n_units,), float(value)))
