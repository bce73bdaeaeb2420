"""The recurrence of gated recurrent units, several side by side, with a reverse written by hand.

`torch.nn.GRU` on a CPU records a dozen small operations a time step for autograd, direction after direction; for
packed sequences the reverse of each of them even fills an array as long as the whole sequence. Here directions (and
members of a population) are one batch of matrices, a step backwards takes four operations, and everything that does
not depend on the step before is done for all steps at once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from neurognode.models.draws import Dropout


def gru(recurrent: nn.GRU, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """What ``recurrent(x)`` gives for sequences (B, T, F) of `lengths` bins; zero after their ends.

    Parameters
    ----------
    recurrent : nn.GRU
        Its weights; of any number of layers, in one or both directions, ``batch_first``.
    x : Tensor, (B, T, F)
        Input.
    lengths : Tensor of int, (B,), optional
        Bins of each sequence, None if all have T.

    Returns
    -------
    Tensor, (B, T, directions * hidden)

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.encoders.recurrence import gru
    >>> layer, x = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True), torch.randn(2, 5, 3)
    >>> bool(torch.allclose(gru(layer, x), layer(x)[0], atol=1e-6))
    True
    """
    if x.is_cuda and not torch._C._are_functorch_transforms_active():
        return fused(recurrent, x, lengths)
    n_bins, end = x.shape[1], None
    if lengths is not None:
        place = torch.arange(n_bins, device=x.device)
        stop = lengths.to(x.device).clamp_min(1)[:, None]
        inside = place < stop
        end = torch.where(inside, stop - 1 - place, place), inside[..., None]
    for layer in range(recurrent.num_layers):
        if layer and recurrent.dropout:
            x = Dropout(recurrent.dropout).train(recurrent.training)(x)
        x = _layer(recurrent, layer, x, end)
    return x


def fused(recurrent: nn.GRU, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The same by torch's own layer, which on a GPU is one kernel for all steps."""
    if lengths is None:
        return recurrent(x)[0]
    packed = pack_padded_sequence(x, lengths.clamp_min(1).cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(recurrent(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def _layer(recurrent: nn.GRU, layer: int, x: Tensor, end: tuple[Tensor, Tensor] | None) -> Tensor:
    endings = ("", "_reverse") if recurrent.bidirectional else ("",)
    names = [f"_l{layer}{ending}" for ending in endings]
    into, within, bias, also = (
        torch.stack([getattr(recurrent, f"{kind}{name}") for name in names])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    width = recurrent.hidden_size
    bias = bias + nn.functional.pad(also[:, : 2 * width], (0, width))
    rows = x.transpose(0, 1)
    lanes = rows[None] if len(names) == 1 else torch.stack([rows, _turned(rows, end)])
    flat = lanes.reshape(len(names), -1, x.shape[2])
    gates = torch.baddbmm(bias[:, None], flat, into.mT).unflatten(1, (x.shape[1], x.shape[0]))
    with torch.autocast(x.device.type, enabled=False):
        out = _Recurrence.apply(gates.to(within.dtype), within, also[:, 2 * width :])[0]
    out = out.to(gates.dtype)
    both = [out[0]] if len(names) == 1 else [out[0], _turned(out[1], end)]
    found = torch.cat(both, -1).transpose(0, 1)
    return found if end is None else found * end[1].to(found.dtype)


def _turned(rows: Tensor, end: tuple[Tensor, Tensor] | None) -> Tensor:
    """Reverse sequences (T, B, F) in time, each from its own last bin."""
    if end is None:
        return rows.flip(0)
    index = end[0].mT[..., None].expand(-1, -1, rows.shape[2])
    return rows.gather(0, index)


class _Recurrence(torch.autograd.Function):
    """States (L, T, B, H) from gates (L, T, B, 3H), recurrent weights (L, 3H, H) and candidate biases (L, H)."""

    @staticmethod
    def forward(gates: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        lanes, n_bins, batch, _ = gates.shape
        width = weight.shape[2]
        sizes = (lanes, n_bins, batch)
        switches, offered = gates.new_empty(*sizes, 2 * width), gates.new_empty(*sizes, width)
        candidates, states = torch.empty_like(offered), torch.empty_like(offered)
        matrix, bias = weight.mT, bias[:, None]
        h = gates.new_zeros(lanes, batch, width)
        open_, free = gates[..., : 2 * width], gates[..., 2 * width :]
        for t in range(n_bins):
            arriving = torch.bmm(h, matrix)
            both = torch.add(open_[:, t], arriving[..., : 2 * width], out=switches[:, t]).sigmoid_()
            own = torch.add(arriving[..., 2 * width :], bias, out=offered[:, t])
            new = torch.addcmul(free[:, t], both[..., :width], own, out=candidates[:, t])
            new.mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh, several times faster on a CPU
            h = torch.lerp(new, h, both[..., width:], out=states[:, t])
        return states, switches, offered, candidates

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(inputs[1], *output)

    @staticmethod
    def backward(ctx: Any, along: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight, states, switches, offered, candidates = ctx.saved_tensors
        lanes, n_bins, _, width = states.shape
        update = switches[..., width:]
        free, slopes = _slopes(states, switches, offered, candidates)
        deltas, whole = torch.empty_like(slopes), torch.empty_like(states)
        back = torch.zeros_like(states[:, 0])
        for t in range(n_bins - 1, -1, -1):
            own = torch.add(along[:, t], back, out=whole[:, t])
            arriving = torch.mul(own[..., None, :], slopes[:, t], out=deltas[:, t])
            back = torch.baddbmm(own * update[:, t], arriving.flatten(-2), weight)
        later = deltas[:, 1:].reshape(lanes, -1, 3 * width)
        within = torch.bmm(later.mT, states[:, :-1].reshape(lanes, -1, width))
        bias = deltas[..., 2, :].sum((1, 2))
        torch.mul(whole, free, out=deltas[..., 2, :])
        return deltas.flatten(-2), within, bias

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Tensor) -> tuple[Any, Any]:
        """Members of a population become further lanes."""
        size = info.batch_size
        spread = [
            tensor.movedim(dim, 0) if dim is not None else tensor.expand(size, *tensor.shape)
            for tensor, dim in zip(given, in_dims)
        ]
        states, *others = _Recurrence.apply(*(tensor.flatten(0, 1) for tensor in spread))
        found = tuple(part.unflatten(0, (size, -1)) for part in (states, *others))
        return found, (0, 0, 0, 0)


def _slopes(states: Tensor, switches: Tensor, offered: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """How a change of a state reaches its candidate, and (..., 3, H) what its three gates get from the state before."""
    width = states.shape[-1]
    reset, update = switches.split(width, -1)
    kept = 1 - update
    free = torch.addcmul(kept, kept * candidates, candidates, value=-1)
    slopes = states.new_empty(*states.shape[:3], 3, width)
    torch.mul(free, reset, out=slopes[..., 2, :])
    torch.mul(slopes[..., 2, :], torch.addcmul(offered, offered, reset, value=-1), out=slopes[..., 0, :])
    torch.neg(candidates[:, 0], out=slopes[:, 0, :, 1])
    torch.sub(states[:, :-1], candidates[:, 1:], out=slopes[:, 1:, :, 1])
    slopes[..., 1, :] *= kept.mul_(update)
    return free, slopes
