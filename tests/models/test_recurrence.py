"""The recurrence is torch's GRU, with lengths, layers and directions, and lanes of a population."""

from __future__ import annotations

import pytest
import torch

from neurognode.models.draws import Draw, Dropout, marks_like, normal_like, played, recorded
from neurognode.models.encoders.recurrence import fused, gru


def layer(bidirectional: bool, layers: int, seed: int = 0) -> torch.nn.GRU:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = torch.nn.GRU(5, 8, batch_first=True, bidirectional=bidirectional, num_layers=layers)
    return made.double()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("lengths", [None, [9, 4, 7, 1]])
def test_states_and_gradients_are_those_of_torch(
    bidirectional: bool, layers: int, lengths: list[int] | None
) -> None:
    reference = layer(bidirectional, layers)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 9, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    ends = None if lengths is None else torch.tensor(lengths)
    wanted, found = fused(reference, x, ends), gru(reference, x, ends)
    assert torch.allclose(found, wanted, atol=1e-13)
    weight = torch.randn(wanted.shape, dtype=torch.float64, generator=generator)
    parts = [x, *reference.parameters()]
    for own, other in zip(
        torch.autograd.grad((found * weight).sum(), parts),
        torch.autograd.grad((wanted * weight).sum(), parts),
    ):
        assert torch.allclose(own, other, atol=1e-12)


def test_members_are_lanes() -> None:
    members = [layer(True, 1, seed) for seed in range(3)]
    params, _ = torch.func.stack_module_state(members)
    x = torch.randn(3, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = members[0]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return gru(self.inner, x)

    def one(own: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(Whole(), {f"inner.{k}": v for k, v in own.items()}, (x,))

    together = torch.func.vmap(one)(params, x)
    together.square().sum().backward()
    for k, member in enumerate(members):
        alone = gru(member, x[k])
        assert torch.allclose(together[k], alone, atol=1e-13)
        alone.square().sum().backward()
        for name, own in member.named_parameters():
            assert torch.allclose(params[name].grad[k], own.grad, atol=1e-12)


def test_draws_are_recorded_and_played_again() -> None:
    like = torch.zeros(3, 7)
    with recorded() as draws:
        first, second = normal_like(like), marks_like(like, 0.3)
    assert [d.share for d in draws] == [None, 0.3]
    assert first.std() > 0
    assert second.dtype == torch.bool
    made = [d.make(torch.Generator().manual_seed(5)) for d in draws]
    with played(made):
        assert normal_like(like) is made[0]
        assert marks_like(like, 0.3) is made[1]


def test_a_generator_draws_what_torchs_own_state_does() -> None:
    for share in (None, 0.2):
        draw = Draw((5, 11), share, (torch.float32, torch.device("cpu")))
        with torch.random.fork_rng():
            torch.manual_seed(3)
            own = draw.make()
        assert own.equal(draw.make(torch.Generator().manual_seed(3)))


def test_dropout_keeps_the_mean() -> None:
    x = torch.ones(400, 400)
    assert Dropout(0.1)(x).mean().item() == pytest.approx(1, abs=0.01)
    assert Dropout(0.1).eval()(x) is x
