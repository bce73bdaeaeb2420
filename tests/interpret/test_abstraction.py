"""Affine pieces of a field: the proved bound holds wherever it is tried, and pieces cover what was visited."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.dynamics import GNODE
from neurognode.interpret import Flow, PolynomialField, piecewise_affine, visited_region


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu"])
@pytest.mark.parametrize("dim", [2, 3])
def test_the_bound_holds_and_is_below_the_tolerance(dim: int, activation: str) -> None:
    field = GNODE(dim, hidden=(12,), activation=activation, random_state=dim)
    states = np.random.default_rng(0).normal(size=(1000, dim))
    pieces = piecewise_affine(field, states, tolerance=0.5)
    assert pieces.n_unfinished == 0
    assert pieces.error <= 0.5
    assert (pieces.piece(states) >= 0).all()
    rng = np.random.default_rng(1)
    which = rng.integers(len(pieces), size=5000)
    points = pieces.centre[which] + pieces.half[which] * rng.uniform(-1, 1, (5000, dim))
    off = np.abs(pieces(points) - Flow(field).velocity(points))
    assert (off <= pieces.bound[pieces.piece(points)] + 1e-12).all()


def test_an_affine_field_needs_one_piece() -> None:
    field = PolynomialField([[0, 0], [1, 0], [0, 1]], [[1.0, -2.0, 0.0], [0.0, 3.0, -1.0]])
    pieces = piecewise_affine(field, np.random.default_rng(0).normal(size=(500, 2)))
    assert len(pieces) == 1
    assert pieces.slope[0] == pytest.approx(np.array([[-2.0, 0.0], [3.0, -1.0]]))
    assert pieces.error < 1e-12


def test_boxes_do_not_overlap_and_stay_where_data_have_been() -> None:
    angle = np.linspace(0, 2 * np.pi, 800)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    field = GNODE(2, hidden=(16,), random_state=0)
    pieces = piecewise_affine(field, ring, tolerance=0.02)
    gap = np.abs(pieces.centre[:, None] - pieces.centre) - (pieces.half[:, None] + pieces.half)
    overlap = (gap < -1e-9).all(2)
    assert overlap.sum() == len(pieces)
    assert (pieces.piece(np.zeros((1, 2))) == -1).all()
    assert np.isnan(pieces(np.zeros((1, 2)))).all()


def test_moving_boxes_hold_no_fixed_point() -> None:
    field = PolynomialField([[1], [3]], [[1.0, -1.0]])
    pieces = piecewise_affine(field, np.linspace(-1.5, 1.5, 300)[:, None], tolerance=0.01)
    still = ~pieces.moving()
    lower, upper = (pieces.centre - pieces.half).ravel(), (pieces.centre + pieces.half).ravel()
    for zero in (-1.0, 0.0, 1.0):
        assert ((lower <= zero) & (zero <= upper) & still).any()
    assert (2 * pieces.half.ravel()[still]).sum() < 0.6
    frame = pieces.to_frame()
    assert (frame["moving"] == ~still).all()
    assert frame["lower_0"].min() == pytest.approx(lower.min())


def test_too_few_pieces_are_said_to_be_too_few() -> None:
    field = GNODE(2, hidden=(16,), random_state=0)
    region = visited_region(np.random.default_rng(0).normal(size=(500, 2)))
    pieces = piecewise_affine(field, region, tolerance=0.001, max_pieces=50)
    assert len(pieces) <= 51
    assert pieces.n_unfinished > 0
    assert "above the tolerance" in str(pieces)
    better = piecewise_affine(field, region, tolerance=0.001, max_pieces=200)
    assert better.error < pieces.error


def test_the_tolerance_must_be_positive() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        piecewise_affine(PolynomialField([[1]], [[1.0]]), np.ones((20, 1)), tolerance=0.0)
