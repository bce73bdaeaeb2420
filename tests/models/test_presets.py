"""What a preset's name stands for."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.models import LatentDynamics
from neurognode.models.presets import PRESETS, chosen_preset, setting


@pytest.mark.parametrize(
    ("latent_dim", "expected"), [(None, "denoise"), (3, "dynamics"), (8, "dynamics"), (9, "denoise")]
)
def test_auto_takes_few_latents_for_a_portrait(latent_dim: int | None, expected: str) -> None:
    assert chosen_preset("auto", latent_dim) == expected


def test_presets_have_the_same_settings() -> None:
    assert len({frozenset(values) for values in PRESETS.values()}) == 1


def test_an_argument_goes_before_the_preset() -> None:
    model = LatentDynamics(preset="denoise", kl_weight=0.7)
    assert setting(model, "kl_weight") == 0.7
    assert setting(model, "learning_rate") == PRESETS["denoise"]["learning_rate"]


def test_auto_fits_as_the_preset_it_stands_for() -> None:
    counts = np.random.default_rng(0).poisson(0.5, size=(12, 10, 6))
    options = {"max_steps": 3, "progress": False, "random_state": 0}
    for latent_dim, name in ((3, "dynamics"), (None, "denoise")):
        fits = [LatentDynamics(latent_dim, preset=preset, **options).fit(counts) for preset in ("auto", name)]
        assert fits[0].predict(counts).equals(fits[1].predict(counts))


def test_the_autonomous_preset_ends_without_noise() -> None:
    counts = np.random.default_rng(0).poisson(0.5, size=(12, 10, 6))
    model = LatentDynamics(preset="autonomous", max_steps=20, progress=False, random_state=0).fit(counts)
    assert model.diffusion_ is None
    assert model.network_.path.method == "midpoint"
