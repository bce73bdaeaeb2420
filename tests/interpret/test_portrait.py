"""The portrait as a whole: storage, shapes, exponents, slowness, agreement."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, VectorField
from neurognode.errors import RunError
from neurognode.interpret import (
    Flow,
    Portrait,
    agreement,
    lyapunov_exponents,
    portrait,
    readout_metric,
    residual_diffusion,
    separatrix,
    topology,
)
from neurognode.interpret.flow import as_diffusion
from neurognode.synthetic import circuits


@pytest.fixture(scope="module")
def bistable():
    circuit = circuits.make("bistable")
    states = circuit.simulate(60, dt=0.02).latents
    return (
        circuit,
        states,
        portrait(circuit.field, states, horizon=1.2, bin_size=0.02, diffusion=circuit.noise),
    )


def test_saving_and_loading_gives_the_same(bistable, tmp_path) -> None:
    _, _, picture = bistable
    path = tmp_path / "portrait.nc"
    picture.save(path)
    other = Portrait.load(path)
    assert str(other) == str(picture)
    assert other.scalars() == pytest.approx(picture.scalars(), nan_ok=True)
    assert np.array_equal(other.fixed_points.eigenvalues, picture.fixed_points.eigenvalues)
    assert other.fixed_points.kind.tolist() == picture.fixed_points.kind.tolist()
    assert other.region.inside(other.fixed_points.points).tolist() == picture.fixed_points.inside.tolist()


def test_a_damaged_or_newer_file_is_refused(bistable, tmp_path) -> None:
    _, _, picture = bistable
    (tmp_path / "bad.nc").write_bytes(b"not a file")
    with pytest.raises(RunError, match="cannot be read"):
        Portrait.load(tmp_path / "bad.nc")
    dataset = picture.to_xarray()
    dataset.attrs["schema_version"] = 99
    from neurognode.interpret import storage

    storage.write(dataset, tmp_path / "new.nc")
    with pytest.raises(RunError, match="Upgrade"):
        Portrait.load(tmp_path / "new.nc")


def test_frame_and_text_say_what_is_there(bistable) -> None:
    _, _, picture = bistable
    frame = picture.to_frame()
    assert frame["kind"].tolist() == ["stable node", "stable node", "saddle"]
    assert frame["basin_share"].sum() == pytest.approx(1.0, abs=0.02)
    assert "saddle" in str(picture)
    assert picture.connections.target.tolist()
    assert set(picture.connections.target) == {0, 1}


def test_noise_does_not_cross_a_barrier_but_crosses_bumps(bistable) -> None:
    _, _, picture = bistable
    assert picture.behaviour.switching < 0.02
    circuit = circuits.make("bumpy_ring")
    bumpy = portrait(
        circuit.field, circuit.simulate(60).latents, horizon=1.6, diffusion=circuit.noise, depth="quick"
    )
    assert bumpy.behaviour.n_clusters > 5
    assert bumpy.behaviour.switching > 0.2


def test_the_separatrix_of_the_bistable_circuit_is_the_axis(bistable) -> None:
    circuit, _, picture = bistable
    saddle = int(np.flatnonzero(picture.fixed_points.kind == "saddle")[0])
    line = separatrix(Flow(circuit.field), picture.region, picture.fixed_points, saddle, 0.3)
    assert len(line) > 20
    assert np.abs(line[:, 0]).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "shape"),
    [("points_1", "point"), ("line", "line"), ("ring", "ring"), ("plane", "disk"), ("torus", "torus")],
)
def test_topology_of_known_sets(name: str, shape: str) -> None:
    circuit = circuits.make(name)
    picture = portrait(
        circuit.field, circuit.simulate(80).latents, horizon=circuit.duration * (3 if name == "points_1" else 1),
        diffusion=circuit.noise, depth="quick",
    )  # fmt: skip
    assert picture.slow.topology.name == shape


def test_a_flat_set_has_no_voids_in_any_coordinates() -> None:
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 400), np.sqrt(rng.uniform(0, 1, 400))
    disk = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    for points in (disk, disk @ rng.normal(size=(2, 30))):
        found = topology(points, 2)
        assert found.name == "disk"
        assert found.betti.tolist() == [1, 0, 0]


def test_topology_without_ripser_says_how_to_install(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ripser", None)
    found = topology(np.random.default_rng(0).normal(size=(100, 2)), 2)
    assert found.name == "cannot tell"
    assert "pip install" in found.note


def test_lyapunov_exponents_of_the_lorenz_system() -> None:
    circuit = circuits.make("lorenz")
    flow = Flow(circuit.field)
    starts = circuit.simulate(48, dt=0.005).latents[:, -1]
    exponents, error = lyapunov_exponents(flow, starts, 6.0, discard=1.0, step=0.004)
    assert exponents[0] == pytest.approx(circuit.key.exponents[0], abs=max(4 * error[0], 0.15))
    assert exponents.sum() == pytest.approx(circuit.key.exponents.sum(), rel=1e-3)


def test_slowness_names_closed_gates() -> None:
    class Gated(VectorField):
        leak = True
        tau = torch.tensor([0.1, 0.1])

        def gate(self, h, x=None):
            return torch.sigmoid(20 * (h.norm(dim=-1, keepdim=True) - 1)).expand_as(h)

        def drift(self, h, x=None):
            return torch.zeros_like(h) + 3

        def forward(self, h, x=None):
            return self.gate(h) * (self.drift(h) - h) / self.tau

    from neurognode.interpret import slowness, visited_region

    states = np.random.default_rng(0).uniform(-3, 3, size=(800, 2))
    slow = states[np.linalg.norm(states, axis=1) < 0.6]
    assert slowness(Flow(Gated(2)), visited_region(states), slow).cause == "closed gates"


def test_agreement_survives_affine_maps_and_sees_another_field(bistable) -> None:
    circuit, states, picture = bistable
    matrix, offset = np.array([[1.0, 0.4], [-0.3, 2.0]]), np.array([1.0, -2.0])

    class Moved(VectorField):
        def forward(self, h, x=None):
            back = torch.linalg.solve(
                torch.as_tensor(matrix).to(h), (h - torch.as_tensor(offset).to(h)).mT
            ).mT
            return circuit.field(back) @ torch.as_tensor(matrix).to(h).mT

    moved = states @ matrix.T + offset
    other = portrait(Moved(2), moved, horizon=1.2, bin_size=0.02, diffusion=circuit.noise @ matrix.T)
    found = agreement([picture, other], [circuit.field, Moved(2)], [states, moved])
    assert found.field_cosine > 0.999
    assert found.found.tolist() == [1.0, 1.0, 1.0]
    assert found.kind.tolist() == ["stable node", "stable node", "saddle"]
    wrong = agreement([picture, picture], [circuit.field, GNODE(2, random_state=1)], [states, states])
    assert wrong.field_cosine < 0.95


def test_diffusion_from_what_the_drift_leaves() -> None:
    circuit = circuits.make("limit_cycle", noise=0.4)
    found = residual_diffusion(Flow(circuit.field), circuit.simulate(100).latents, 0.002)
    assert np.allclose(found, 0.4, rtol=0.05)


def test_noise_of_every_form() -> None:
    from neurognode.dynamics import Diffusion

    states, draws = np.zeros((3, 2)), np.ones((3, 2))
    for given in (0.5, [0.5, 0.5], np.eye(2) * 0.5, Diffusion(2, std=0.5), lambda s, d: 0.5 * d):
        assert np.allclose(as_diffusion(given, 2)(states, draws), 0.5)
    with pytest.raises(ValueError, match="standard deviations"):
        as_diffusion([1.0, 2.0, 3.0], 2)


def test_readout_metric_keeps_distances_in_the_readout() -> None:
    readout = torch.nn.Linear(3, 20)
    metric = readout_metric(readout, 3)
    step = np.random.default_rng(0).normal(size=3)
    through = readout.weight.detach().double().numpy() @ step
    assert np.linalg.norm(metric @ step) == pytest.approx(np.sqrt((through**2).mean()), rel=1e-6)


def test_survival_of_a_finer_step(bistable) -> None:
    _, _, picture = bistable
    assert picture.survival["dt/10"] < picture.survival["dt"]
    assert picture.precision.occupancy.sum() == pytest.approx(60 * 61 * 0.02, rel=0.01)


def test_a_push_off_the_ring_returns_and_along_it_stays() -> None:
    from neurognode.interpret import perturb, visited_region

    circuit = circuits.make("ring")
    states = circuit.simulate(40, dt=0.01).latents
    region, flow = visited_region(states), Flow(circuit.field)
    across = perturb(flow, region, states[:, -1], "across", 1.0)
    along = perturb(flow, region, states[:, -1], "along", 1.0)
    assert across.returned > 0.7
    assert along.returned < 0.3
    assert np.median(across.half_life) == pytest.approx(np.log(2) / 10, rel=0.3)
    big = perturb(flow, region, states[:, -1], np.array([50.0, 0.0]), 0.5)
    assert big.outside == 1.0
    with pytest.raises(ValueError, match="push="):
        perturb(flow, region, states[:, -1], "sideways", 1.0)


def test_the_same_noise_with_and_without_a_push() -> None:
    from neurognode.interpret import perturb, visited_region

    circuit = circuits.make("none")
    states = circuit.simulate(30, dt=0.01).latents
    noise = as_diffusion(circuit.noise, circuit.latent_dim)
    still = perturb(
        Flow(circuit.field), visited_region(states), states[:, -1], np.zeros(3), 0.5, diffusion=noise
    )
    assert np.array_equal(still.pushed, still.unpushed)
