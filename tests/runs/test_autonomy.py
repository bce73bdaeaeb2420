"""What autonomy costs, as a run's scores and its report say it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from neurognode.cli import run
from neurognode.models import LatentDynamics
from neurognode.models.free_run import free_run
from neurognode.runs import load_run, report_run


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    wander = np.cumsum(rng.standard_normal((30, 25, 1)), 1) * 0.4
    return rng.poisson(np.exp(wander * rng.standard_normal(10) - 0.5))


@pytest.mark.parametrize("preset", ["dynamics", "denoise"])
def test_a_free_run_follows_the_field_alone(counts: np.ndarray, preset: str) -> None:
    model = LatentDynamics(2, preset=preset, n_samples=0, max_steps=5, progress=False, random_state=0)
    before = model.fit(counts).transform(counts)
    with free_run(model):
        alone = model.transform(counts).values
        size = model.field_.input_dim
        inputs = torch.zeros(*alone.shape[:2], size) if size else None
        path = model.network_.path.rollout(torch.from_numpy(alone[:, 0]), alone.shape[1], inputs)
    assert np.allclose(alone, path.detach().numpy(), atol=1e-5)
    assert not np.allclose(alone, before.values, atol=1e-3)
    assert model.transform(counts).equals(before)


def test_an_error_within_leaves_the_model_as_it_was(counts: np.ndarray) -> None:
    model = LatentDynamics(2, n_samples=0, max_steps=3, progress=False, random_state=0).fit(counts)
    before = model.transform(counts)
    with pytest.raises(KeyError), free_run(model):
        raise KeyError
    assert model.transform(counts).equals(before)


def test_the_report_shows_the_other_preset(small_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_run, tmp_path / "run")
    measures = {m["name"]: m for m in load_run(folder).metrics["measures"]}
    assert np.isfinite(measures["score of the free run"]["value"])
    assert "--other-preset" in measures["score of the preset denoise"]["note"]
    assert run(["evaluate", str(folder), "--other-preset"]) == 0
    scored = {m["name"]: m for m in load_run(folder).metrics["measures"]}["score of the preset denoise"]
    assert np.isfinite(scored["value"])
    assert run(["evaluate", str(folder)]) == 0
    assert scored in load_run(folder).metrics["measures"]
    page = Path(report_run(load_run(folder))).read_text(encoding="utf-8")
    assert "score of the preset denoise" in page
