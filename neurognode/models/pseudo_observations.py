"""What the recording says about the state of each bin, as if the state itself had been measured with noise.

Given the state one bin earlier, the exact posterior of a linear Gaussian model is the prior prediction times
a Gaussian message from this and all later bins. The encoder supplies that message: a target and a precision
per bin. Then posterior mean, spread and divergence from the prior follow in closed form, and where the
process noise is small the recording can correct the prediction only a little: in the limit the path is an
autonomous one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

FULL_UP_TO = 4
"""Latents up to which precisions are full matrices; above, they are diagonal (cheaper, less exact)."""


class PseudoObservations(nn.Module):
    """Linear map from features to a target (..., N) and a root of the precision, (..., N, N) or (..., N).

    Parameters
    ----------
    features, latent_dim : int
        Widths of what comes in and of the state.
    sharpness : float
        Root of the precision at first, in 1/latent units. The inverse of the process noise of a bin lets recording
        and prediction weigh the same: paths then stay near what the encoder says while the field is still wrong,
        and gradients through them do not explode.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.pseudo_observations import PseudoObservations
    >>> target, root = PseudoObservations(8, 3)(torch.zeros(5, 8))
    >>> target.shape, root.shape
    (torch.Size([5, 3]), torch.Size([5, 3, 3]))
    """

    place: Tensor

    def __init__(self, features: int, latent_dim: int, sharpness: float = 1.0) -> None:
        super().__init__()
        self.latent_dim, self.full = latent_dim, latent_dim <= FULL_UP_TO
        n_root = latent_dim * (latent_dim + 1) // 2 if self.full else latent_dim
        self.linear = nn.Linear(features, latent_dim + n_root)
        rows, columns = torch.tril_indices(latent_dim, latent_dim)
        self.register_buffer("place", rows * latent_dim + columns, persistent=False)
        with torch.no_grad():
            nn.init.normal_(self.linear.weight, std=features**-0.5)
            self.linear.weight[latent_dim:] *= 0.1
            nn.init.zeros_(self.linear.bias)
            start = (
                torch.where(rows == columns, math.log(sharpness), 0.0) if self.full else math.log(sharpness)
            )
            self.linear.bias[latent_dim:] = start

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.split(self.linear(features))

    def split(self, linear: Tensor) -> tuple[Tensor, Tensor]:
        """Target and root of the precision, from what the linear map gave."""
        target, root = linear.split([self.latent_dim, self.linear.out_features - self.latent_dim], -1)
        if not self.full:
            return target, torch.exp(root.clamp(-8.0, 6.0))
        n = self.latent_dim
        matrix = (
            root.new_zeros(*root.shape[:-1], n * n).index_copy(-1, self.place, root).unflatten(-1, (n, n))
        )
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        return target, matrix - torch.diag_embed(diagonal) + torch.diag_embed(diagonal.clamp(-8.0, 6.0).exp())


class Conditional(NamedTuple):
    """Posterior of a state given its prediction: ``target - keep (target - prediction) + noise_root e``."""

    target: Tensor
    keep: Tensor
    noise_root: Tensor
    constant: Tensor
    std: Tensor

    def divergence(self, prediction: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the conditional posterior from N(prediction, std²), (...,)."""
        difference = self.target - prediction
        shift = difference - apply(self.keep, difference)
        return self.constant + 0.5 * (shift / self.std).square().sum(-1)


def conditional(target: Tensor, root: Tensor, std: Tensor) -> Conditional:
    """Combine a prior of deviation `std` (N,) with a message of precision ``root rootᵀ`` about `target`.

    Examples
    --------
    A message as sharp as the prior halves the way and the variance:

    >>> import torch
    >>> from neurognode.models.pseudo_observations import conditional
    >>> half = conditional(torch.ones(1), torch.ones(1, 1), torch.ones(1))
    >>> round(half.keep.item(), 6), round(half.noise_root.item() ** 2, 6)
    (0.5, 0.5)
    """
    if root.dim() == target.dim():
        precision = 1 + (std * root).square()
        keep = 1 / precision
        constant = 0.5 * (keep - 1 + precision.log()).sum(-1)
        return Conditional(target, keep, std * keep.sqrt(), constant, std)
    inverse = inverse_cholesky(std[:, None] * root)
    covariance = inverse.mT @ inverse
    log_det = -2 * inverse.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    constant = 0.5 * (inverse.square().sum((-2, -1)) - len(std) + log_det)
    return Conditional(target, std[:, None] * covariance / std, std[:, None] * inverse.mT, constant, std)


def inverse_cholesky(white: Tensor) -> Tensor:
    """Inverse of the lower Cholesky factor of ``I + white whiteᵀ``, for lower triangular `white` (..., N, N).

    Written out entry by entry, which for a few latents and many bins is several times faster than LAPACK's
    loop over matrices.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.pseudo_observations import inverse_cholesky
    >>> white = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    >>> root = inverse_cholesky(white)
    >>> bool(torch.allclose(root.mT @ root, torch.linalg.inv(torch.eye(2) + white @ white.mT), atol=1e-6))
    True
    """
    n = white.shape[-1]
    w = [list(row.unbind(-1)) for row in white.unbind(-2)]
    lower: list[list[Tensor]] = []
    inverse: list[list[Tensor]] = []
    for i in range(n):
        row: list[Tensor] = []
        for j in range(i + 1):
            entry = _dot(w[i][: j + 1], w[j][: j + 1])
            if j:
                entry = entry - _dot(row, (row if i == j else lower[j])[:j])
            row.append(torch.sqrt(1 + entry) if i == j else entry * inverse[j][j])
        lower.append(row)
        diagonal = row[i].reciprocal()
        before = [-diagonal * _dot(row[k:i], [inverse[m][k] for m in range(k, i)]) for k in range(i)]
        inverse.append([*before, diagonal])
    zero = torch.zeros_like(white[..., 0, 0])
    return torch.stack([torch.stack([*row, *[zero] * (n - len(row))], -1) for row in inverse], -2)


def _dot(left: list[Tensor], right: list[Tensor]) -> Tensor:
    total = left[0] * right[0]
    for a, b in zip(left[1:], right[1:]):
        total = torch.addcmul(total, a, b)
    return total


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """A matrix (..., N, N), or a diagonal (..., N), times a vector (..., N)."""
    return matrix * vector if matrix.dim() == vector.dim() else (matrix @ vector[..., None])[..., 0]
