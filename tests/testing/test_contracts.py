"""Built-ins pass the contract tests that plug-in authors use; a broken member does not."""

from __future__ import annotations

import pytest
import torch

from neurognode import registry, testing
from neurognode.models.encoders.base import Encoder
from neurognode.models.likelihoods.poisson import Poisson


@pytest.mark.parametrize("name", list(registry.BUILTINS["likelihoods"]))
def test_likelihoods(name: str) -> None:
    testing.check_likelihood(name)


@pytest.mark.parametrize("name", list(registry.BUILTINS["dynamics"]))
def test_dynamics(name: str) -> None:
    testing.check_dynamics(name)


@pytest.mark.parametrize("name", list(registry.BUILTINS["encoders"]))
def test_encoders(name: str) -> None:
    testing.check_encoder(name)


@pytest.mark.parametrize("name", list(registry.BUILTINS["hypotheses"]))
def test_hypotheses(name: str) -> None:
    testing.check_hypothesis(name)


@pytest.mark.parametrize(("name", "suffix"), [("netcdf", ".nc"), ("lfads_hdf5", ".h5")])
def test_exporters(name: str, suffix: str) -> None:
    testing.check_exporter(name, suffix)


def test_nwb_exporter() -> None:
    testing.check_exporter("nwb", ".nwb", incomplete="write")


class Unnormalised(Poisson):
    def log_prob(self, values, location, observed=None):
        return super().log_prob(values, location) + 0.5


class Peeking(Encoder):
    causal = True

    def __init__(self, n_inputs: int) -> None:
        super().__init__(n_inputs, 8)
        self.linear = torch.nn.Linear(n_inputs, 8)

    def forward(self, x, lengths=None):
        return self.linear(x.flip(1).cumsum(1).flip(1))


@pytest.mark.parametrize(
    ("kind", "member", "check", "message"),
    [
        ("likelihoods", Unnormalised, testing.check_likelihood, "sums to"),
        ("encoders", Peeking, testing.check_encoder, "after the end"),
    ],
)
def test_a_broken_member_is_caught(monkeypatch, kind, member, check, message) -> None:
    monkeypatch.setattr(registry, "resolve", lambda *_: member)
    with pytest.raises(AssertionError, match=message):
        check("broken")


def test_a_broken_plug_in_is_reported_and_skipped(monkeypatch) -> None:
    from importlib.metadata import EntryPoint

    broken = EntryPoint("broken", "no_such_module:Thing", "neurognode.likelihoods")
    monkeypatch.setattr(registry, "_third_party", lambda kind: {"broken": broken})
    with pytest.warns(RuntimeWarning, match="'broken'"):
        found = registry.members("likelihoods")
    assert "poisson" in found
    assert "broken" not in found
    with pytest.raises(ImportError, match="no_such_module"):
        registry.resolve("likelihoods", "broken")
