"""Networks of one shape as one: every parameter has a member axis, and one pass trains them all.

What is gained is the cost of many small operations: small networks train two to three times faster on one core, those
that keep a core busy with arithmetic no faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neurognode.dynamics import stack
from neurognode.models.data import Batch, valid_bins
from neurognode.models.draws import Draw, played, recorded
from neurognode.models.network import Begun, LatentNetwork
from neurognode.models.path import Plan
from neurognode.models.pseudo_observations import Conditional
from neurognode.training.randomness import stream

_FIELD = "path.field."


class NetworkPopulation:
    """K networks of one shape and one session each, trained in one pass.

    The field runs along the population axis of the integration kernels; everything before and after it is mapped over
    members by `torch.func.vmap`. Each member draws the random numbers that it would draw in a fit of its own.

    Parameters
    ----------
    networks : sequence of LatentNetwork
        Their weights are copied in; `restore` copies them back.

    Examples
    --------
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.models.encoders.gru import GRUEncoder
    >>> from neurognode.models.likelihoods.poisson import Poisson
    >>> from neurognode.models.network import LatentNetwork
    >>> from neurognode.models.path import LatentPath
    >>> from neurognode.models.population import NetworkPopulation
    >>> from neurognode.models.readouts import Readout
    >>> from neurognode.models.session import Session
    >>> def network():
    ...     encoder = GRUEncoder(5, hidden=4)
    ...     session = Session(Readout(2, 4), Poisson(4), seen=torch.ones(4, dtype=torch.bool), gain=0.01)
    ...     return LatentNetwork(encoder, LatentPath(8, GNODE(2, hidden=(4,)), None, bin_size=0.01), [session])
    >>> NetworkPopulation([network(), network()]).parameters["path.start.mean"].shape
    torch.Size([2, 2])
    """

    def __init__(self, networks: Sequence[LatentNetwork]) -> None:
        self.networks, self.template = list(networks), networks[0]
        self.field = stack([network.path.field for network in networks])
        self.parameters: dict[str, Tensor] = {}
        self.fixed: dict[str, Tensor] = {}
        of = [dict(network.named_parameters()) for network in networks]
        for name, own in of[0].items():
            if name.startswith(_FIELD):
                continue
            together = torch.stack([each[name].detach() for each in of])
            if own.requires_grad:
                self.parameters[name] = nn.Parameter(together)
            else:
                self.fixed[name] = together
        inside = dict(self.field.named_parameters())
        self.parameters |= {_FIELD + name: p for name, p in inside.items() if p.requires_grad}
        buffers = [dict(network.named_buffers()) for network in networks]
        self.fixed |= {
            name: torch.stack([each[name] for each in buffers])
            for name, own in buffers[0].items()
            if own.is_floating_point() and not name.startswith(_FIELD)
        }
        self._draws: dict[Any, list[Draw]] = {}

    def __len__(self) -> int:
        return len(self.networks)

    def to(self, device: torch.device) -> NetworkPopulation:
        """Move everything to a device, in place."""
        for network in self.networks:
            network.to(device)
        self.field.to(device)
        for name, parameter in self.parameters.items():
            if not name.startswith(_FIELD):
                parameter.data = parameter.data.to(device)
        self.fixed = {name: value.to(device) for name, value in self.fixed.items()}
        return self

    @torch.no_grad()
    def restore(self) -> None:
        """Copy every member's parameters back into its own network."""
        for name, together in self.parameters.items():
            for network, own in zip(self.networks, together):
                network.get_parameter(name).copy_(own)

    @torch.no_grad()
    def put(self, member: int, state: dict[str, Tensor]) -> None:
        """Give one member other parameters."""
        for name, together in self.parameters.items():
            together[member].copy_(state[name])

    def losses(
        self, batches: Sequence[Batch], progress: float, seeds: Sequence[int], step: int
    ) -> list[dict[str, Tensor]]:
        """Every member's loss and its parts, on a batch of its own."""
        tensors, draws = self._gathered(batches), self._drawn(batches, progress, seeds, step)
        shared = {name: p for name, p in self.parameters.items() if not name.startswith(_FIELD)} | self.fixed
        begin, end = _Begin(self.template), _End(self.template)

        def first(own: dict[str, Tensor], given: dict[str, Tensor], noise: list[Tensor]) -> dict[str, Tensor]:
            with played(noise):
                return torch.func.functional_call(begin, _inside(own), (given, progress))

        begun = torch.func.vmap(first)(shared, tensors, draws)
        given = _begun(begun)
        n_bins = tensors["values"].shape[2]
        states, predictions = self.template.path.run(given.plan, n_bins, given.inputs, self.field)
        ran = {"states": states} if predictions is None else {"states": states, "predictions": predictions}

        def last(own: dict[str, Tensor], *parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
            return torch.func.functional_call(end, _inside(own), parts)

        fits, costs, counts = torch.func.vmap(last)(shared, tensors, begun, ran)
        return [
            network.losses(fits[k], costs[k], counts[k], progress) for k, network in enumerate(self.networks)
        ]

    def _gathered(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """The batches side by side, as long as the longest."""
        found = {}
        for name in ("values", "observed", "lengths", "inputs", "when"):
            parts = [getattr(batch, name) for batch in batches]
            if parts[0] is not None:
                found[name] = _padded(parts).to(batches[0].values.device)
        return found

    def _drawn(
        self, batches: Sequence[Batch], progress: float, seeds: Sequence[int], step: int
    ) -> list[Tensor]:
        """What a fit of its own would draw at this step, member by member, in the order it is asked for."""
        device = batches[0].values.device
        parts = []
        for batch, seed in zip(batches, seeds):
            generator = torch.Generator(device).manual_seed(stream(seed, 2, step))
            parts.append([draw.make(generator) for draw in self._asked(batch, progress)])
        return [_padded(list(same)) for same in zip(*parts)]

    def _asked(self, batch: Batch, progress: float) -> list[Draw]:
        """What a network draws for a batch of this shape, found by letting one do it."""
        key = tuple(batch.values.shape), self.template.objective.noise_factor(progress) == 0
        if key not in self._draws:
            with torch.no_grad(), torch.random.fork_rng(devices=[]), recorded() as draws:
                self.template.begin_training(batch, progress)
            self._draws[key] = draws
        return self._draws[key]


class _Begin(nn.Module):
    """The first half of a training pass, with a dict of tensors in and out."""

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        begun = self.network.begin_training(_batch(given), progress)
        plan = begun.plan
        found = {"h0": plan.h0, "start": plan.divergence, "divergence": begun.divergence}
        optional = {"anchor": plan.anchor, "inputs": begun.inputs, "hidden": begun.hidden}
        if plan.messages is not None:
            optional |= {f"messages.{name}": value for name, value in plan.messages._asdict().items()}
        return found | {name: value for name, value in optional.items() if value is not None}


class _End(nn.Module):
    """The second half: log likelihood, divergence and number of bins."""

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, given: dict[str, Tensor], begun: dict[str, Tensor], ran: dict[str, Tensor]
    ) -> tuple[Tensor, ...]:
        batch = _batch(given)
        fits, costs = self.network.terms(batch, _begun(begun), ran["states"], ran.get("predictions"))
        return fits, costs, valid_bins(batch).sum()


def _inside(own: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"network.{name}": value for name, value in own.items()}


def _batch(given: dict[str, Tensor]) -> Batch:
    observed, lengths, inputs, when = (given.get(k) for k in ("observed", "lengths", "inputs", "when"))
    return Batch(given["values"], observed, lengths, inputs, when)


def _begun(found: dict[str, Tensor]) -> Begun:
    messages = None
    if "messages.keep" in found:
        messages = Conditional(*(found[f"messages.{name}"] for name in Conditional._fields))
    plan = Plan(found["h0"], found["start"], messages, found.get("anchor"))
    return Begun(plan, found.get("inputs"), None, found["divergence"], found.get("hidden"))


def _padded(parts: list[Tensor]) -> Tensor:
    """Stack tensors, with zeros behind the shorter ones."""
    widest = torch.Size(max(sizes) for sizes in zip(*(part.shape for part in parts)))
    return torch.stack([part if part.shape == widest else _extended(part, widest) for part in parts])


def _extended(part: Tensor, widest: torch.Size) -> Tensor:
    pads: Iterator[int] = (
        size for want, have in zip(reversed(widest), reversed(part.shape)) for size in (0, want - have)
    )
    return nn.functional.pad(part, tuple(pads))
