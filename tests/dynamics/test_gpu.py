"""The GPU kernel: its numbers through Triton's interpreter, in a process of its own, and on a GPU if there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from neurognode.dynamics import GNODE, integrate
from neurognode.dynamics.methods import METHODS

pytest.importorskip("triton")

CASES = [
    ({"hidden": (20, 20), "gate_hidden": (12,)}, {"trials": 18}),
    ({"hidden": (8, 8, 8), "gated": False, "bounded": 1.5}, {"members": 2, "substeps": 2, "lengths": True}),
    ({"hidden": ()}, {"substeps": 2, "lengths": True, "kind": "linear"}),
    ({"hidden": (17, 17), "gate_slope": 3.0, "activation": "silu"}, {"members": 2, "kind": "linear"}),
    ({"hidden": (9,), "activation": "relu"}, {"inputs": 0}),
    ({"hidden": (9,), "activation": "softplus"}, {"inputs": 0}),
    ({"hidden": (9,), "activation": "gelu"}, {"inputs": 0}),
]


def _worst(options, method, device="cpu", *, members=None, trials=3, inputs=2, substeps=1, lengths=False,
           kind="hold", steps=4):  # fmt: skip
    """Largest relative distance of values and of gradients from those of the plain version."""
    torch.manual_seed(0)
    field = GNODE(5, inputs, members=members, tau=0.15, learn_tau=True, random_state=0, **options).to(device)
    lead = () if members is None else (members,)
    h0 = torch.randn(*lead, trials, 5, device=device, requires_grad=True)
    x = torch.randn(*lead, trials, steps, inputs, device=device, requires_grad=True) if inputs else None
    ends = [steps, 1, 2] if lengths else None
    times = torch.cumsum(0.02 * torch.rand(steps).double() + 0.01, 0)
    weight = torch.randn(*lead, trials, steps, 5, device=device)
    wanted = [h0, *([] if x is None else [x]), *field.parameters()]
    found = []
    for backend in ("plain", "triton"):
        path = integrate(field, h0, times, x, method, substeps, ends, backend, input_kind=kind)
        found.append([path, *torch.autograd.grad((path * weight).sum(), wanted)])
    apart = [((a - b).norm() / a.norm().clamp_min(1e-30)).item() for a, b in zip(*found)]
    return apart[0], max(apart[1:])


def _check_all(device: str) -> None:
    for options, problem in CASES:
        for method in METHODS:
            values, gradients = _worst(options, method, device, **problem)
            assert values < 1e-6, (options, problem, method, values)
            assert gradients < 1e-5, (options, problem, method, gradients)


def test_numbers_in_the_interpreter():
    """Triton reads its switch when it is imported, hence the process."""
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
def test_numbers_on_a_gpu():
    _check_all("cuda")


def test_it_is_not_taken_without_a_gpu():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="not on a GPU"):
        integrate(GNODE(2, hidden=(4,)), torch.zeros(1, 2), [0.0, 0.1], backend="triton")


if __name__ == "__main__":
    _check_all("cpu")
