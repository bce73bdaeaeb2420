"""The critical initialisation is critical, in both forms."""

from __future__ import annotations

import pytest
import torch

from neurognode.dynamics import GNODE
from neurognode.dynamics.activations import ACTIVATIONS
from neurognode.dynamics.initialization import critical_gain, initialize, rescale_to_critical


def _zero_biases(field: GNODE) -> None:
    with torch.no_grad():
        for bias in field.drift_net.biases:
            bias.zero_()


@pytest.mark.parametrize("latent_dim", [2, 6, 100])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_numeric_form_puts_the_ungated_field_at_marginal_stability(latent_dim, depth):
    field = GNODE(
        latent_dim, hidden=(50,) * (depth - 1), activation="relu", init="critical_numeric", random_state=depth
    ).double()
    _zero_biases(field)
    leading = float(rescale_to_critical(field))
    assert abs(leading - 1) < 1e-3  # eigenvalues of dF/dh; those of the field are one less


@pytest.mark.parametrize("seed", range(12))
def test_numeric_form_is_defined_where_the_papers_formula_is_not(seed):
    """At two latents a quarter of the draws have no eigenvalue with a positive real part."""
    field = GNODE(2, hidden=(), init="critical_numeric", random_state=seed).double()
    values = torch.linalg.eigvals(field.drift_jacobian(torch.zeros(2).double()))
    assert abs(values.real.max().item() - 1) < 1e-2


def test_rescaling_given_weights_without_positive_eigenvalues_uses_their_modulus():
    field = GNODE(2, hidden=()).double()
    with torch.no_grad():
        field.drift_net.weights[0].copy_(torch.tensor([[-0.5, 1.0], [-1.0, -0.5]]))
    rescale_to_critical(field)
    modulus = torch.linalg.eigvals(field.drift_jacobian(torch.zeros(2).double())).abs()
    torch.testing.assert_close(modulus, torch.ones(2).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_closed_form_has_unit_spectral_radius(depth, activation):
    field = GNODE(
        300, hidden=(300,) * (depth - 1), activation=activation, init="critical_closed", random_state=0
    )
    h = torch.randn(300, generator=torch.Generator().manual_seed(0))
    radius = torch.linalg.eigvals(field.drift_jacobian(h)).abs().max().item()
    assert 0.9 < radius < 1.2


def test_closed_form_for_relu_is_the_papers():
    for depth in range(1, 6):
        assert critical_gain(depth, "relu") ** 2 == pytest.approx(2 ** ((depth - 1) / depth), rel=1e-6)


def test_every_member_of_a_population_is_critical():
    field = GNODE(3, hidden=(20,), activation="silu", members=8, random_state=0).double()
    reached = rescale_to_critical(field)
    torch.testing.assert_close(reached, torch.ones(8).double(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {"sigmoid"}))
def test_default_is_critical_for_every_activation(activation):
    field = GNODE(4, hidden=(30, 30), activation=activation, random_state=3)
    assert abs(float(rescale_to_critical(field.double())) - 1) < 1e-2


@pytest.mark.parametrize(("init", "variance"), [("glorot", 2 / (100 + 40)), ("kaiming", 2 / 40)])
def test_plain_forms_have_their_variance(init, variance):
    field = GNODE(40, hidden=(100,))
    initialize(field, init, random_state=0)
    assert field.drift_net.weights[0].detach().var().item() == pytest.approx(variance, rel=0.1)


def test_layer_norm_is_scaled_at_the_output():
    field = GNODE(3, hidden=(20, 20), layer_norm=True, random_state=0).double()
    assert abs(float(rescale_to_critical(field)) - 1) < 1e-3


def test_no_layers_is_refused():
    with pytest.raises(ValueError, match="n_layers"):
        critical_gain(0)


def test_spread_moves_only_the_first_biases_of_hidden_layers() -> None:
    near, far = (GNODE(3, hidden=(50, 50), spread=spread, random_state=0) for spread in (1e-3, 2.0))
    for net in (far.drift_net, far.gate_net):
        stds = [float(bias.detach().std()) for bias in net.biases]
        assert len(net.biases) == 1 or 1.2 < stds[0] < 2.8
        assert len(net.biases) == 1 or max(stds[1:]) < 0.01
    assert float(near.drift_net.biases[0].detach().std()) < 0.01
    assert far.config()["spread"] == 2.0


@pytest.mark.parametrize("seed", [0, 1])
def test_spread_lets_a_gated_flow_learn_products_of_latents(seed: int) -> None:
    h = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    a, b, c = h.unbind(1)
    target = torch.stack([b - a, a * c - b, a * b - c], 1)
    left = []
    for spread in (1e-3, 1.0):
        field = GNODE(3, hidden=(64, 64), gate_hidden=None, tau=0.1, spread=spread, random_state=seed)
        optimiser = torch.optim.Adam(field.parameters(), 0.005)
        for _ in range(200):
            loss = (0.1 * field(h) - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        left.append(float(loss.detach()))
    assert left[1] < 0.7 * left[0]
