"""Pointwise nonlinearities of the fields, each with its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neurognode.errors import one_of


@dataclass(frozen=True)
class Activation:
    """A pointwise function and its first derivative, both taking the pre-activation."""

    name: str
    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]

    def __call__(self, u: Tensor) -> Tensor:
        return self.function(u)


def _silu_derivative(u: Tensor) -> Tensor:
    s = torch.sigmoid(u)
    return s * (1 + u * (1 - s))


def _gelu_derivative(u: Tensor) -> Tensor:
    density = torch.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    return torch.special.ndtr(u) + u * density


def _softplus(u: Tensor) -> Tensor:
    return torch.logaddexp(u, torch.zeros((), dtype=u.dtype, device=u.device))


def _tanh_derivative(u: Tensor) -> Tensor:
    return 1 - torch.tanh(u) ** 2


def _relu_derivative(u: Tensor) -> Tensor:
    return (u > 0).to(u.dtype)


def _sigmoid_derivative(u: Tensor) -> Tensor:
    return torch.sigmoid(u) * torch.sigmoid(-u)


def _identity(u: Tensor) -> Tensor:
    return u


ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("tanh", torch.tanh, _tanh_derivative),
        Activation("relu", torch.relu, _relu_derivative),
        Activation("silu", torch.nn.functional.silu, _silu_derivative),
        Activation("softplus", _softplus, torch.sigmoid),
        Activation("gelu", torch.nn.functional.gelu, _gelu_derivative),
        Activation("sigmoid", torch.sigmoid, _sigmoid_derivative),
        Activation("identity", _identity, torch.ones_like),
    )
}


def get_activation(name: str) -> Activation:
    """Look an activation up by name.

    Parameters
    ----------
    name : {"tanh", "relu", "silu", "softplus", "gelu", "sigmoid", "identity"}
        Which function; ``gelu`` is the exact one (error function), not its tanh approximation.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.activations import get_activation
    >>> get_activation("tanh").derivative(torch.zeros(1))
    tensor([1.])
    """
    return ACTIVATIONS[one_of(name, ACTIVATIONS, "activation")]
