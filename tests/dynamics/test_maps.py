"""The paper's five models against references of a few lines of numpy, with hand-set weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, NODE, build, integrate

N, INPUTS, STEPS, DT = 3, 2, 5, 0.01
SHARE = 0.25
RNG = np.random.default_rng(0)
H0, X = RNG.normal(size=(4, N)), RNG.normal(size=(4, STEPS + 1, INPUTS))


def _sigmoid(u):
    return 1 / (1 + np.exp(-u))


def _affine(net, h, x, layer=0):
    weight, bias = net.weights[layer].detach().numpy(), net.biases[layer].detach().numpy()
    drive = x @ net.input_weight.detach().numpy().T if layer == 0 else 0.0
    return h @ weight.T + drive + bias


def _rnn(field, h, x):
    return (1 - SHARE) * h + SHARE * np.tanh(_affine(field.candidate_net, h, x))


def _mgru(field, h, x):
    z = _sigmoid(_affine(field.gate_net, h, x))
    return (1 - SHARE * z) * h + SHARE * z * np.tanh(_affine(field.candidate_net, h, x))


def _gru(field, h, x):
    z, r = _sigmoid(_affine(field.gate_net, h, x)), _sigmoid(_affine(field.reset_net, h, x))
    return (1 - SHARE * z) * h + SHARE * z * np.tanh(_affine(field.candidate_net, h * r, x))


def _node(field, h, x):
    hidden = np.maximum(_affine(field.drift_net, h, x), 0)
    return (1 - SHARE) * h + SHARE * _affine(field.drift_net, hidden, None, layer=1)


def _gnode(field, h, x):
    z = _sigmoid(_affine(field.gate_net, h, x))
    hidden = np.maximum(_affine(field.drift_net, h, x), 0)
    return (1 - SHARE * z) * h + SHARE * z * _affine(field.drift_net, hidden, None, layer=1)


ODE = {"hidden": (6,), "activation": "relu", "tau": DT / SHARE}
CASES = {
    "rnn": (_rnn, {"dt": DT, "tau": DT / SHARE}),
    "mgru": (_mgru, {"dt": DT, "tau": DT / SHARE}),
    "gru": (_gru, {"dt": DT, "tau": DT / SHARE}),
    "node": (_node, ODE),
    "gnode": (_gnode, ODE),
}


@pytest.mark.parametrize("kind", CASES)
def test_cell_is_the_reference(kind):
    reference, options = CASES[kind]
    field = build({"kind": kind, "latent_dim": N, "input_dim": INPUTS, **options}).double()
    times = np.arange(STEPS + 1) * DT
    states = integrate(field, torch.tensor(H0), times, torch.tensor(X), method="euler").detach().numpy()
    h = H0
    for k in range(STEPS):
        h = reference(field, h, X[:, k])
        np.testing.assert_allclose(states[:, k + 1], h, rtol=0, atol=1e-6)


def test_gnode_without_hidden_layers_is_the_mgru():
    cell = build({"kind": "mgru", "latent_dim": N, "input_dim": INPUTS, "dt": DT}).double()
    field = GNODE(N, INPUTS, hidden=(), bounded=True, tau=DT).double()
    for target, source in ((field.drift_net, cell.candidate_net), (field.gate_net, cell.gate_net)):
        target.load_state_dict(source.state_dict())
    times = np.arange(STEPS + 1) * DT
    paths = [integrate(f, torch.tensor(H0), times, torch.tensor(X), method="euler") for f in (cell, field)]
    torch.testing.assert_close(*paths, rtol=0, atol=1e-12)


def test_mgru_with_an_open_gate_is_the_rnn():
    shape = {"latent_dim": N, "input_dim": INPUTS, "dt": DT, "tau": 4 * DT}
    gated, plain = build({"kind": "mgru", **shape}).double(), build({"kind": "rnn", **shape}).double()
    plain.candidate_net.load_state_dict(gated.candidate_net.state_dict())
    with torch.no_grad():
        gated.gate_net.biases[0].fill_(200.0)
    h, x = torch.tensor(H0), torch.tensor(X[:, 0])
    torch.testing.assert_close(gated.step(h, x), plain.step(h, x), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "options", "two_bits", "three_bits"),
    [
        ("rnn", {}, 22, 105),
        ("mgru", {}, 32, 165),
        ("gru", {}, 42, 225),
        ("node", {"hidden": (316, 316)}, 102_398, None),
        ("gnode", {"hidden": (316, 316)}, 102_408, None),
        ("node", {"hidden": (100, 100, 100)}, None, 21_851),
        ("gnode", {"hidden": (100, 100, 100)}, None, 21_911),
    ],
)
def test_parameter_counts_are_the_papers(kind, options, two_bits, three_bits):
    for bits, latents, expected in ((2, 2, two_bits), (3, 6, three_bits)):
        if expected is None:
            continue
        field = build({"kind": kind, "latent_dim": latents, "input_dim": bits, **options})
        readout, encoder = latents * bits + bits, bits * latents + latents
        assert sum(p.numel() for p in field.parameters()) + readout + encoder == expected


def test_map_needs_whole_steps():
    cell = build({"kind": "rnn", "latent_dim": 2, "dt": 0.01})
    h = torch.zeros(1, 2)
    assert integrate(cell, h, [0.0, 0.01, 0.05]).shape == (1, 3, 2)
    torch.testing.assert_close(integrate(cell, h, [0.0, 0.02])[:, 1], cell.step(cell.step(h)))
    with pytest.raises(ValueError, match="whole number of steps"):
        integrate(cell, h, [0.0, 0.015])
    with pytest.raises(ValueError, match="own step"):
        integrate(cell, h, [0.0, 0.01], substeps=2)


def test_rates_of_a_decaying_map_are_those_of_its_time_constant():
    cell = build({"kind": "rnn", "latent_dim": 2, "dt": 0.001, "tau": 0.1}).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
    torch.testing.assert_close(
        cell.rates(torch.zeros(2).double()).real, torch.full((2,), math.log(0.99) / 0.001).double()
    )


def test_node_is_a_gnode_whose_gate_is_open():
    node = NODE(2, 1, hidden=(5,)).double()
    h, x = torch.randn(7, 2).double(), torch.randn(7, 1).double()
    torch.testing.assert_close(node(h, x), (node.drift(h, x) - h) / node.tau)


@pytest.mark.parametrize(
    ("kind", "options"), [("lstm", {"latent_dim": 3}), ("rnn", {"latent_dim": 2, "tau": 0.001})]
)
def test_wrong_cells_are_refused(kind, options):
    with pytest.raises(ValueError, match="must be"):
        build({"kind": kind, **options})


def test_lstm_is_torchs():
    cell = build({"kind": "lstm", "latent_dim": 6, "input_dim": 2}).double()
    theirs = torch.nn.LSTMCell(2, 3).double()
    with torch.no_grad():
        theirs.weight_hh.copy_(cell.net.weights[0])
        theirs.weight_ih.copy_(cell.net.input_weight)
        theirs.bias_hh.copy_(cell.net.biases[0])
        theirs.bias_ih.zero_()
    h, x = torch.randn(4, 6).double(), torch.randn(4, 2).double()
    torch.testing.assert_close(cell.step(h, x), torch.cat(theirs(x, (h[:, :3], h[:, 3:])), dim=-1))
