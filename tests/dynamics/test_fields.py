"""Laws that every field and map in the registry keeps, whoever wrote it."""

from __future__ import annotations

import json

import pytest
import torch

from neurognode import registry
from neurognode.dynamics import GNODE, Map, VectorField, build, integrate, stack

KINDS = registry.names("dynamics")
N, INPUTS, MEMBERS = 4, 2, 3
GNODE_OPTIONS = [
    {},
    {"hidden": (), "gate_hidden": (7,)},
    {"hidden": (9, 8, 7), "gate_hidden": None, "bounded": 1.5},
    {"layer_norm": True, "gate_hidden": (6, 5), "activation": "silu"},
    {"input_mode": "modulating", "activation": "softplus", "gate_slope": 10.0},
    {"layer_norm": True, "input_mode": "modulating", "activation": "gelu"},
    {"leak": False, "gain": True, "learn_tau": True, "activation": "gelu"},
    {"gated": False, "tau": [0.1, 0.2, 0.3, 0.4], "activation": "sigmoid", "bounded": True},
]


def _made(config: dict, seed: int = 0) -> VectorField:
    torch.manual_seed(seed)
    field = build(config).double()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return field


CASES = [{"kind": kind} for kind in KINDS] + [{"kind": "gnode", **options} for options in GNODE_OPTIONS]


@pytest.fixture(params=CASES, ids=lambda c: "-".join(map(str, c.values())))
def config(request: pytest.FixtureRequest) -> dict:
    return {"latent_dim": N, "input_dim": INPUTS, **request.param}


@pytest.mark.parametrize("members", [None, MEMBERS])
def test_jacobians_are_those_of_autograd(config, members):
    field = _made({**config, "members": members})
    lead = () if members is None else (members,)
    h, x = torch.randn(*lead, 5, N).double(), torch.randn(*lead, 5, INPUTS).double()
    torch.testing.assert_close(field.jacobian(h, x), VectorField.jacobian(field, h, x), rtol=1e-9, atol=1e-9)
    expected = VectorField.input_jacobian(field, h, x)
    torch.testing.assert_close(field.input_jacobian(h, x), expected, rtol=1e-9, atol=1e-9)


def test_missing_input_is_zero_input(config):
    field = _made(config)
    h = torch.randn(6, N).double()
    torch.testing.assert_close(field(h), field(h, torch.zeros(6, INPUTS).double()), rtol=0, atol=1e-13)
    torch.testing.assert_close(field.jacobian(h), field.jacobian(h, torch.zeros(INPUTS).double()))


def test_any_leading_shape_gives_the_same_field(config):
    field = _made(config)
    h, x = torch.randn(2, 3, N).double(), torch.randn(2, 3, INPUTS).double()
    one_by_one = torch.stack([torch.stack([field(h[i, j], x[i, j]) for j in range(3)]) for i in range(2)])
    torch.testing.assert_close(field(h, x), one_by_one, rtol=1e-12, atol=1e-12)


def test_configuration_is_json_and_rebuilds_the_field(config):
    field = _made(config)
    text = json.loads(json.dumps(field.config()))
    again = build(text).double()
    again.load_state_dict(field.state_dict())
    h = torch.randn(3, N).double()
    assert again.config() == field.config()
    torch.testing.assert_close(again(h), field(h), rtol=0, atol=0)


def test_population_is_its_members(config):
    population = _made({**config, "members": MEMBERS})
    singles = [population.member(k) for k in range(MEMBERS)]
    h, x = torch.randn(MEMBERS, 5, N).double(), torch.randn(5, 4, INPUTS).double()
    together = integrate(population, h, [0.0, 0.01, 0.02, 0.04], x, backend="plain")
    for k, single in enumerate(singles):
        alone = integrate(single, h[k], [0.0, 0.01, 0.02, 0.04], x, backend="plain")
        torch.testing.assert_close(together[k], alone, rtol=1e-10, atol=1e-12)
    restacked = stack(singles).state_dict()
    assert all(torch.equal(value, restacked[name]) for name, value in population.state_dict().items())


def test_speed_and_rates_follow_from_field_and_jacobian(config):
    field = _made(config)
    h = torch.randn(3, N).double()
    torch.testing.assert_close(field.speed(h), field(h).norm(dim=-1))
    rates = field.rates(h)
    assert rates.is_complex()
    if isinstance(field, Map):
        rates = (torch.exp(rates * field.dt) - 1) / field.dt
    trace = field.jacobian(h).diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(rates.sum(-1).real, trace, rtol=1e-8, atol=1e-8)


def test_same_seed_same_weights():
    first, second, other = (GNODE(3, random_state=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["drift_net.weights.0"], other["drift_net.weights.0"])


def test_jacobian_at_a_fixed_point_is_gate_times_linear_part():
    field = GNODE(3, hidden=(20,), bounded=True, random_state=0, tau=0.2).double()
    h = torch.zeros(3).double()
    for _ in range(200):
        h = h - torch.linalg.solve(field.drift_jacobian(h) - torch.eye(3).double(), field.drift(h) - h)
    h = h.detach()
    assert field.speed(h) < 1e-10
    expected = field.gate(h)[:, None] * (field.drift_jacobian(h) - torch.eye(3).double()) / 0.2
    torch.testing.assert_close(field.jacobian(h), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"latent_dim": 2, "tau": -1.0}, "positive"),
        ({"latent_dim": 2, "tau": [0.1, 0.2, 0.3]}, "expected 1 or latent_dim=2"),
        ({"latent_dim": 2, "activation": "tahn"}, "Did you mean 'tanh'"),
        ({"latent_dim": 2, "hidden": (0,)}, "positive integers"),
        ({"latent_dim": 2, "bounded": -1.0}, "bounded"),
        ({"latent_dim": 2, "init": "criticl"}, "Did you mean 'critical'"),
        ({"latent_dim": 2, "members": 0}, "members=0"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        GNODE(**arguments)


def test_populations_say_what_does_not_fit():
    with pytest.raises(ValueError, match="hidden"):
        stack([GNODE(2, hidden=(4,)), GNODE(2, hidden=(5,))])
    with pytest.raises(ValueError, match="no population axis"):
        GNODE(2, hidden=(4,)).member(0)
    with pytest.raises(ValueError, match="there are 2"):
        GNODE(2, hidden=(4,), members=2).member(2)
    with pytest.raises(ValueError, match="cannot be built"):
        build({"kind": "gnode", "latent_dim": 2, "hiden": (3,)})


def test_wrong_input_width_is_named():
    with pytest.raises(ValueError, match="3 inputs"):
        GNODE(2, input_dim=2, hidden=(4,))(torch.zeros(1, 2), torch.zeros(1, 3))
