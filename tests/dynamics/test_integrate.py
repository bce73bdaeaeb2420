"""`integrate` against closed forms, scipy, and the promises of its documentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurognode.dynamics import GNODE, NODE, VectorField, integrate
from neurognode.dynamics._kernels import adaptive
from neurognode.dynamics.methods import METHODS
from neurognode.errors import IntegrationError


class Decay(VectorField):
    """dh/dt = -2 h + x, solved by hand."""

    def forward(self, h, x=None):
        return -2 * h + (0.0 if x is None else x)


def _field(**options) -> GNODE:
    return GNODE(3, 2, hidden=(16,), random_state=0, **options).double()


def _problem(steps: int = 9, trials: int = 4):
    generator = torch.Generator().manual_seed(1)
    h0 = torch.randn(trials, 3, generator=generator).double()
    x = torch.randn(trials, steps + 1, 2, generator=generator).double()
    return h0, torch.arange(steps + 1).double() * 0.05, x


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", ["plain", "auto"])
def test_order_of_convergence_is_the_stated_one(method, backend):
    field = _field(tau=0.3)
    h0, times, x = _problem()
    exact = integrate(field, h0, times, x, "rk4", substeps=200)[:, -1]
    counts = np.array([2, 4, 8, 16])
    errors = [
        (integrate(field, h0, times, x, method, int(n), backend=backend)[:, -1] - exact).norm().item()
        for n in counts
    ]
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(METHODS[method].order, abs=0.15)


def test_exponential_decay_by_every_method():
    times = [0.0, 0.1, 0.25, 0.5]
    expected = torch.exp(-2 * torch.tensor(times).double())
    for method in [*METHODS, *adaptive.ORDERS]:
        path = integrate(Decay(1), torch.ones(1, 1).double(), times, method=method, substeps=2000)
        torch.testing.assert_close(path[0, :, 0], expected, rtol=2e-4, atol=0)


def test_gated_field_with_constant_target_is_exact_under_exponential_euler():
    field = NODE(2, hidden=(), tau=0.3).double()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.zero_()
    path = integrate(field, torch.ones(1, 2).double(), [0.0, 1.0], method="exponential_euler")
    torch.testing.assert_close(path[0, 1], torch.full((2,), math.exp(-1 / 0.3)).double())


@pytest.mark.parametrize("kind", ["hold", "linear"])
@pytest.mark.parametrize("method", ["rk4", "dopri5"])
def test_agrees_with_scipy(kind, method):
    field = _field()
    h0, times, x = _problem(steps=5, trials=1)

    def slope(t, h, k):
        fraction = (t - times[k].item()) / 0.05
        drive = x[0, k] if kind == "hold" else torch.lerp(x[0, k], x[0, k + 1], fraction)
        return field(torch.tensor(h), drive).detach().numpy()

    h, expected = h0[0].numpy(), [h0[0].numpy()]
    for k in range(5):
        span = (times[k].item(), times[k + 1].item())
        h = solve_ivp(slope, span, h, args=(k,), rtol=1e-10, atol=1e-10).y[:, -1]
        expected.append(h)
    path = integrate(field, h0, times, x, method, 20, input_kind=kind, rtol=1e-9, atol=1e-9)[0].detach()
    np.testing.assert_allclose(path.numpy(), np.array(expected), rtol=0, atol=2e-7)


def test_refining_the_step_converges_to_the_same_trajectory():
    """Fitted at 20 ms, asked for at 2 ms: the same differential equation."""
    field = _field(bounded=True)
    h0, _, x = _problem(steps=10)
    coarse_times = torch.arange(11).double() * 0.02
    fine_times = torch.arange(101).double() * 0.002
    fine_inputs = x.repeat_interleave(10, dim=1)[:, :101]
    by_grid = integrate(field, h0, fine_times, fine_inputs)[:, ::10]
    by_substeps = integrate(field, h0, coarse_times, x, substeps=10)
    torch.testing.assert_close(by_grid, by_substeps, rtol=1e-10, atol=1e-12)
    coarse, halved = (integrate(field, h0, coarse_times, x, substeps=n) for n in (1, 2))
    exact = integrate(field, h0, coarse_times, x, "rk4", 20)
    assert (halved - exact).norm() < 0.6 * (coarse - exact).norm()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gain=st.floats(0.1, 50),
    dt=st.floats(1e-4, 1e3),
    bound=st.floats(0.1, 10),
    backend=st.sampled_from(["plain", "cpu"]),
)
def test_bounded_field_never_leaves_its_bound(seed, gain, dt, bound, backend):
    field = GNODE(2, hidden=(8,), bounded=bound, init="glorot", random_state=seed).double()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.mul_(gain)
    h0 = bound * (2 * torch.rand(5, 2, generator=torch.Generator().manual_seed(seed)) - 1).double()
    path = integrate(field, h0, dt * torch.arange(30).double(), backend=backend)
    assert path.detach().abs().max().item() <= bound * (1 + 1e-12)


def test_lengths_hold_the_last_state_and_stop_the_gradient():
    field = _field()
    h0, times, x = _problem()
    lengths = [10, 6, 1, 3]
    x.requires_grad_()
    path = integrate(field, h0, times, x, lengths=lengths)
    free = integrate(field, h0, times, x)
    for trial, length in enumerate(lengths):
        torch.testing.assert_close(path[trial, :length], free[trial, :length])
        assert torch.equal(path[trial, length:], path[trial, length - 1].expand(10 - length, 3))
    gradient = torch.autograd.grad(path.square().sum(), x)[0]
    for trial, length in enumerate(lengths):
        assert not gradient[trial, length - 1 :].any()


def test_backwards_undoes_forwards():
    field = _field(tau=0.5)
    h0, times, x = _problem()
    there = integrate(field, h0, times, x, "rk4", 20)[:, -1]
    shifted = x.flip(1).roll(-1, dims=1)  # the interval that ends at t_k held input k - 1
    back = integrate(field, there, times.flip(0), shifted, "rk4", 20)[:, -1]
    torch.testing.assert_close(back, h0, rtol=0, atol=1e-6)


def test_last_input_is_not_used_and_all_stages_hold_theirs():
    field = _field()
    h0, times, x = _problem(steps=2)
    x.requires_grad_()
    for method in (*METHODS, "dopri5"):
        path = integrate(field, h0, times, x, method)
        for k in (0, 1):  # the state at t_k knows the inputs before it only
            gradient = torch.autograd.grad(path[:, k + 1].sum(), x, retain_graph=True)[0]
            assert gradient[:, k].any()
            assert not gradient[:, k + 1 :].any()


def test_single_time_returns_the_initial_state():
    h0, _, _ = _problem()
    for method in ("exponential_euler", "dopri5"):
        assert torch.equal(integrate(_field(), h0, [0.3], method=method), h0[:, None])


@pytest.mark.parametrize("backend", ["plain", "auto"])
def test_gradients_pass_gradcheck(backend):
    field = GNODE(2, 1, hidden=(3,), random_state=0, learn_tau=True, bounded=2.0).double()
    h0 = torch.randn(2, 2).double().requires_grad_()
    x = torch.randn(2, 4, 1).double().requires_grad_()

    def run(h0, x, *parameters):
        return integrate(field, h0, [0.0, 0.05, 0.1, 0.2], x, "rk4", backend=backend, lengths=[4, 3])

    assert torch.autograd.gradcheck(run, (h0, x, *field.parameters()))


def test_checkpointing_changes_nothing():
    field = _field()
    h0, times, x = _problem(steps=150)
    results = []
    for checkpoint in (False, True):
        path = integrate(field, h0, times, x, backend="plain", checkpoint=checkpoint)
        results.append(torch.autograd.grad(path.square().sum(), list(field.parameters())))
    for first, second in zip(*results):
        torch.testing.assert_close(first, second)


def test_second_derivative_through_the_plain_version():
    field = Decay(1)
    h0 = torch.ones(1, 1).double().requires_grad_()
    end = integrate(field, h0, [0.0, 0.1], method="rk4")[0, 1, 0] ** 2
    (first,) = torch.autograd.grad(end, h0, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), h0)
    assert second.item() == pytest.approx(2 * math.exp(-0.4), rel=1e-5)


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("backend", ["plain", "auto"])
def test_divergence_names_the_time_and_a_remedy(method, backend):
    field = NODE(1, hidden=(), tau=0.001).double()
    with torch.no_grad():
        field.drift_net.weights[0].fill_(-50.0)
    with pytest.raises(IntegrationError, match=r"diverged at t=.* s .*exponential_euler") as caught:
        integrate(
            field, torch.ones(1, 1).double(), torch.arange(1000).double() * 0.1, None, method, backend=backend
        )
    assert 0 < float(str(caught.value).split("t=")[1].split(" s")[0]) < 99.9


H0, TIMES, X = torch.zeros(4, 3), torch.arange(5) * 0.1, torch.zeros(4, 5, 2)
NAN = torch.full((4, 3), math.nan)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"h0": torch.zeros(4, 2)}, r"h0 has shape \(4, 2\); expected \(B, 3\)"),
        ({"h0": torch.zeros(3)}, r"h0 has shape \(3,\)"),
        ({"h0": np.zeros((4, 3))}, "h0 is a ndarray"),
        ({"h0": torch.zeros(4, 3, dtype=torch.int64)}, "floating-point"),
        ({"h0": NAN}, "h0 holds values that are not finite"),
        ({"inputs": torch.full((4, 5, 2), math.inf)}, "inputs holds values that are not finite"),
        ({"inputs": torch.full((4, 5, 2), math.nan)}, "inputs holds values that are not finite"),
        ({"times": [0.0, 0.1, 0.2, 0.3, math.inf]}, "not finite"),
        ({"times": []}, r"times has shape \(0,\)"),
        ({"substeps": -2}, "substeps=-2"),
        ({"inputs": torch.zeros(4, 4, 2)}, r"inputs has shape \(4, 4, 2\); expected \(4, 5, 2\)"),
        ({"inputs": torch.zeros(5, 2)}, r"expected \(4, 5, 2\)"),
        ({"times": [0.0, 0.2, 0.1, 0.3, 0.4]}, r"times\[1\]=0.2 is followed by 0.1"),
        ({"times": [0.0, 0.1, 0.1, 0.3, 0.4]}, "strictly increasing"),
        ({"times": [0.0, math.nan, 0.1, 0.3, 0.4]}, "not finite"),
        ({"times": torch.zeros(2, 2)}, r"times has shape \(2, 2\)"),
        ({"substeps": 0}, "substeps=0"),
        ({"substeps": 1.5}, "substeps=1.5"),
        ({"method": "rk5"}, "Did you mean 'rk4'"),
        ({"backend": "gpu"}, "backend='gpu'"),
        ({"input_kind": "liner"}, "Did you mean 'linear'"),
        ({"lengths": [5, 5, 5]}, r"lengths has shape \(3,\); expected \(4,\)"),
        ({"lengths": [5, 5, 5, 6]}, "lengths lie between 5 and 6; expected 1 to 5"),
        ({"lengths": [0, 5, 5, 5]}, "expected 1 to 5"),
        ({"lengths": [1.5, 5, 5, 5]}, "whole numbers"),
        ({"adjoint": True}, "checkpoint=True"),
        ({"field": torch.nn.Linear(3, 3)}, "field is a Linear"),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(v),
)
def test_bad_arguments_are_named(changed, said):
    field = GNODE(3, 2, hidden=(4,), random_state=0)
    arguments = {"field": field, "h0": H0, "times": TIMES, "inputs": X, **changed}
    with pytest.raises(ValueError, match=said):
        integrate(**arguments)


def test_large_numbers_are_not_taken_for_infinite_ones():
    field = NODE(3, hidden=(), init="glorot", random_state=0)
    path = integrate(field, torch.full((4, 3), 2e38), [0.0, 1e-3])
    assert torch.isfinite(path).all()


def test_one_trial_that_is_not_finite_among_many_is_found():
    h0 = torch.zeros(500, 3)
    h0[317, 1] = math.nan
    with pytest.raises(ValueError, match="h0 holds values that are not finite"):
        integrate(GNODE(3, hidden=(4,)), h0, TIMES)


def test_inputs_for_a_field_without_any_are_refused():
    with pytest.raises(ValueError, match="takes none"):
        integrate(GNODE(3, hidden=(4,)), H0, TIMES, X)


def test_population_shapes_are_checked():
    field = GNODE(3, 2, hidden=(4,), members=2, random_state=0)
    with pytest.raises(ValueError, match=r"expected \(K, B, 3\) with K=2"):
        integrate(field, H0, TIMES)
    with pytest.raises(ValueError, match="population axis of 2"):
        integrate(field, torch.zeros(2, 4, 3), TIMES, torch.zeros(3, 4, 5, 2))
