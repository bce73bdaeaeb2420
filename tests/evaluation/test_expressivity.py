"""The expressivity measure: what one latent cannot do, more can."""

from __future__ import annotations

import numpy as np
import pytest

from neurognode.evaluation import Expressivity, expressivity


def test_one_latent_cannot_follow_curves_that_several_can():
    found = expressivity(
        (1, 8), dynamics_options={"hidden": (24,)}, length_scale=0.3, n_trajectories=2, n_seeds=2,
        learning_rate=(1e-2,), max_steps=500,
    )  # fmt: skip
    assert np.median(found.errors[0]) > 0.2
    assert np.median(found.errors[1]) < 0.05
    assert found.critical_dim() == 8


def test_critical_dimension_and_its_interval():
    errors = np.array([[0.5, 0.6, 0.4], [0.04, 0.2, 0.03], [0.01, 0.02, 0.01]])
    found = Expressivity(np.array([1, 2, 4]), errors, 0.2)
    assert found.critical_dim() == 2
    assert found.interval() == (2, 4)
    assert found.critical_dim(1e-9) == pytest.approx(np.inf)
