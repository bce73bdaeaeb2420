"""The parts of a fitted `LatentDynamics` under the names that its users ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from neurognode.dynamics import Diffusion, VectorField
from neurognode.models.pruning import sparsity
from neurognode.models.readouts import Readout

if TYPE_CHECKING:
    from neurognode.models.network import LatentNetwork
    from neurognode.models.recorded import Recorded


class FittedParts:
    """Properties of an estimator that has a ``network_`` and ``sessions_``."""

    network_: LatentNetwork
    sessions_: list[Recorded]

    @property
    def units_(self) -> np.ndarray:
        """Ids of the units of the first session."""
        return self.sessions_[0].units

    @property
    def active_(self) -> np.ndarray:
        """Which of `units_` ever change; the others are kept out of the fit."""
        return self.sessions_[0].active

    @property
    def seen_(self) -> np.ndarray:
        """Which of `units_` the encoder sees."""
        return self.sessions_[0].seen

    @property
    def mean_(self) -> np.ndarray:
        """Mean signal of each of `units_` in a bin of the training trials."""
        return self.sessions_[0].mean

    @property
    def field_(self) -> VectorField:
        """The fitted field."""
        check_is_fitted(self, "network_")
        return self.network_.path.field

    @property
    def sparsity_(self) -> float:
        """Share of the weights of the flow that are zero."""
        return sparsity(self.field_)

    @property
    def diffusion_(self) -> Diffusion | None:
        """The fitted process noise, None if the model has none."""
        check_is_fitted(self, "network_")
        return self.network_.path.diffusion if self.network_.noise_factor else None

    @property
    def readout_(self) -> Readout:
        """The fitted readout."""
        check_is_fitted(self, "network_")
        return self.network_.readout
