"""Zeros where Jacobians are dear: short cuts lose no point, and a singular system ends no search."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, VectorField
from neurognode.interpret import Flow, find_roots, roots, visited_region


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_short_cuts_lose_no_point(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(GNODE(64, hidden=(64,), random_state=seed))
    region = visited_region(np.random.default_rng(0).normal(size=(600, 64)))
    starts = region.sample(400, np.random.default_rng(1))
    settings = {"scale": 40.0, "speed": 1.0, "merge": 1e-3}
    short = find_roots(flow, starts, **settings)
    monkeypatch.setattr(roots, "MANY", 10**6)
    plain = find_roots(flow, starts, **settings)
    gap = np.linalg.norm(plain.points[:, None] - short.points[None], axis=2)
    assert len(plain.points) >= 5
    assert gap.min(1).max() < 1e-6
    assert short.n_converged >= 0.9 * plain.n_converged
    assert short.residual.max() < 1e-12


def test_a_singular_jacobian_does_not_end_the_search() -> None:
    class Flat(VectorField):
        """Zero velocity and a zero Jacobian at the origin, and an ordinary zero at (2, 1)."""

        def forward(self, h, x=None):
            a, b = h[..., 0], h[..., 1]
            return torch.stack([a * a * (2 - a), b * b * (1 - b)], -1)

    starts = np.concatenate([np.zeros((1, 2)), np.random.default_rng(0).uniform(-1, 3, (100, 2))])
    found = find_roots(Flow(Flat(2)), starts, scale=3.0, speed=1.0)
    assert np.linalg.norm(found.points[found.isolated] - [2, 1], axis=1).min() < 1e-9
