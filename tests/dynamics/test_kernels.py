"""Every kernel computes what the plain version does: values to 1e-6, gradients to 1e-5; 1e-12 in float64."""

from __future__ import annotations

import itertools
import platform

import pytest
import torch

from neurognode.dynamics import GNODE, NODE, _kernels, integrate
from neurognode.dynamics._kernels import compiler, cpu
from neurognode.dynamics.constrained import Ring
from neurognode.dynamics.problem import make_problem

TOLERANCE = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-12, 1e-12)}
KERNELS = ["cpu", "sweep"]  # the one for GPUs has a file of its own
FIELDS = {
    "paper": {"hidden": (33, 17)},
    "deep gate": {"hidden": (12,), "gate_hidden": (9, 5, 7), "bounded": 1.5, "gate_slope": 3.0},
    "ungated": {"hidden": (11,), "gated": False},
    "shallow": {"hidden": ()},
    **{a: {"hidden": (10, 9), "gate_hidden": (8,), "activation": a} for a in cpu.ACTIVATIONS},
}
PROBLEMS = {
    "plain": {},
    "lengths": {"lengths": True, "trials": 37},
    "population": {"members": 3, "trials": 21, "lengths": True},
    "shared inputs": {"members": 3, "trials": 5, "shared": True},
    "substeps": {"substeps": 3, "checkpoint": True, "kind": "linear"},
    "one trial": {"trials": 1},
    "no inputs": {"inputs": 0, "trials": 70},
    "backwards": {"backwards": True},
    "no inputs given": {"given": False},
}


def _run(backend, dtype, options, method, *, members=None, trials=9, inputs=2, lengths=False, shared=False,
         substeps=1, checkpoint=False, kind="hold", backwards=False, given=True, steps=23):  # fmt: skip
    torch.manual_seed(3)
    field = GNODE(
        5, inputs, members=members, tau=[0.1, 0.2, 0.15, 0.3, 0.1], learn_tau=True, random_state=0, **options
    )
    field = field.to(dtype)
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    lead = () if members is None else (members,)
    h0 = torch.randn(*lead, trials, 5, dtype=dtype, requires_grad=True)
    x = None
    if inputs and given:
        first = (1,) if shared else lead
        x = torch.randn(*first, trials, steps, inputs, dtype=dtype, requires_grad=True)
    times = torch.cumsum(0.02 * torch.rand(steps).double() + 0.01, 0)
    times = times.flip(0) if backwards else times
    ends = torch.randint(1, steps + 1, (trials,)) if lengths else None
    weight = torch.randn(*lead, trials, steps, 5, dtype=dtype)
    path = integrate(
        field, h0, times, x, method, substeps, ends, backend, input_kind=kind, checkpoint=checkpoint
    )
    wanted = [h0, *([] if x is None else [x]), *field.parameters()]
    return path, torch.autograd.grad((path * weight).sum(), wanted, allow_unused=True)


def _distance(first, second):
    return ((first - second).norm() / second.norm().clamp_min(1e-30)).item()


def _compare(kernel, dtype, options, method, **problem):
    expected, expected_gradients = _run("plain", dtype, options, method, **problem)
    path, gradients = _run(kernel, dtype, options, method, **problem)
    values, slopes = TOLERANCE[dtype]
    assert _distance(path, expected) < values
    for ours, theirs in zip(gradients, expected_gradients):
        if ours is None or theirs is None:  # an input weight that nothing went through
            assert not (theirs if ours is None else ours).any() if ours is not theirs else True
            continue
        assert ours.shape == theirs.shape
        assert _distance(ours, theirs) < slopes


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("field", "method"), list(itertools.product(FIELDS, cpu.METHODS)))
def test_every_field_and_method(kernel, dtype, field, method):
    _compare(kernel, dtype, FIELDS[field], method)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("problem", "method"), list(itertools.product(PROBLEMS, cpu.METHODS)))
def test_every_problem(kernel, dtype, problem, method):
    _compare(kernel, dtype, FIELDS["deep gate"], method, **PROBLEMS[problem])


@pytest.mark.parametrize(
    ("options", "trials", "steps", "expected"),
    [
        ({"hidden": (16,)}, 4, 50, "cpu"),
        ({"hidden": (512,) * 4}, 4, 50, "cpu"),
        ({"hidden": (512,) * 4}, 4, 3, "plain"),
        ({"hidden": (512,) * 4}, 1000, 3, "cpu"),
        ({"hidden": (512,) * 4}, 1, 500, "sweep"),
        ({"hidden": (16,), "activation": "sigmoid"}, 4, 50, "sweep"),
        ({"hidden": (64,), "activation": "sigmoid"}, 1000, 50, "plain"),
        ({"hidden": (16,), "layer_norm": True}, 4, 50, "plain"),
    ],
)
def test_the_kernel_that_pays_is_chosen(options, trials, steps, expected):
    field = GNODE(3, init="glorot", **options)
    problem = make_problem(field, torch.zeros(trials, 3), range(steps), None, method="euler", substeps=1,
                           lengths=None, input_kind="hold", checkpoint=False)  # fmt: skip
    assert _kernels._automatic(problem).__name__.rpartition(".")[2] == expected


@pytest.mark.parametrize(("narrow", "expected"), [(True, "plain"), (False, "cpu")])
def test_one_step_of_very_many_trials_is_left_to_the_library_without_wide_vectors(
    monkeypatch, narrow, expected
):
    monkeypatch.setattr(cpu, "_narrow_vectors", lambda: narrow)
    field = GNODE(3, hidden=(256, 256), gate_hidden=(256, 256), init="glorot")
    problem = make_problem(field, torch.zeros(2000, 3), range(2), None, method="euler", substeps=1,
                           lengths=None, input_kind="hold", checkpoint=False)  # fmt: skip
    assert _kernels._automatic(problem).__name__.rpartition(".")[2] == expected


