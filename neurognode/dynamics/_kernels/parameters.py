"""The weights of a gated field as the kernels read them: layer by layer, drift before gate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from neurognode.dynamics.base import GatedField, VectorField
from neurognode.dynamics.gnode import GNODE


def weights_of(field: GNODE) -> int:
    """Number of entries of the matrices of one member, without those of the input."""
    nets = [net for net in (field.drift_net, field.gate_net) if net is not None]
    chains = [(field.latent_dim, *net.hidden, field.latent_dim) for net in nets]
    return sum(a * b for chain in chains for a, b in itertools.pairwise(chain))


def reason_against(
    field: VectorField,
    method: str,
    methods: Sequence[str],
    activations: Sequence[str],
    dtype: torch.dtype,
) -> str | None:
    """Return why a kernel for gated fields cannot take this field, or None if it can."""
    if not isinstance(field, GNODE):
        return f"the field is a {type(field).__name__}, not a GNODE"
    kind = type(field)
    if (kind.drift, kind.gate, kind.forward) != (GNODE.drift, GNODE.gate, GatedField.forward):
        return f"{kind.__name__} replaces the drift, the gate or the field of GNODE"
    if method not in methods:
        return f"the method is {method!r}; it has {', '.join(methods)}"
    for wrong, what in (
        (not field.leak, "the field has no leak"),
        (field.gain is not None, "the field has a gain"),
        (field.drift_net.layer_norm, "the field has layer norm"),
        (field.drift_net.input_mode != "additive", "the input of the field is not additive"),
        (field.drift_net.weights[0].dtype != dtype, "states and weights have different types"),
    ):
        if wrong:
            return what
    name = field.drift_net.activation.name
    hidden = field.drift_net.hidden or (field.gate_net is not None and field.gate_net.hidden)
    if hidden and name not in activations:
        return f"the activation is {name!r}; it has {', '.join(activations)}"
    return None


class Parameters:
    """Weights, input weights and biases of a gated field, layer by layer.

    Parameters
    ----------
    field : GNODE
        The field.
    with_inputs : bool
        False leaves the input weights out, for a problem without inputs.

    Attributes
    ----------
    tensors : list of Tensor
        For each layer of the drift, then of the gate: matrix, input matrix (first layers only), bias.
    layers : list of (bool, float)
        Whether a layer has an input matrix, and what its output is multiplied by.
    widths : tuple of list of int
        Outputs of each layer of the drift, and of the gate.
    """

    def __init__(self, field: GNODE, *, with_inputs: bool) -> None:
        self.members = field.members
        self.tensors: list[Tensor] = []
        self.layers: list[tuple[bool, float]] = []
        self.widths: tuple[list[int], list[int]] = ([], [])
        for net, widths in zip((field.drift_net, field.gate_net), self.widths):
            if net is None:
                continue
            weights, biases = list(net.weights), list(net.biases)
            drive = net.input_weight if with_inputs else None
            for layer, (weight, bias) in enumerate(zip(weights, biases)):
                last_of_gate = net is field.gate_net and layer == len(weights) - 1
                self.layers.append(
                    (layer == 0 and drive is not None, field.gate_slope if last_of_gate else 1.0)
                )
                self.tensors += [weight, bias] if layer or drive is None else [weight, drive, bias]
                widths.append(bias.shape[-1])

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return `tensors` in one row, one after the other."""
        return torch.cat([tensor.reshape(-1) for tensor in tensors])

    def unpack(self, row: Tensor) -> list[Tensor]:
        """Cut a row such as `pack` makes into the shapes of `tensors`."""
        pieces = row.split([tensor.numel() for tensor in self.tensors])
        return [piece.view_as(tensor) for piece, tensor in zip(pieces, self.tensors)]
