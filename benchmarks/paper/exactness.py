"""What must be equal, not close: cells, generators, optimiser (claims C1 to C3)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from benchmarks.paper.networks import MODELS, n_parameters
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.dynamics import GNODE, NODE, VectorField, integrate
from neurognode.dynamics.initialization import rescale_to_critical
from neurognode.dynamics.maps import MGRU, RNN
from neurognode.interpret import Flow, find_roots
from neurognode.models.member_adam import MemberAdam
from neurognode.synthetic import tasks

ZERO_MSE = {
    "fixed_3bit": 1.0,
    "variable_3bit": 0.253,
    "square": 0.283,
    "rectangle": 0.7,
    "disk": 1.231,
    "ring": 2.0,
}
PAPER_COUNTS = {("RNN", 2, 2, 2): 22, ("mGRU", 2, 2, 2): 32, ("GRU", 2, 2, 2): 42, ("RNN", 6, 3, 3): 105,
                ("mGRU", 6, 3, 3): 165, ("GRU", 6, 3, 3): 225}  # fmt: skip


def cells(store: Store, scale: Scale) -> list[Cell]:
    """One cell for all of it."""
    return [(("exactness", "all"), everything)]


def everything() -> dict[str, Any]:
    """Differences that should be nothing."""
    return {
        "cells": same_cells(),
        "counts": counts(),
        "generators": generators(),
        "optimiser": optimiser(),
        **critical(),
        "jacobian": jacobian(),
    }


def same_cells() -> float:
    """Largest difference between the shallow neural ODEs with Euler steps and the cells of the paper."""
    torch.manual_seed(0)
    x, h0 = torch.randn(4, 6, 2), torch.randn(4, 3)
    worst = 0.0
    for cell, field in (
        (RNN(3, 2, random_state=0), NODE(3, 2, hidden=(), bounded=True, tau=0.01)),
        (MGRU(3, 2, random_state=0), GNODE(3, 2, hidden=(), gate_hidden=(), bounded=True, tau=0.01)),
    ):
        names = {"candidate_net": "drift_net", "gate_net": "gate_net"}
        state = cell.state_dict()
        field.load_state_dict({names[k.split(".")[0]] + k[k.index(".") :]: v for k, v in state.items()})
        with torch.no_grad():
            one = integrate(cell, h0, 0.01 * torch.arange(6), x)
            two = integrate(field, h0, 0.01 * torch.arange(6), x, method="euler")
        worst = max(worst, float((one - two).abs().max()))
    return worst


def counts() -> int:
    """How many parameter counts of the paper are not met."""
    assert {name for name, *_ in PAPER_COUNTS} <= set(MODELS)
    return sum(n_parameters(*key) != wanted for key, wanted in PAPER_COUNTS.items())


def generators() -> float:
    """Largest relative difference of the mean square target from that of the paper's generator."""
    found = {name: (tasks.make(name, 4000, random_state=1).targets ** 2).mean() for name in ZERO_MSE}
    return float(max(abs(found[name] / wanted - 1) for name, wanted in ZERO_MSE.items()))


def optimiser() -> float:
    """Largest difference from 0.9 after one step of decay 0.1 without a gradient, at three learning rates."""
    weights = torch.nn.Parameter(torch.ones(3, 4, 4))
    weights.grad = torch.zeros_like(weights)
    MemberAdam([weights], torch.tensor([1.0, 1e-2, 1e-4]), torch.full((3,), 0.1), decay="flux").step()
    return float((weights.detach() - 0.9).abs().max())


def critical() -> dict[str, Any]:
    """Leading eigenvalue after the numeric form (distance from 0), spectral radii of the closed form (claim C4)."""
    numeric = 0.0
    for latent_dim, n_layers in itertools.product((2, 6, 100), (1, 2, 3, 4)):
        field = NODE(
            latent_dim, hidden=(50,) * (n_layers - 1), activation="relu", init="critical_numeric", random_state=n_layers
        ).double()  # fmt: skip
        numeric = max(numeric, abs(float(rescale_to_critical(field)) - 1))
    radii = []
    for n_layers in (1, 2, 3, 4):
        wide = NODE(
            300, hidden=(300,) * (n_layers - 1), activation="relu", init="critical_closed", random_state=0
        )
        h = torch.randn(300, generator=torch.Generator().manual_seed(0))
        radii.append(float(torch.linalg.eigvals(wide.drift_jacobian(h).detach()).abs().max()))
    return {"critical_numeric": numeric, "critical_closed": radii}


def jacobian() -> float:
    """Largest difference between the Jacobian by differentiation and gate (dF/dh - 1) / tau at fixed points (C5)."""
    worst = 0.0
    for seed in range(5):
        field = GNODE(3, hidden=(32,), gate_hidden=(8,), tau=[0.05, 0.1, 0.2], random_state=seed).double()
        starts = np.random.default_rng(seed).normal(size=(100, 3))
        for point in torch.as_tensor(find_roots(Flow(field), starts, scale=3.0, speed=10.0).points):
            gate, inner = field.gate(point), field.drift_jacobian(point) - torch.eye(3)
            by_hand = (gate / field.tau)[:, None] * inner
            worst = max(worst, float((VectorField.jacobian(field, point) - by_hand).abs().max()))
    return worst
