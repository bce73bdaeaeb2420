"""Every encoder: bins after a trial's end have no influence, and a causal one never looks ahead."""

from __future__ import annotations

import pytest
import torch

from neurognode import registry
from neurognode.models.encoders import Encoder
from neurognode.models.encoders.gru import GRUEncoder
from neurognode.models.encoders.pooling import interpolated, pooled

CASES = [(name, {}) for name in registry.names("encoders")] + [
    ("gru", {"stride": 3}),
    ("gru", {"layers": 2}),
    ("transformer", {"layers": 1}),
]


def make(name: str, options: dict) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return registry.resolve("encoders", name)(5, hidden=16, **options).eval().double()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_padding_changes_nothing(name: str, options: dict) -> None:
    encoder = make(name, options)
    x = torch.randn(3, 11, 5, generator=torch.Generator().manual_seed(0)).double()
    lengths = torch.tensor([11, 7, 4])
    for b, n in enumerate(lengths.tolist()):
        x[b, n:] = 0
    with torch.no_grad():
        together = encoder(x, lengths)
        for b, n in enumerate(lengths.tolist()):
            k = -(-n // encoder.stride)
            assert together[b, :k].allclose(encoder(x[b : b + 1, :n])[0], atol=1e-12)
            longer = torch.nn.functional.pad(x, (0, 0, 0, 6))
            assert together[b, :k].allclose(encoder(longer, lengths)[b, :k], atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_looks_ahead_exactly_if_it_says_so(name: str, options: dict) -> None:
    encoder = make(name, options)
    x = torch.randn(1, 12, 5, generator=torch.Generator().manual_seed(0)).double()
    later = x.clone()
    later[:, 8:] += 1
    with torch.no_grad():
        k = 8 // encoder.stride
        same = encoder(x)[:, :k].allclose(encoder(later)[:, :k], atol=1e-12)
    assert same == encoder.causal


def test_a_causal_encoder_refuses_to_pool_over_time() -> None:
    with pytest.raises(ValueError, match="stride"):
        make("causal_gru", {"stride": 2})


def test_interpolation_stops_at_the_end_of_a_trial() -> None:
    values = torch.tensor([[[0.0], [3.0], [50.0]]] * 2)
    found = interpolated(values, 9, 3, torch.tensor([9, 5]))[..., 0]
    assert found[0, :5].tolist() == pytest.approx([0.0, 0.0, 1.0, 2.0, 3.0])
    assert found[1, 5:].tolist() == [3.0] * 4


def test_a_skip_shows_what_came_in() -> None:
    x = torch.randn(3, 8, 5)
    plain, passed = GRUEncoder(5, hidden=4, stride=2), GRUEncoder(5, hidden=4, stride=2, skip=True)
    assert passed.features == plain.features + 5
    assert torch.equal(passed.eval()(x)[..., -5:], pooled(x, 2))
