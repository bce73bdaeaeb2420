"""Members that train together get the numbers that fits of their own get."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from neurognode import registry
from neurognode.models import LatentDynamics
from neurognode.models.fitting import fit_together, prepare
from neurognode.models.population import NetworkPopulation
from neurognode.training import Callback
from neurognode.training.randomness import batch_indices, seeded, stream
from neurognode.trials import make_trials

HIDDEN = list(range(6))


def recording(kind: str = "counts", ragged: bool = False, inputs: bool = False) -> xr.Dataset:
    rng = np.random.default_rng(0)
    values = rng.poisson(0.4, (30, 25, 9)).astype(float)
    if kind == "calcium":
        values = values * rng.gamma(2, 1, values.shape)
    more: dict[str, Any] = {"kind": kind}
    if ragged:
        more["observed"] = np.arange(25) < rng.integers(12, 26, 30)[:, None]
        values = np.where(more["observed"][..., None], values, 0)
    if inputs:
        more |= {"inputs": rng.normal(size=(30, 25, 2)), "input_names": ["a", "b"]}
    return make_trials(values, bin_size=0.02, **more)


def model(seed: int, **options: Any) -> LatentDynamics:
    base = {
        "latent_dim": 2,
        "preset": "dynamics",
        "max_steps": 6,
        "progress": False,
        "batch_size": 8,
        "device": "cpu",
        "encoder_options": {"hidden": 8},
        "dynamics_options": {"hidden": (8,)},
        "n_samples": 2,
    }
    return LatentDynamics(**{**base, **options}, random_state=seed)


LIKELIHOODS = [
    ({"kind": "counts" if registry.resolve("likelihoods", name).signal == "counts" else "calcium"},
     {"likelihood": name})
    for name in registry.names("likelihoods") if name != "bernoulli"
]  # fmt: skip
CASES = [
    ({}, {}),
    ({"ragged": True}, {}),
    ({"inputs": True}, {"substeps": 2, "method": "rk4"}),
    ({"ragged": True, "inputs": True}, {"preset": "denoise", "latent_dim": 5}),
    ({}, {"preset": "denoise", "latent_dim": 5, "encode_units": HIDDEN, "readout": "mlp_exp"}),
    ({}, {"process_noise": "anneal", "encode_units": HIDDEN, "coordinated_dropout": 0.2}),
    ({}, {"session_drift": 3, "encoder": "causal_gru", "dynamics": "node"}),
    *LIKELIHOODS,
]


@pytest.mark.parametrize(("data", "options"), CASES)
@pytest.mark.parametrize("progress", [0.1, 0.9])
def test_losses_and_gradients(data: dict, options: dict, progress: float) -> None:
    trials = recording(**data)
    parts = [prepare(model(seed, **options), trials) for seed in range(3)]
    networks = [part.network.double().train() for part in parts]
    batches = []
    for part in parts:
        batch = part.training[0].batch(batch_indices(len(part.training[0]), 8, part.seed, 2))
        double = (v.double() if torch.is_tensor(v) and v.is_floating_point() else v for v in batch)
        batches.append(type(batch)(*double))
    population = NetworkPopulation([copy.deepcopy(network) for network in networks])
    seeds = [part.seed for part in parts]
    found = population.losses(batches, progress, seeds, 2)
    sum(values["loss"] for values in found).backward()
    for k, (network, batch) in enumerate(zip(networks, batches)):
        with seeded(stream(seeds[k], 2, 2)):
            alone = network(batch, progress)
        alone["loss"].backward()
        assert found[k]["loss"].item() == pytest.approx(alone["loss"].item(), rel=1e-9)
        for name, own in network.named_parameters():
            together = population.parameters.get(name)
            if own.grad is not None:
                assert torch.allclose(together.grad[k], own.grad, rtol=1e-6, atol=1e-9), name
            elif together is not None:
                assert together.grad is None or not together.grad[k].any(), name


def test_a_fit_together_is_a_fit_alone(tmp_path: Path) -> None:
    trials = recording()
    settings = [{"learning_rate": 5e-3}, {"learning_rate": 1e-3, "weight_decay": 0.1}, {"kl_weight": 0.3}]
    together = [model(seed, max_steps=60, **own) for seed, own in enumerate(settings)]
    assert fit_together(together, trials) == ["", "", ""]
    for seed, (own, one) in enumerate(zip(settings, together)):
        alone = model(seed, max_steps=60, **own).fit(trials)
        assert (one.best_step_, one.n_steps_) == (alone.best_step_, alone.n_steps_)
        assert [e["step"] for e in one.history_] == [e["step"] for e in alone.history_]
        scores = [[e["score"] for e in fit.history_] for fit in (one, alone)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)
        assert np.allclose(one.transform(trials), alone.transform(trials), atol=1e-3)
        assert set(one.history_[0]) == set(alone.history_[0])


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, step: int, total: int, metrics: Any) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def test_resumed_numbers_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    trials, path = recording(), tmp_path / "state.safetensors"
    whole = [model(seed, max_steps=60) for seed in range(2)]
    fit_together(whole, trials)
    cut = [model(seed, max_steps=60, checkpoint=path) for seed in range(2)]
    cut[1].set_params(callbacks=[StopAt(53)])
    with pytest.warns(RuntimeWarning, match="Interrupted"):
        fit_together(cut, trials)
    assert [one.stopped_ for one in cut] == ["interrupted"] * 2
    again = [model(seed, max_steps=60, checkpoint=path, resume=True) for seed in range(2)]
    fit_together(again, trials)
    for one, two in zip(whole, again):
        states = zip(one.network_.state_dict().values(), two.network_.state_dict().values())
        assert all(a.equal(b) for a, b in states)
        assert [e["score"] for e in one.history_] == [e["score"] for e in two.history_]


def test_a_member_that_breaks_down_does_not_touch_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    trials, intact = recording(), NetworkPopulation.losses

    def poisoned(self: NetworkPopulation, *given: Any) -> list[dict[str, torch.Tensor]]:
        found = intact(self, *given)
        found[1] = {name: torch.nan * value for name, value in found[1].items()}
        return found

    monkeypatch.setattr(NetworkPopulation, "losses", poisoned)
    fits = [model(seed, max_steps=30) for seed in range(2)]
    found = fit_together(fits, trials)
    assert found[0] == ""
    assert "not finite" in found[1]
    assert np.isfinite(fits[1].transform(trials).values).all()
    alone = model(0, max_steps=30).fit(trials)
    assert np.allclose(fits[0].transform(trials), alone.transform(trials), atol=1e-3)
