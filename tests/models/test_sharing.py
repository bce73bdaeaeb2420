"""Two processes that share a fit find the gradients and the history of one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from neurognode.errors import FitError
from neurognode.models import Ensemble, LatentDynamics, sharing
from neurognode.models.fitting import prepare
from neurognode.training.crew import Crew
from neurognode.training.randomness import batch_indices, seeded, stream
from neurognode.trials import make_trials


def recording(ragged: bool = True) -> xr.Dataset:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.4, (30, 25, 9)).astype(float)
    observed = np.arange(25) < (rng.integers(12, 26, 30) if ragged else np.full(30, 25))[:, None]
    inputs = rng.normal(size=(30, 25, 2))
    return make_trials(
        np.where(observed[..., None], counts, 0), bin_size=0.02, observed=observed, inputs=inputs,
        input_names=["a", "b"],
    )  # fmt: skip


def model(**options: Any) -> LatentDynamics:
    base: dict[str, Any] = {
        "latent_dim": 2, "max_steps": 6, "progress": False, "batch_size": 9, "device": "cpu", "n_samples": 2,
        "encoder_options": {"hidden": 8, "dropout": 0.3}, "dynamics_options": {"hidden": (8,)}, "random_state": 0,
        "coordinated_dropout": 0.25,
    }  # fmt: skip
    return LatentDynamics(**{**base, **options})


def gradients(fit: Any, crews: list[Crew], progress: float) -> tuple[dict[str, torch.Tensor], float]:
    """Gradients in double precision and loss of one batch, added up over the parts that `crews` take."""
    settings, network, batches = fit.settings(), fit.network.double().train(), fit.batches()
    indices = batch_indices(len(batches), settings.batch_size, settings.seed, 0)
    network.zero_grad()
    loss = 0.0
    for crew in crews:
        own = {} if crew.alone else {"rows": crew.rows(len(indices))}
        with seeded(stream(settings.seed, 2, 0)):
            values = network(batches.batch(indices, **own), progress)
            values["loss"].backward()
        loss += float(values["loss"].detach())
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}, loss


def doubled(fit: Any) -> Any:
    tensors = fit.training[0]
    for name in ("values", "observed", "inputs"):
        setattr(tensors, name, getattr(tensors, name).double())
    return fit


@pytest.mark.parametrize(
    "options",
    [{}, {"preset": "denoise"}, {"preset": "autonomous"}, {"encoder": "causal_gru"}, {"latent_dim": 6}],
    ids=str,
)
def test_gradients_of_parts_add_up_to_those_of_the_batch(options: dict[str, Any]) -> None:
    fit = doubled(prepare(model(**options), recording()))
    whole, loss = gradients(fit, [Crew()], 0.3)
    parts, total = gradients(fit, [Crew(rank, 4) for rank in range(4)], 0.3)
    assert total == pytest.approx(loss, rel=1e-12)
    assert whole.keys() == parts.keys()
    for name, expected in whole.items():
        torch.testing.assert_close(parts[name], expected, rtol=1e-9, atol=1e-12, msg=name)


def test_two_processes_give_the_history_of_one(tmp_path: Path) -> None:
    trials = recording()
    alone = model().fit(trials)
    checkpoint = os.fspath(tmp_path / "state.safetensors")
    shared = model(devices=2, checkpoint=checkpoint).fit(trials)
    assert len(alone.history_) == len(shared.history_)
    for one, two in zip(alone.history_, shared.history_):
        assert {k: v for k, v in one.items() if k != "seconds"} == pytest.approx(
            {k: v for k, v in two.items() if k != "seconds"}, rel=1e-4
        )
    np.testing.assert_allclose(shared.predict(trials).values, alone.predict(trials).values, rtol=1e-3)
    further = model(devices=2, checkpoint=checkpoint, resume=True).fit(trials)
    assert further.n_steps_ == 6
    assert further.history_ == shared.history_
    on = shared.partial_fit(trials)
    assert on.n_steps_ == 6


def test_the_death_of_a_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[subprocess.Popen[bytes]] = []
    start = sharing._start

    def noted(place: Path, rank: int) -> subprocess.Popen[bytes]:
        others.append(start(place, rank))
        return others[-1]

    def kill(step: int, total: int, metrics: Mapping[str, float]) -> None:
        if step == 2:
            others[0].kill()

    monkeypatch.setattr(sharing, "_start", noted)
    with pytest.raises(FitError, match="shared the fit has ended"):
        model(devices=2, max_steps=500, callbacks=[kill]).fit(recording())
    assert all(other.returncode is not None for other in others)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 0}, "at least 1"),
        ({"encoder": "transformer", "encoder_options": None}, "transformer"),
        ({"batch_size": 1}, "batch_size"),
        ({"device": "cuda:1"}, "one device"),
        ({"dynamics_options": {"activation": torch.tanh}}, "dynamics_options"),
    ],
)
def test_fits_that_cannot_be_shared_say_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**{"devices": 2, **options}).fit(recording())


def test_sessions_and_ensembles_are_not_shared() -> None:
    with pytest.raises(ValueError, match="one session"):
        model(devices=2).fit([recording(), recording()])
    with pytest.raises(ValueError, match="n_jobs=2"):
        Ensemble(model(devices=2), 2).fit(recording())


def test_a_crew_takes_every_row_once() -> None:
    for size, count in ((7, 3), (8, 2), (3, 3)):
        rows = [list(range(size))[Crew(rank, count).rows(size)] for rank in range(count)]
        assert [row for part in rows for row in part] == list(range(size))
        assert all(rows)
    assert dataclasses.replace(Crew(), count=2).alone is False
    assert sharing.parallel.unsendable(model()) == ""
