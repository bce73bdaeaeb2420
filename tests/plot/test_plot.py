from __future__ import annotations

import matplotlib

matplotlib.use("agg")
import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurognode import make_trials, plot
from neurognode.plot.flow import velocities, visited_mask
from neurognode.synthetic import circuits

DIMS = ("trial", "time", "latent")


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


def latents(n_latents: int = 3) -> xr.DataArray:
    walk = np.random.default_rng(0).normal(size=(8, 15, n_latents)).cumsum(1)
    walk[0, 10:] = np.nan
    return xr.DataArray(walk, dims=DIMS, coords={"time": np.arange(15) * 0.1 - 0.5})


def test_few_values_get_a_colour_each_and_missing_ones_grey() -> None:
    colours = plot.condition_colours(np.array([0.0, 1.0, np.nan, 0.0]))
    assert colours.per_trial[0] == colours.per_trial[3] != colours.per_trial[1]
    assert colours.groups.tolist() == [0, 1, -1, 0]


def test_angles_get_a_cyclic_map() -> None:
    angles = np.linspace(-np.pi, np.pi, 50)
    colours = plot.condition_colours(angles).per_trial
    assert colours[0] == colours[-1]
    assert (
        plot.condition_colours(angles + 100).per_trial[0]
        != plot.condition_colours(angles + 100).per_trial[-1]
    )


def test_traces_average_over_what_was_recorded(ax: Axes) -> None:
    values = latents()
    plot.latent_traces(values, 1, ax=ax)
    mean = np.nanmean(values.values[..., 1], axis=0)
    assert np.allclose(ax.lines[0].get_ydata(), mean)


@pytest.mark.parametrize("dims", [None, (0, 2)])
def test_trajectories_in_two_dimensions(ax: Axes, dims: tuple[int, ...] | None) -> None:
    plot.trajectories(latents(), dims=dims, condition=["a", "b"] * 4, ax=ax)
    assert len(ax.collections[0].get_segments()) == 8
    assert ax.get_legend() is not None
    with pytest.raises(ValueError, match="two or three"):
        plot.trajectories(latents(), dims=(0,), ax=ax)


def test_plane_holds_the_directions_of_most_variance() -> None:
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    states = rng.normal(size=(400, 2)) @ (np.diag([3, 2]) @ basis[:2]) + 7
    plane = plot.Plane.through(states)
    assert plane.share == pytest.approx(1)
    assert np.allclose(plane.lift(plane.project(states)), states)
    with pytest.raises(ValueError, match="two latents"):
        plot.Plane.through(states[:, :1])


def test_a_curved_sheet_is_followed() -> None:
    grid = np.random.default_rng(0).uniform(-1, 1, (3000, 2))
    states = np.column_stack([grid, 0.3 * (grid**2).sum(1)])
    plane = plot.Plane.through(states)
    middle = plane.lift_onto(plane.project(states[:50]), states)
    flat = plane.lift(plane.project(states[:50]))
    assert np.abs(middle - states[:50]).mean() < 0.3 * np.abs(flat - states[:50]).mean()


@pytest.mark.parametrize("name", ["bistable", "limit_cycle", "lorenz"])
def test_flow_is_drawn_with_its_fixed_points(ax: Axes, name: str) -> None:
    circuit = circuits.make(name)
    states = circuit.simulate(20).latents.reshape(-1, circuit.latent_dim)[::7]
    points = circuit.key.fixed_points
    kinds = ["stable" if s else "saddle" for s in circuit.key.stable]
    drawn = plot.flow_field(
        circuit.field, states, fixed_points=points, kinds=kinds, nullclines=True, resolution=16, ax=ax
    )
    marked = np.concatenate([c.get_offsets() for c in drawn.collections if c.get_zorder() == 5])
    assert len(marked) == len(points)


def test_one_latent_is_a_curve(ax: Axes) -> None:
    class Decay(torch.nn.Module):
        def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
            return -2 * h

    plot.flow_field(
        Decay(), np.linspace(-1, 1, 50)[:, None], fixed_points=np.zeros((1, 1)), kinds=["stable"], ax=ax
    )
    x, y = ax.lines[0].get_data()
    assert np.allclose(y, -2 * np.asarray(x))


def test_velocities_hold_inputs_constant() -> None:
    class Driven(torch.nn.Module):
        input_dim = 2

        def forward(self, h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return x[..., :1] - h

    assert velocities(Driven(), np.zeros((3, 1)), np.array([5.0, 0])).ravel().tolist() == [5, 5, 5]
    assert velocities(Driven(), np.zeros((3, 1))).ravel().tolist() == [0, 0, 0]


def test_far_points_are_not_visited() -> None:
    states = np.random.default_rng(0).normal(size=(500, 2))
    assert visited_mask(np.array([[0.0, 0.0], [50, 50]]), states).tolist() == [True, False]


def test_psth_of_what_was_observed(ax: Axes) -> None:
    counts = np.ones((4, 10, 2), int)
    observed = np.ones((4, 10), bool)
    observed[:2, 5:] = False
    counts[:2, 5:] = 99
    trials = make_trials(counts, bin_size=0.1, observed=observed)
    rates = xr.DataArray(np.full((4, 10, 2), 10.0), dims=("trial", "time", "unit"))
    plot.psth(rates, trials, 0, ax=ax)
    assert np.allclose(ax.lines[0].get_ydata(), 10)
    assert ax.get_ylim()[1] < 12, "masked counts must not show"


def test_eigenvalues_and_unknown_metric(ax: Axes) -> None:
    plot.eigenvalues(np.array([[-1 + 6.28j, -1 - 6.28j]]), ax=ax)
    assert ax.collections[0].get_offsets()[0, 1] == pytest.approx(1.0, rel=1e-3)
    with pytest.raises(ValueError, match="Did you mean 'loss'"):
        plot.history([{"step": 1, "loss": 2.0}], "los", ax=ax)


def test_raster_puts_early_units_first(ax: Axes) -> None:
    counts = np.zeros((1, 10, 3), int)
    counts[0, [8, 1, 5], [0, 1, 2]] = 1
    image = plot.raster(make_trials(counts, bin_size=0.1), ax=ax).images[0].get_array()
    assert [int(np.argmax(row)) for row in image] == [1, 5, 8]


def test_a_flow_is_drawn_in_output_coordinates(ax: Axes) -> None:
    circuit = circuits.make("bistable")
    states = circuit.simulate(20).latents.reshape(-1, 2)[::7]
    weight, bias = np.array([[3.0, 1.0], [0.5, 2.0]]), np.array([10.0, -4.0])
    plane = plot.Plane.of_readout(weight, bias)
    points = circuit.key.fixed_points
    drawn = plot.flow_field(
        circuit.field,
        states,
        fixed_points=points,
        kinds=["stable"] * len(points),
        plane=plane,
        resolution=12,
        ax=ax,
    )
    marked = np.concatenate([c.get_offsets() for c in drawn.collections if c.get_zorder() == 5])
    assert np.allclose(np.sort(marked, 0), np.sort(points @ weight.T + bias, 0))
    assert drawn.get_xlabel() == "output 0"
    velocity = np.array([[1.0, 0.0]])
    assert np.allclose(plane.turn(velocity), velocity @ weight.T)
    with pytest.raises(ValueError, match="no plane"):
        plot.Plane.of_readout(np.array([[1.0, 0.0], [2.0, 0.0]]), bias)
