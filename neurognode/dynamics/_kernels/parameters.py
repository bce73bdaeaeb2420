"""The weights of a gated field as the kernels read them: one row per member, layer by layer, bias last."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurognode.dynamics.base import GatedField, VectorField
from neurognode.dynamics.gnode import GNODE


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
    """Weights, input weights and biases of a gated field, and their packing into one matrix.

    Parameters
    ----------
    field : GNODE
        The field.
    with_inputs : bool
        False leaves the input weights out, for a problem without inputs.
    """

    def __init__(self, field: GNODE, *, with_inputs: bool) -> None:
        self.members = field.members
        self.slope = field.gate_slope
        self.tensors: list[Tensor] = []
        self.layers: list[tuple[bool, float]] = []
        self.unused: list[int] = []
        for net in (field.drift_net, field.gate_net):
            if net is None:
                continue
            for layer, weight in enumerate(net.weights):
                steep = self.slope if net is field.gate_net and layer == len(net.weights) - 1 else 1.0
                first = layer == 0 and net.input_weight is not None and with_inputs
                self.layers.append((first, steep))
                self.tensors.append(weight)
                if first and net.input_weight is not None:
                    self.tensors.append(net.input_weight)
                self.tensors.append(net.biases[layer])

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return (K, P): for each layer the rows ``[W | U | b]``; K is 1 for a single field."""
        parts, rest = [], iter(tensors)
        lead = self.members or 1
        for first, steep in self.layers:
            blocks = [next(rest), *([next(rest)] if first else []), next(rest)[..., None]]
            rows = torch.cat(blocks, dim=-1)
            parts.append((rows if steep == 1.0 else steep * rows).reshape(lead, -1))
        return torch.cat(parts, dim=1)

    def unpack(self, gradient: Tensor) -> list[Tensor]:
        """Return the gradients of `tensors` from that of the packed matrix."""
        out: list[Tensor] = []
        start, rest = 0, iter(self.tensors)
        for first, steep in self.layers:
            weight = next(rest)
            drive = next(rest) if first else None
            bias = next(rest)
            width = weight.shape[-1] + (0 if drive is None else drive.shape[-1]) + 1
            stop = start + bias.shape[-1] * width
            rows = gradient[:, start:stop].reshape(*bias.shape, width)
            rows = rows if steep == 1.0 else steep * rows
            out.append(rows[..., : weight.shape[-1]].contiguous())
            if drive is not None:
                out.append(rows[..., weight.shape[-1] : -1].contiguous())
            out.append(rows[..., -1].contiguous())
            start = stop
        return out
