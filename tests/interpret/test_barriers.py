"""Wells, what parts them, the way from one to another, and what members make of a growth rate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import VectorField
from neurognode.interpret import Flow, agreement, as_diffusion, escape, portrait
from neurognode.synthetic import circuits


class Wells(VectorField):
    """dh/dt = g (h - h^3), and a second latent that decays."""

    def __init__(self, growth: float) -> None:
        super().__init__(2)
        self.growth = growth

    def forward(self, h, x=None):
        first = h[..., 0]
        return torch.stack([self.growth * (first - first**3), -10 * h[..., 1]], -1)


def test_escape_follows_kramers_law() -> None:
    growth, noise = 4.0, 0.9
    states = np.random.default_rng(0).normal(size=(400, 2)) * [1.0, 0.2]
    picture = portrait(Wells(growth), states, horizon=1.0)
    found = escape(
        Flow(Wells(growth)), picture.region, picture.fixed_points, as_diffusion(noise, 2), 1.0, n_runs=200
    )
    kramers = growth * np.sqrt(2) / (2 * np.pi) * np.exp(-growth / (2 * noise**2))
    assert found.rate == pytest.approx([kramers] * 2, rel=0.4)
    assert (found.low < found.rate).all()
    assert (found.rate < found.high).all()
    assert found.dwell == pytest.approx(1 / found.rate)
    quiet = escape(Flow(Wells(growth)), picture.region, picture.fixed_points, as_diffusion(0.2, 2), 1.0)
    assert quiet.rate.tolist() == [0, 0]
    assert (quiet.high > 0).all()
    assert (quiet.barrier > found.barrier).all()


def test_the_separatrix_parts_basins_in_three_latents() -> None:
    circuit = circuits.embed(circuits.make("bistable"), 3, random_state=1)
    picture = portrait(circuit.field, circuit.simulate(60, dt=0.01).latents, horizon=circuit.duration)
    fixed, (sheet,) = picture.fixed_points, picture.separatrices
    saddle = int(np.flatnonzero(fixed.kind == "saddle")[0])
    across = fixed.eigenvectors[saddle, :, 0].real
    shift = 0.01 * picture.region.diameter * across / np.linalg.norm(across)
    flow = Flow(circuit.field)
    near = sheet[np.linalg.norm(sheet - fixed.points[saddle], axis=1) < picture.region.diameter]
    one, other = flow.end(near + shift, 3.0), flow.end(near - shift, 3.0)
    apart = np.linalg.norm(one - other, axis=1) > 0.3 * picture.region.diameter
    assert len(near) > 50
    assert apart.mean() > 0.95


def test_heteroclinic_paths_run_from_the_saddle_to_both_wells() -> None:
    circuit = circuits.make("bistable")
    picture = portrait(circuit.field, circuit.simulate(60, dt=0.01).latents, horizon=circuit.duration)
    joined, points = picture.connections, picture.fixed_points.points
    assert set(joined.target) == set(np.flatnonzero(picture.fixed_points.stable))
    for path, source, target in zip(joined.paths, joined.source, joined.target):
        assert np.linalg.norm(path[0] - points[source]) < 0.01 * picture.region.diameter
        assert np.linalg.norm(path[-1] - points[target]) < 0.02 * picture.region.diameter


def test_a_growth_rate_that_changes_sign_over_members_is_marginal() -> None:
    class Point(VectorField):
        def __init__(self, rate: float) -> None:
            super().__init__(2)
            self.rate = rate

        def forward(self, h, x=None):
            return torch.stack([self.rate * h[..., 0] - h[..., 0] ** 3, -8 * h[..., 1]], -1)

    states = np.random.default_rng(0).normal(size=(10, 40, 2)) * 0.5
    for rates, kind in (((-1.0, 1.0), "marginal"), ((-1.0, -2.0), "stable node")):
        fields = [Point(rate) for rate in rates]
        pictures = [portrait(f, states, horizon=1.0, n_starts=32) for f in fields]
        found = agreement(pictures, fields, [states, states])
        at_zero = int(np.argmin(np.linalg.norm(found.points, axis=1)))
        assert found.kind[at_zero] == kind
        assert found.growth[at_zero] == pytest.approx(sorted(rates), abs=1e-6)


def test_noise_along_a_slow_set_bounds_how_long_a_state_stays() -> None:
    class Channel(VectorField):
        def forward(self, h, x=None):
            return torch.stack([0.05 + 0 * h[..., 0], -20 * h[..., 1]], -1)

    states = np.random.default_rng(0).uniform(-1, 1, size=(500, 2)) * [1.0, 0.05]
    still = portrait(Channel(2), states, horizon=1.0, diffusion=1e-6, depth="quick").slow
    noisy = portrait(Channel(2), states, horizon=1.0, diffusion=[0.2, 5.0], depth="quick")
    size = noisy.region.diameter
    assert noisy.slow.diffusion == pytest.approx(0.2 / size, rel=0.1)
    assert still.stay_noisy == pytest.approx(0.1 * size / 0.05, rel=0.02)
    assert noisy.slow.stay_noisy == pytest.approx((0.1 * size / 0.2) ** 2, rel=0.25)
