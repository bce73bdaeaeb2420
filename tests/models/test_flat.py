"""The 2-D adapter passes scikit-learn's own checks, apart from those that cannot hold for a time series."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from neurognode.models.flat import FlatLatentDynamics

ORDER = "rows are neighbours in time: the latents of a row depend on the rows around it"
EXPECTED = {
    "check_methods_subset_invariance": ORDER,
    "check_methods_sample_order_invariance": ORDER,
}


def quick() -> FlatLatentDynamics:
    options = {"encoder_options": {"hidden": 4}, "dynamics_options": {"hidden": (4,)}, "n_samples": 0}
    return FlatLatentDynamics(1, max_steps=2, random_state=0, options=options)


def test_check_estimator() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(quick(), expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
    failed = [f"{r['check_name']}: {r['exception']}" for r in results if r["status"] == "failed"]
    assert not failed, "\n".join(failed)
    unexpected = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert unexpected == set(EXPECTED)


def test_works_in_a_pipeline_at_any_length() -> None:
    x = np.random.default_rng(0).normal(size=(123, 4))
    pipeline = make_pipeline(StandardScaler(), quick())
    assert pipeline.fit(x).transform(x[:57]).shape == (57, 1)
