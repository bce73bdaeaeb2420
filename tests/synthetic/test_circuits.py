"""Answer keys against independent means: root finding from a grid, finite differences, long simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import fsolve

from neurognode.synthetic import circuits

CONTINUA = ("line", "leaky_line", "plane", "torus", "drift_diffusion", "regime_switch")


def _rate(circuit, states):
    with torch.no_grad():
        return circuit.field(torch.as_tensor(np.asarray(states, float))).numpy()


def _numeric_jacobian(circuit, state, step=1e-5):
    shifts = step * np.eye(len(state))
    return ((_rate(circuit, state + shifts) - _rate(circuit, state - shifts)) / (2 * step)).T


@pytest.fixture(params=circuits.FAMILIES)
def circuit(request):
    return circuits.make(request.param)


def test_fixed_points_are_fixed(circuit):
    if len(circuit.key.fixed_points):
        assert np.abs(_rate(circuit, circuit.key.fixed_points)).max() < 1e-9


def test_eigenvalues_are_those_of_a_finite_difference_jacobian(circuit):
    for state, rates in zip(circuit.key.fixed_points, circuit.key.eigenvalues):
        measured = np.linalg.eigvals(_numeric_jacobian(circuit, state))
        # Which of two equal real parts comes first is a matter of rounding: match greedily.
        for rate in rates:
            nearest = np.argmin(np.abs(measured - rate))
            assert abs(measured[nearest] - rate) < 1e-4 * max(1, abs(rate))
            measured = np.delete(measured, nearest)


def test_root_finding_from_a_grid_finds_no_other_isolated_point(circuit):
    if circuit.name in CONTINUA or circuit.name == "ring":
        pytest.skip("a continuum has roots everywhere")
    rng = np.random.default_rng(0)
    reach = 4.0 if circuit.name == "lorenz" else 1.7
    starts = rng.uniform(-reach, reach, (300, circuit.latent_dim))
    found = []
    for start in starts:
        root, _, status, _ = fsolve(lambda s: _rate(circuit, s), start, full_output=True, xtol=1e-12)
        if status == 1 and np.abs(_rate(circuit, root)).max() < 1e-9:
            found.append(root)
    known = circuit.key.fixed_points
    if not len(known):
        assert not found
        return
    distance = np.linalg.norm(np.array(found)[:, None] - known[None], axis=-1)
    assert distance.min(axis=1).max() < 1e-6, "a fixed point is missing from the key"
    assert distance.min(axis=0).max() < 1e-6, "the key has a point that root finding does not reach"


def test_the_jacobian_of_the_field_agrees_with_finite_differences(circuit):
    states = circuit.simulate(4, duration=0.1).latents[:, -1]
    exact = circuit.field.jacobian(torch.as_tensor(states)).detach().numpy()
    for state, jacobian in zip(states, exact):
        np.testing.assert_allclose(jacobian, _numeric_jacobian(circuit, state), rtol=1e-5, atol=1e-5)


def test_states_without_noise_end_on_the_attracting_set(circuit):
    key = circuit.key
    if key.topology == "none" or circuit.name in ("drift_diffusion", "regime_switch"):
        pytest.skip("nothing attracts, or two kinds of thing do")
    target = key.fixed_points[key.stable] if key.topology == "points" else key.manifold
    states, inputs = circuit.initial(40), circuit.inputs(40, np.zeros(1))
    assert inputs is None or inputs.shape == (40, 1, circuit.field.input_dim)
    silent = replace(circuit, stimulus=None) if circuit.stimulus else circuit
    late = silent.simulate(40, duration=12.0, dt=0.01, noisy=False).latents[:, -1]
    distance = np.linalg.norm(late[:, None] - target[None], axis=-1).min(axis=1)
    grain = 0.25 if key.topology == "strange" else 0.12 if key.topology in ("torus", "plane") else 0.02
    assert distance.max() < grain
    assert states.shape == (40, circuit.latent_dim)


@pytest.mark.parametrize("name", ["limit_cycle", "drifting_ring"])
def test_the_period_is_that_of_a_simulated_orbit(name):
    circuit = circuits.make(name)
    silent = replace(circuit, stimulus=None)
    orbit = silent.simulate(1, duration=circuit.key.period, dt=0.001, noisy=False).latents[0]
    radius = np.linalg.norm(orbit[-1])
    settled = silent.simulate(1, duration=2 * circuit.key.period, dt=0.001, noisy=False).latents[0]
    half = len(orbit) - 1
    assert abs(radius - 1) < 0.01
    np.testing.assert_allclose(settled[half], settled[-1], atol=0.01)


def test_exponents_of_lorenz_sum_to_its_divergence():
    circuit = circuits.make("lorenz", speed=1.0)
    trace = np.trace(_numeric_jacobian(circuit, np.array([0.3, 0.1, 0.2])))
    assert circuit.key.exponents.sum() == pytest.approx(trace, abs=2e-3)


def test_noise_has_the_stated_size():
    circuit = circuits.make("none")
    still = replace(circuit, start=lambda n, rng: np.zeros((n, 3)))
    end = still.simulate(4000, duration=0.02, dt=0.002, random_state=1).latents[:, -1]
    np.testing.assert_allclose(end.std(0), circuit.diffusion * np.sqrt(0.02), rtol=0.12)


@pytest.mark.parametrize("name", ["bistable", "points_4", "ring", "limit_cycle", "torus", "lorenz"])
def test_an_embedded_circuit_keeps_its_answers(name):
    inner = circuits.make(name)
    outer = circuits.embed(inner, 4, random_state=3)
    assert outer.latent_dim == 4
    assert np.abs(_rate(outer, outer.key.fixed_points)).max() < 1e-9
    own = inner.latent_dim
    for old, new in zip(inner.key.eigenvalues, outer.key.eigenvalues):
        wanted = np.append(old, (4 - own) * [-12.0])
        assert np.abs(np.sort_complex(new) - np.sort_complex(wanted)).max() < 1e-12
    for state, rates in zip(outer.key.fixed_points, outer.key.eigenvalues):
        measured = np.linalg.eigvals(_numeric_jacobian(outer, state))
        np.testing.assert_allclose(np.sort(measured.real), np.sort(rates.real), atol=1e-3)


def test_bistable_choices_follow_the_stimulus():
    simulation = circuits.make("bistable").simulate(400, random_state=0)
    strong = simulation.columns["stimulus_strength"] == 1
    right = simulation.columns["choice"] == simulation.columns["stimulus_side"]
    assert right[strong].mean() > 0.95
    assert 0.3 < right[simulation.columns["stimulus_strength"] == 0].mean() < 0.7


def test_drift_diffusion_holds_its_choices():
    circuit = circuits.make("drift_diffusion")
    ends = circuit.simulate(300, duration=3.0, dt=0.004).columns["choice"]
    assert min((ends == side).mean() for side in ("left", "right")) > 0.05


def test_after_commitment_input_has_no_effect():
    circuit = circuits.make("regime_switch")
    states = torch.as_tensor(circuit.key.fixed_points) + 0.02
    on = torch.ones(2, 1, dtype=torch.float64)
    assert float((circuit.field(states, on) - circuit.field(states)).abs().max()) < 0.1
    inside = torch.zeros(1, 2, dtype=torch.float64)
    assert float(circuit.field(inside, on[:1])[0, 0]) == 2.5
    simulation = circuit.simulate(200)
    strong = np.abs(simulation.columns["stimulus_strength"]) == 1
    right = simulation.columns["choice"] == np.where(
        simulation.columns["stimulus_strength"] > 0, "right", "left"
    )
    assert right[strong].mean() > 0.9


def test_varied_circuits_keep_their_keys(circuit):
    other = circuits.vary(circuit.name, 3)
    assert other.key.topology == circuit.key.topology
    assert other.parameters != circuit.parameters
    if len(other.key.fixed_points):
        assert np.abs(_rate(other, other.key.fixed_points)).max() < 1e-9


def test_the_same_seed_gives_the_same_trials(circuit):
    first, second = (circuit.simulate(3, duration=0.05, random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first.latents, second.latents)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'ring'"):
        circuits.make("rings")
    with pytest.raises(ValueError, match="Did you mean 'noise'"):
        circuits.make("ring", noize=1.0)
    with pytest.raises(ValueError, match="one attractor only"):
        circuits.make("bistable", tilt=0.5)
