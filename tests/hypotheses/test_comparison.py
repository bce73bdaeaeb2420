"""Comparing decides nothing where the flow does not carry the latents by itself."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.hypotheses import compare
from neurognode.hypotheses.comparison import STEERED
from neurognode.models import Ensemble, LatentDynamics


@pytest.mark.parametrize("preset", ["denoise", "dynamics"])
def test_models_that_infer_inputs_decide_nothing(preset: str) -> None:
    counts = np.random.default_rng(0).poisson(0.5, size=(20, 20, 8))
    model = LatentDynamics(latent_dim=2, preset=preset, max_steps=3, progress=False, random_state=0)
    verdicts = compare(Ensemble(model, 2).fit(counts), counts, n_rescored=0)
    steered = [v for v in verdicts if STEERED in v.reason]
    assert len(steered) == (len(verdicts) if preset == "denoise" else 0)
    if preset == "denoise":
        assert {v.status for v in verdicts} == {"cannot_tell"}
