"""Fields and data that allow no portrait, or only part of one: said in the portrait, never a crash or an invention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode import make_trials
from neurognode.dynamics import VectorField
from neurognode.interpret import Portrait, kinds_of, portrait
from neurognode.synthetic import circuits

STATES = np.random.default_rng(0).normal(size=(300, 2))


def drawn(flow, states: np.ndarray = STATES, **options) -> Portrait:
    class Given(VectorField):
        def forward(self, h, x=None):
            return flow(h)

    settings = {"horizon": 1.0, "bin_size": 0.02, "diffusion": 0.1, "n_starts": 64} | options
    return portrait(Given(2), states, **settings)


def test_a_field_that_diverges_is_said_to(tmp_path) -> None:
    picture = drawn(lambda h: 50 * h**3)
    assert picture.behaviour.diverged > 0.5
    assert any("diverge" in note for note in picture.notes)
    assert not picture.fixed_points.stable.any()
    assert picture.cycles == ()
    picture.save(tmp_path / "portrait.nc")
    assert str(Portrait.load(tmp_path / "portrait.nc")) == str(picture)


def test_nan_eigenvalues_make_an_undefined_point_or_none() -> None:
    kinds, index = kinds_of(np.array([[np.nan, -1.0], [-1.0, -2.0]]), 1.0)
    assert kinds.tolist() == ["undefined", "stable node"]
    assert index.tolist() == [-1, 0]
    picture = drawn(lambda h: torch.sign(h) * h.abs() ** 0.5 * -1)
    assert set(picture.fixed_points.kind) <= {"undefined"}
    broken = drawn(lambda h: h * torch.nan)
    assert len(broken.fixed_points) == 0
    assert any("not finite" in note for note in broken.notes)


def test_no_slow_points_at_all() -> None:
    picture = drawn(lambda h: torch.ones_like(h) * 30)
    assert not picture.slow.is_slow.any()
    assert len(picture.fixed_points) == 0
    assert picture.cycles == ()
    assert picture.escape is None or not len(picture.escape.well)


def test_a_manifold_that_leaves_the_visited_region_is_marked() -> None:
    states = np.random.default_rng(0).uniform(0, 1, size=(400, 2)) * [1.0, 0.1]
    picture = drawn(lambda h: torch.stack([0.8 + 0 * h[..., 0], -10 * h[..., 1]], -1), states)
    assert picture.behaviour.leaving > 0.5
    assert any("outside the data" in note for note in picture.notes)


def test_a_field_of_zero_has_no_listed_points() -> None:
    picture = drawn(lambda h: 0 * h)
    assert len(picture.fixed_points) == 0
    assert any("zero" in note for note in picture.notes)


@pytest.mark.parametrize("n_states", [12, 40])
def test_few_states_are_enough_for_a_portrait(n_states: int) -> None:
    picture = drawn(lambda h: -3 * h, STATES[:n_states])
    assert picture.fixed_points.kind.tolist() == ["stable node"]


def test_states_on_a_line_in_two_latents() -> None:
    states = np.linspace(-1, 1, 200)[:, None] * [1.0, 2.0]
    picture = drawn(lambda h: -3 * h, states)
    assert len(picture.fixed_points) == 1


def test_too_few_trials_for_a_null_are_said_to_be() -> None:
    from neurognode.hypotheses import compare
    from neurognode.models import LatentDynamics

    counts = np.random.default_rng(0).poisson(0.5, size=(3, 20, 6))
    trials = make_trials(counts, bin_size=0.02)
    model = LatentDynamics(2, max_steps=2, progress=False, random_state=0, validation_fraction=0.0).fit(
        trials
    )
    verdicts = compare(model, trials, n_rescored=2, progress=None)
    assert {v.status for v in verdicts} <= {"cannot_tell", "rejected"}
    assert str(verdicts)


def test_a_trial_length_is_found_where_none_is_given() -> None:
    circuit = circuits.make("ring")
    picture = portrait(circuit.field, circuit.simulate(20, dt=0.02).latents[:, 0], n_starts=32)
    assert any(note.startswith("horizon") for note in picture.notes)