@pytest.mark.parametrize("trials", [1, 2, 3, 5, 8, 9, 16, 17, 31, 33, 64, 65])
def test_every_number_of_trials(trials):
    _compare("cpu", torch.float64, FIELDS["paper"], "exponential_euler", trials=trials, steps=4)


def test_two_calls_before_their_backward_do_not_disturb_each_other():
    field = GNODE(3, hidden=(8,), random_state=0)
    first = torch.ones(4, 3, requires_grad=True)
    second = torch.zeros(4, 3, requires_grad=True)
    times = torch.arange(20) * 0.01
    paths = [integrate(field, h, times, backend="cpu") for h in (first, second)]
    gradients = [torch.autograd.grad(p.sum(), h)[0] for p, h in zip(paths, (first, second))]
    for h, gradient in zip((first, second), gradients):
        alone = torch.autograd.grad(integrate(field, h, times, backend="cpu").sum(), h)[0]
        assert torch.equal(gradient, alone)


def test_threads_do_not_change_the_result():
    field = GNODE(8, hidden=(64,), random_state=0)
    h0 = torch.randn(100, 8)
    before = torch.get_num_threads()
    gradients = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            path = integrate(field, h0, torch.arange(50) * 0.01, backend="cpu")
            gradients.append(torch.autograd.grad(path.square().sum(), field.drift_net.weights[0])[0])
    finally:
        torch.set_num_threads(before)
    assert _distance(gradients[1], gradients[0]) < 1e-5
    assert torch.equal(gradients[1], gradients[2])


def test_double_backward_is_refused_and_not_wrong():
    field = GNODE(2, hidden=(4,), random_state=0)
    h0 = torch.ones(1, 2, requires_grad=True)
    path = integrate(field, h0, [0.0, 0.1], backend="cpu")
    (first,) = torch.autograd.grad(path.square().sum(), h0, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_function_transforms_take_the_plain_version():
    field = GNODE(2, hidden=(4,), random_state=0).double()
    h0 = torch.ones(1, 2).double()
    jacobian = torch.func.jacrev(lambda h: integrate(field, h, [0.0, 0.1])[0, 1])(h0)
    expected = torch.autograd.functional.jacobian(lambda h: integrate(field, h, [0.0, 0.1])[0, 1], h0)
    torch.testing.assert_close(jacobian, expected)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (Ring(2), "Ring, not a GNODE"),
        (GNODE(2, hidden=(4,), leak=False), "no leak"),
        (GNODE(2, hidden=(4,), gain=True), "gain"),
        (GNODE(2, hidden=(4,), layer_norm=True), "layer norm"),
        (GNODE(2, 1, hidden=(4,), input_mode="modulating"), "not additive"),
        (GNODE(2, hidden=(4,), activation="sigmoid"), "activation is 'sigmoid'"),
        (GNODE(2, hidden=(4,)).double(), "different types"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_a_kernel_cannot_take_is_said(field, said):
    h0 = torch.zeros(1, 2)
    if "types" not in said:
        integrate(field, h0, [0.0, 0.1])
    with pytest.raises(ValueError, match=said):
        integrate(field, h0, [0.0, 0.1], backend="cpu")


def test_without_a_compiler_there_is_one_warning_and_the_same_numbers(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROGNODE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiler.library.cache_clear()
    _kernels._warn_once.cache_clear()
    field = NODE(2, hidden=(4,), random_state=0)
    h0 = torch.ones(1, 2)
    try:
        with pytest.warns(RuntimeWarning, match="no C\\+\\+ compiler was found"):
            first = integrate(field, h0, [0.0, 0.1])
        integrate(field, h0, [0.0, 0.1])  # a second warning would be an error here
        with pytest.raises(ValueError, match="no C\\+\\+ compiler"):
            integrate(field, h0, [0.0, 0.1], backend="cpu")
    finally:
        compiler.library.cache_clear()
    torch.testing.assert_close(first, integrate(field, h0, [0.0, 0.1], backend="plain"))


def test_failing_compiler_is_reported_and_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROGNODE_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "false")
    compiler.library.cache_clear()
    try:
        with pytest.raises(compiler.CompilerError, match="failed"):
            compiler.library("float")
    finally:
        compiler.library.cache_clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("without", ["-mno-avx512f", "-mno-avx -mno-avx2 -mno-fma"])
def test_narrower_processors_get_the_same_numbers(monkeypatch, tmp_path, without):
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("these switches are for x86 processors")
    monkeypatch.setenv("NEUROGNODE_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", f"g++ {without}")
    compiler.library.cache_clear()
    try:
        cases = [(field, {}) for field in FIELDS.values()]
        cases += [(FIELDS["deep gate"], problem) for problem in PROBLEMS.values()]
        for (field, problem), method in itertools.product(cases, cpu.METHODS):
            _compare("cpu", torch.float64, field, method, **problem)
    finally:
        compiler.library.cache_clear()


def test_long_trajectory_with_gradients_fits_in_memory():
    """100,000 steps: what is kept for the backward pass is little more than the trajectory itself."""
    field = GNODE(3, hidden=(16,), bounded=True, random_state=0)
    h0 = torch.zeros(2, 3, requires_grad=True)
    path = integrate(field, h0, torch.arange(100_001) * 0.01, backend="cpu", checkpoint=True)
    path.square().mean().backward()
    assert torch.isfinite(h0.grad).all()
