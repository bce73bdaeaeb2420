"""What an encoder offers: `Encoder`."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Encoder(nn.Module):
    """Turn the recorded bins of a trial into features from which the latents are inferred.

    A plug-in author subclasses this, sets `causal`, and implements `forward`. Bins at or after a trial's
    length must have no influence on the features of the bins before it.

    Parameters
    ----------
    n_inputs : int
        Width of what it sees in a bin.
    features : int
        Width of what it returns for a bin.
    stride : int
        Bins per time step of what it returns.

    Attributes
    ----------
    causal : bool
        True if the features of a bin depend on that bin and earlier ones only.
    """

    causal: ClassVar[bool] = False

    def __init__(self, n_inputs: int, features: int, stride: int = 1) -> None:
        super().__init__()
        self.n_inputs, self.features, self.stride = n_inputs, features, stride

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features of the trials.

        Parameters
        ----------
        x : Tensor, (trial, time, n_inputs)
            What was recorded.
        lengths : Tensor, (trial,), optional
            Bins of each trial; None if all are full.

        Returns
        -------
        Tensor, (trial, ceil(time / stride), features)
        """
        raise NotImplementedError
