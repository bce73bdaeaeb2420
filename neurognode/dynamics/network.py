"""The feed-forward net inside a field: input enters at the first layer; with a population axis if asked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neurognode.dynamics.activations import get_activation
from neurognode.errors import one_of

INPUT_MODES = ("additive", "modulating")
_EPSILON = 1e-5


def affine(h: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply ``weight`` to the last axis of ``h``; a 3-D weight (K, out, in) acts member by member."""
    if weight.dim() == 2:
        return nn.functional.linear(h, weight, bias)
    out = torch.matmul(h.reshape(h.shape[0], -1, h.shape[-1]), weight.mT)
    if bias is not None:
        out = out + bias[:, None]
    return out.reshape(out.shape[0], *h.shape[1:-1], out.shape[-1])


def match_input(h: Tensor, x: Tensor | None, input_dim: int) -> Tensor | None:
    """Give an input as many axes as the state, and none at all where a field takes none.

    Raises
    ------
    ValueError
        If the field takes inputs and they are missing or of another width.
    """
    if input_dim == 0:
        return None
    if x is None:
        return h.new_zeros(*([1] * (h.dim() - 1)), input_dim)
    if x.shape[-1] != input_dim:
        raise ValueError(f"x has {x.shape[-1]} inputs on its last axis; the field takes {input_dim}.")
    return x.reshape(*([1] * (h.dim() - x.dim())), *x.shape) if x.dim() < h.dim() else x


class Network(nn.Module):
    """A multilayer perceptron of the state, with the input at its first layer.

    ``s = act(norm(W0 h) + U x + b0)``, then ``s = act(norm(W s) + b)`` per hidden layer, then ``W s + b``.
    With ``input_mode="modulating"`` the first layer is ``act((norm(W0 h) + b0) * (1 + U x))``.

    Parameters
    ----------
    latent_dim, input_dim, out_dim : int
        Widths N, I and that of the output.
    hidden : sequence of int
        Widths of the hidden layers; empty for an affine map.
    activation : str
        See `neurognode.dynamics.activations.get_activation`.
    layer_norm : bool
        Normalise what each hidden layer receives from the one before (no affine part).
    input_mode : {"additive", "modulating"}
        How the input enters.
    members : int, optional
        Population axis.

    Examples
    --------
    >>> import torch
    >>> from neurognode.dynamics.network import Network
    >>> Network(3, 2, 4, hidden=(8,))(torch.zeros(5, 3), torch.zeros(5, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        latent_dim: int,
        input_dim: int,
        out_dim: int,
        *,
        hidden: Sequence[int] = (),
        activation: str = "tanh",
        layer_norm: bool = False,
        input_mode: str = "additive",
        members: int | None = None,
    ) -> None:
        super().__init__()
        if any(int(w) != w or w < 1 for w in hidden):
            raise ValueError(f"hidden={tuple(hidden)!r} must hold positive integers only.")
        self.input_mode = one_of(input_mode, INPUT_MODES, "input_mode")
        self.input_dim, self.layer_norm, self.members = input_dim, layer_norm, members
        self.hidden = tuple(int(w) for w in hidden)
        self.activation = get_activation(activation)
        widths = [latent_dim, *self.hidden, out_dim]
        lead = () if members is None else (members,)
        self.weights = nn.ParameterList(torch.zeros(*lead, o, i) for i, o in itertools.pairwise(widths))
        self.biases = nn.ParameterList(torch.zeros(*lead, o) for o in widths[1:])
        self.input_weight = nn.Parameter(torch.zeros(*lead, widths[1], input_dim)) if input_dim else None

    def forward(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        last = len(self.weights) - 1
        s = h
        for layer in range(last + 1):
            u = self._pre_activation(layer, s, h, x)
            s = self.activation(u) if layer < last else u
        return s

    def jacobian(self, h: Tensor, x: Tensor | None = None, *, of: str = "state") -> Tensor:
        """Return the derivative with respect to the state (..., out, N) or, ``of="input"``, the input."""
        last = len(self.weights) - 1
        s, tangent = h, torch.empty(0)
        for layer in range(last + 1):
            u = self._pre_activation(layer, s, h, x)
            tangent = self._first_tangent(h, x, of) if layer == 0 else self._tangent(layer, s, tangent)
            if layer < last:
                s, tangent = self.activation(u), self.activation.derivative(u)[..., None] * tangent
        return tangent

    def _bias(self, layer: int, h: Tensor) -> Tensor:
        bias = self.biases[layer]
        return bias if self.members is None else bias.reshape(self.members, *[1] * (h.dim() - 2), -1)

    def _pre_activation(self, layer: int, s: Tensor, h: Tensor, x: Tensor | None) -> Tensor:
        weight = self.weights[layer]
        if self.layer_norm and layer < len(self.weights) - 1:
            u = _normalise(affine(s, weight))[0] + self._bias(layer, h)
        else:
            u = affine(s, weight, self.biases[layer])
        x = match_input(h, x, self.input_dim)
        if layer or x is None or self.input_weight is None:
            return u
        drive = affine(x, self.input_weight)
        return u + drive if self.input_mode == "additive" else u * (1 + drive)

    def _matrix(self, weight: Tensor, h: Tensor) -> Tensor:
        if self.members is None:
            return weight
        return weight.reshape(self.members, *[1] * (h.dim() - 2), *weight.shape[-2:])

    def _first_tangent(self, h: Tensor, x: Tensor | None, of: str) -> Tensor:
        x = match_input(h, x, self.input_dim)
        weight = self._matrix(self.weights[0], h)
        normed = self.layer_norm and len(self.weights) > 1
        plain = affine(h, self.weights[0])
        if of == "state":
            tangent = weight.expand(*h.shape[:-1], *weight.shape[-2:])
            if normed:
                tangent = _normalise_tangent(plain, tangent)
            if x is None or self.input_mode == "additive" or self.input_weight is None:
                return tangent
            return (1 + affine(x, self.input_weight))[..., None] * tangent
        if self.input_weight is None:
            return h.new_zeros(*h.shape[:-1], weight.shape[-2], 0)
        tangent = self._matrix(self.input_weight, h)
        tangent = tangent.expand(*h.shape[:-1], *tangent.shape[-2:])
        if self.input_mode == "additive":
            return tangent
        u = (_normalise(plain)[0] if normed else plain) + self._bias(0, h)
        return u[..., None] * tangent

    def _tangent(self, layer: int, s: Tensor, tangent: Tensor) -> Tensor:
        weight = self.weights[layer]
        out = self._matrix(weight, s) @ tangent
        if self.layer_norm and layer < len(self.weights) - 1:
            out = _normalise_tangent(affine(s, weight), out)
        return out


def _normalise(u: Tensor) -> tuple[Tensor, Tensor]:
    centred = u - u.mean(-1, keepdim=True)
    scale = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + _EPSILON)
    return centred * scale, scale


def _normalise_tangent(u: Tensor, tangent: Tensor) -> Tensor:
    y, scale = _normalise(u)
    centred = tangent - tangent.mean(-2, keepdim=True)
    along = (y[..., None] * tangent).mean(-2, keepdim=True)
    return scale[..., None] * (centred - y[..., None] * along)
