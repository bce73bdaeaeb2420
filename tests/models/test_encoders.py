"""Every encoder: bins after a trial's end have no influence, and a causal one never looks ahead."""

from __future__ import annotations

import pytest
import torch

from neurognode import registry
from neurognode.models.encoders import Encoder

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
            assert together[b, :n].allclose(encoder(x[b : b + 1, :n])[0], atol=1e-12)
            longer = torch.nn.functional.pad(x, (0, 0, 0, 6))
            assert together[b, :n].allclose(encoder(longer, lengths)[b, :n], atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_looks_ahead_exactly_if_it_says_so(name: str, options: dict) -> None:
    encoder = make(name, options)
    x = torch.randn(1, 12, 5, generator=torch.Generator().manual_seed(0)).double()
    later = x.clone()
    later[:, 8:] += 1
    with torch.no_grad():
        same = encoder(x)[:, :8].allclose(encoder(later)[:, :8], atol=1e-12)
    assert same == encoder.causal


def test_a_causal_encoder_refuses_to_pool_over_time() -> None:
    with pytest.raises(ValueError, match="stride"):
        make("causal_gru", {"stride": 2})
