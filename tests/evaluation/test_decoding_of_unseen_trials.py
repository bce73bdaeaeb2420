"""What a fit memorised of its own trials does not count as decoding."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurognode.evaluation import decode_condition


@pytest.mark.parametrize(("known", "expected"), [("train", 0.5), ("all", 1.0)])
def test_memory_of_training_trials_is_not_decoding(known: str, expected: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 1] * 60)
    is_test = np.arange(120) >= 60
    values = rng.normal(size=(120, 2, 3))
    leaks = ~is_test if known == "train" else np.ones(120, bool)
    values[leaks, :, 0] += 20 * labels[leaks, None]
    latents = xr.DataArray(values, dims=("trial", "time", "latent"), coords={"time": [0.0, 0.1]})
    found = decode_condition(latents, labels, is_test=is_test)
    assert found is not None
    assert abs(np.mean(found["accuracy"]) - expected) < 0.2
    assert "60 test trials" in found["caption"]
