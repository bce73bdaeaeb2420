"""What people use today in PyTorch, written the way they write it, for the same arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.speed.shapes import INPUTS, STEP, TAU, Data

Step = Callable[[], list[Tensor]]


class _Field(nn.Module):
    """The gated field as a user writes it: two multilayer perceptrons of state and input."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.drift, self.gate = (_perceptron(net) for net in (data.field.drift_net, data.field.gate_net))
        self.inputs = data.inputs.movedim(1, 0).contiguous()

    def velocity(self, h: Tensor, x: Tensor) -> Tensor:
        z = torch.cat([h, x], -1)
        return torch.sigmoid(self.gate(z)) * (self.drift(z) - h) / TAU

    def forward(self, t: Tensor, h: Tensor) -> Tensor:
        k = min(int(t.item() / STEP + 1e-3), len(self.inputs) - 1)
        return self.velocity(h, self.inputs[k])

    def gradients(self) -> list[Tensor]:
        """Gradients in the order of the parameters of a GNODE."""
        found: list[Tensor] = []
        for net in (self.drift, self.gate):
            linear = [m for m in net if isinstance(m, nn.Linear)]
            first = linear[0].weight.grad
            assert first is not None
            weights = [first[:, :-INPUTS], *(m.weight.grad for m in linear[1:])]
            drive = first[:, -INPUTS:]
            found += [*weights, *(m.bias.grad for m in linear), drive]  # type: ignore[list-item]
        return found


def _perceptron(net: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, weight in enumerate(net.weights):  # type: ignore[arg-type]
        whole = torch.cat([weight, net.input_weight], -1) if i == 0 else weight  # type: ignore[list-item]
        linear = nn.Linear(whole.shape[1], whole.shape[0])
        with torch.no_grad():
            linear.weight.copy_(whole)
            linear.bias.copy_(net.biases[i])  # type: ignore[index]
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _finished(field: _Field, path: Tensor, h0: Tensor, data: Data) -> list[Tensor]:
    for parameter in field.parameters():
        parameter.grad = None
    h0.grad = None
    (path * data.weight.movedim(1, 0)).sum().backward()
    assert h0.grad is not None
    return [h0.grad, *_ordered(field, data)]


def _ordered(field: _Field, data: Data) -> list[Tensor]:
    """Reorder [weights, biases, input weight] per net to the order of ``field.parameters()``."""
    names = [name for name, _ in data.field.named_parameters()]
    found = field.gradients()
    keys: list[str] = []
    for net in ("drift_net", "gate_net"):
        count = len(data.field.drift_net.weights)
        keys += [f"{net}.weights.{i}" for i in range(count)]
        keys += [f"{net}.biases.{i}" for i in range(count)] + [f"{net}.input_weight"]
    return [dict(zip(keys, found))[name] for name in names]


def eager(data: Data, method: str, compiled: bool = False) -> Step:
    """A Python loop over time, differentiated by autograd; its step may be compiled by torch.compile."""
    field, h0 = _Field(data), data.h0.detach().clone().requires_grad_()

    def euler(h: Tensor, x: Tensor) -> Tensor:
        return h + STEP * field.velocity(h, x)

    def rk4(h: Tensor, x: Tensor) -> Tensor:
        k1 = field.velocity(h, x)
        k2 = field.velocity(h + 0.5 * STEP * k1, x)
        k3 = field.velocity(h + 0.5 * STEP * k2, x)
        k4 = field.velocity(h + STEP * k3, x)
        return h + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def exponential_euler(h: Tensor, x: Tensor) -> Tensor:
        z = torch.cat([h, x], -1)
        gate, target = torch.sigmoid(field.gate(z)), field.drift(z)
        return h + (1 - torch.exp(-STEP / TAU * gate)) * (target - h)

    def midpoint(h: Tensor, x: Tensor) -> Tensor:
        return h + STEP * field.velocity(h + 0.5 * STEP * field.velocity(h, x), x)

    step: Callable[[Tensor, Tensor], Tensor] = {
        "euler": euler, "rk4": rk4, "exponential_euler": exponential_euler, "midpoint": midpoint,
    }[method]  # fmt: skip
    if compiled:
        step = torch.compile(step)

    def run() -> list[Tensor]:
        h, path = h0, [h0]
        for x in field.inputs[:-1]:
            h = step(h, x)
            path.append(h)
        return _finished(field, torch.stack(path), h0, data)

    return run


def torchdiffeq(data: Data, method: str, adjoint: bool = False, **options: float) -> Step:
    """The library most used; its last stage of a step reads the next bin's input."""
    from torchdiffeq import odeint, odeint_adjoint

    field, h0 = _Field(data), data.h0.detach().clone().requires_grad_()
    times = data.times.to(h0.dtype)
    solve = odeint_adjoint if adjoint else odeint

    def run() -> list[Tensor]:
        return _finished(field, solve(field, h0, times, method=method, **options), h0, data)

    return run


def torchode(data: Data, method: str) -> Step:
    """Parallel solver with a step size per trial, here a fixed one (Euler only)."""
    import torchode as to

    field, h0 = _Field(data), data.h0.detach().clone().requires_grad_()
    trials = torch.arange(len(h0))

    def velocity(t: Tensor, h: Tensor) -> Tensor:
        k = (t / STEP + 1e-3).long().clamp(max=len(field.inputs) - 1)
        return field.velocity(h, field.inputs[k, trials])

    term = to.ODETerm(velocity)
    solver = to.AutoDiffAdjoint({"euler": to.Euler}[method](term), to.FixedStepController())
    times = data.times.to(h0.dtype).expand(len(h0), -1).contiguous()

    def run() -> list[Tensor]:
        problem = to.InitialValueProblem(y0=h0, t_eval=times)
        path = solver.solve(problem, dt0=torch.full((len(h0),), STEP)).ys
        return _finished(field, path.movedim(1, 0), h0, data)

    return run


def recurrent(data: Data, width: int) -> Step:
    """`torch.nn.GRU` on the same inputs: other arithmetic, for scale only; returns no comparable gradient."""
    cell = nn.GRU(INPUTS, width, batch_first=True)
    weight = torch.randn(*data.inputs.shape[:-1], width)

    def run() -> list[Tensor]:
        path, _ = cell(data.inputs)
        return list(torch.autograd.grad((path * weight).sum(), list(cell.parameters())))

    return run
