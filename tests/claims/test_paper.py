"""Claims of the gnODE paper (arXiv:2307.06398): exact ones always, trained ones among the slow tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neurognode.dynamics import GNODE, NODE, integrate
from neurognode.dynamics.maps import GRU, MGRU, RNN
from neurognode.models import TaskNetwork
from neurognode.synthetic import tasks

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("cell", "field"), [(RNN, NODE), (MGRU, GNODE)])
def test_c1_cells_are_shallow_fields_with_euler_steps(cell, field):
    options = {} if field is NODE else {"gate_hidden": ()}
    one = cell(3, 2, random_state=0)
    two = field(3, 2, hidden=(), bounded=True, tau=0.01, **options)
    names = {"candidate_net": "drift_net", "gate_net": "gate_net"}
    two.load_state_dict({names[k.split(".")[0]] + k[k.index(".") :]: v for k, v in one.state_dict().items()})
    torch.manual_seed(0)
    h0, x = torch.randn(5, 3), torch.randn(5, 6, 2)
    with torch.no_grad():
        paths = [integrate(m, h0, 0.01 * torch.arange(6), x, method="euler") for m in (one, two)]
    torch.testing.assert_close(paths[0], paths[1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("cell", "latent_dim", "channels", "wanted"),
    [
        (RNN, 2, 2, 22),
        (MGRU, 2, 2, 32),
        (GRU, 2, 2, 42),
        (RNN, 6, 3, 105),
        (MGRU, 6, 3, 165),
        (GRU, 6, 3, 225),
    ],
)
def test_c1_parameter_counts_are_those_of_the_paper(cell, latent_dim, channels, wanted):
    inside = sum(p.numel() for p in cell(latent_dim, channels, random_state=0).parameters())
    assert inside + (latent_dim + 1) * channels + (channels + 1) * latent_dim == wanted


def test_the_command_writes_tables(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.paper",
        "--quick",
        "--only",
        "exactness",
        "--out",
        str(tmp_path),
    ]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    text = (tmp_path / "README.md").read_text()
    assert "| C1 |" in text
    assert "**not reproduced**" not in text
    again = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert "1 of 1 cells are there" in again.stdout
    assert "CPU s" not in again.stdout, "a finished cell was computed again"


@pytest.fixture(scope="module")
def square():
    options = {"hidden": (64, 64), "gate_hidden": (32,), "activation": "relu", "init": "critical_closed"}
    net = TaskNetwork(
        2,
        dynamics_options=options,
        learning_rate=[1e-2, 2e-2],
        max_steps=4000,
        random_state=0,
        progress=False,
    )
    train, held = tasks.make("square", 2000, random_state=1), tasks.make("square", 200, random_state=2)
    return net.fit(train, validation=held)


@pytest.mark.slow
def test_c9_two_latents_learn_the_square(square):
    fresh = tasks.make("square", 600, random_state=3)
    assert square.losses(fresh)[square.best_] < 0.005


@pytest.mark.slow
def test_c10_the_square_is_nearly_kept_without_input(square):
    fresh = tasks.make("square", 100, random_state=4)
    start = torch.as_tensor(square.transform(fresh)[:, -1])
    with torch.no_grad():
        path = integrate(square.field_, start, 0.01 * torch.arange(101), method="euler")
    outputs = path.numpy() @ square.readout_.T
    assert np.median(np.linalg.norm(outputs[:, -1] - outputs[:, 0], axis=1)) < 0.1
