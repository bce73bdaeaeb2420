"""`Ensemble`: members differ, answers are aligned and carry a spread, and it saves as one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurognode.models import Ensemble, LatentDynamics, load
from neurognode.models.alignment import align
from neurognode.models.intervals import moved_field


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return np.random.default_rng(0).poisson(0.4, size=(30, 20, 8))


@pytest.fixture(scope="module")
def fits(counts: np.ndarray) -> Ensemble:
    model = LatentDynamics(
        2, max_steps=4, progress=False, random_state=0, n_samples=2,
        encoder_options={"hidden": 8}, dynamics_options={"hidden": (8,)},
    )  # fmt: skip
    return Ensemble(model, n_members=3).fit(counts)


def test_members_differ_and_are_aligned(fits: Ensemble, counts: np.ndarray) -> None:
    each = fits.transform(counts, members=True)
    raw = [member.transform(counts).values for member in fits.members_]
    assert each.dims == ("member", "trial", "time", "latent")
    assert not np.allclose(raw[0], raw[1])
    reference = raw[fits.reference_]
    assert np.allclose(each.values[fits.reference_], reference, atol=1e-4)
    for own, moved in zip(raw, each.values):
        assert ((moved - reference) ** 2).sum() <= ((own - reference) ** 2).sum() + 1e-6
    mean = fits.transform(counts)
    assert np.allclose(mean.values, each.values.mean(0), atol=1e-6)
    assert np.allclose(mean["std"].values, each.values.std(0, ddof=1), atol=1e-6)


def test_verbs(fits: Ensemble, counts: np.ndarray) -> None:
    rates = fits.predict(counts)
    assert np.allclose(rates.values, np.mean([m.predict(counts).values for m in fits.members_], 0))
    assert np.isfinite(fits.score(counts))
    assert fits.sample(counts, 4).shape == (4, *counts.shape)
    assert fits.field_ is fits.members_[fits.reference_].field_
    assert fits.visited(counts).shape == (30 * 20, 2)
    assert {entry["member"] for entry in fits.history_} == {0, 1, 2}


def test_saves_as_one_file(fits: Ensemble, counts: np.ndarray, tmp_path: Path) -> None:
    fits.save(tmp_path / "fits.safetensors")
    again = load(tmp_path / "fits.safetensors")
    assert isinstance(again, Ensemble)
    assert np.array_equal(again.transform(counts).values, fits.transform(counts).values)
    assert again.n_members == 3


def test_alignment_is_the_least_squares_affine_map() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(200, 3))
    reference = states @ rng.normal(size=(3, 3)) + 1.0
    assert np.allclose(align(states, reference)(states), reference)


def test_member_count_is_checked(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="n_members"):
        Ensemble(LatentDynamics(), n_members=0).fit(counts)


def test_intervals_enclose_what_they_say(fits: Ensemble, counts: np.ndarray) -> None:
    rates, between = fits.predict(counts), fits.interval(counts, 0.8, n_samples=30)
    assert between.dims == ("bound", "trial", "time", "unit")
    lower, upper = between.sel(bound="lower"), between.sel(bound="upper")
    assert (lower <= upper).all()
    assert ((lower <= rates) & (rates <= upper)).mean() > 0.7
    wider = fits.interval(counts, 0.95, n_samples=30)
    assert (wider.sel(bound="upper") >= upper).all()
    one = fits.members_[0].interval(counts, what="latents", n_samples=10)
    assert one.shape == (2, 30, 20, 2)
    drawn = fits.interval(counts, 0.9, what="signal", n_samples=60)
    inside = (drawn.sel(bound="lower") <= counts) & (counts <= drawn.sel(bound="upper"))
    assert inside.mean() > 0.85
    with pytest.raises(ValueError, match="level=2"):
        fits.interval(counts, 2)


def test_the_flow_is_that_of_the_members_in_one_space(fits: Ensemble) -> None:
    states = np.random.default_rng(0).normal(size=(7, 2))
    flow = fits.flow(states)
    assert flow["flow"].dims == ("state", "latent")
    assert (flow["interval"].sel(bound="lower") <= flow["flow"]).all()
    step = 1e-3
    member, move = fits.members_[1], fits.alignments_[1]
    own = (states - move.offset) @ np.linalg.inv(move.linear)
    velocity = member.field_(torch.as_tensor(own, dtype=torch.float32)).detach().numpy()
    ahead = (move(own + step * velocity) - move(own)) / step
    assert np.allclose(moved_field(member.field_, move.linear, move.offset, states), ahead, atol=1e-3)
