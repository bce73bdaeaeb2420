"""Bounds that hold for every state of a box: of a field, of its affine approximation there, and of its Jacobian.

Values are affine forms: for ``h = centre + radius * e`` with e in [-1, 1]^N, a quantity is
``mid + slope @ e`` within ``rest``. Affine layers are exact in e, a nonlinearity adds its second-order remainder
(half the largest second derivative times the squared half-width), so that `rest` shrinks with the square of the
box. Rounding of float64 is added to `rest`; every bound is a proof, none is a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit, ndtr

from neurognode.dynamics.base import GatedField
from neurognode.dynamics.gnode import GNODE
from neurognode.dynamics.network import Network
from neurognode.interpret.symbolic import PolynomialField

ROUNDING = 2.0**-52
ULPS = 16
"""Units in the last place that an elementary function of the libraries may be off, generously."""


@dataclass(frozen=True)
class Form:
    """Affine forms of C boxes: `mid` (C, M), `slope` (C, M, N), `rest` (C, M) at least zero."""

    mid: np.ndarray
    slope: np.ndarray
    rest: np.ndarray

    @property
    def radius(self) -> np.ndarray:
        """Half-width of the values, (C, M)."""
        return np.abs(self.slope).sum(2) + self.rest

    @property
    def size(self) -> np.ndarray:
        """Largest absolute value, (C, M)."""
        return np.abs(self.mid) + self.radius

    def affine(self, weight: np.ndarray, bias: np.ndarray) -> Form:
        """``weight @ value + bias``."""
        big = np.abs(weight)
        slack = (weight.shape[1] + 4) * ROUNDING * (self.size @ big.T + np.abs(bias))
        slope = np.matmul(weight, self.slope)
        return Form(self.mid @ weight.T + bias, slope, self.rest @ big.T + slack)

    def times(self, factor: np.ndarray | float) -> Form:
        """Elementwise product with numbers (M,)."""
        scale = np.broadcast_to(np.asarray(factor, float), self.mid.shape[1:])
        rest = np.abs(scale) * (self.rest + 4 * ROUNDING * self.size)
        return Form(self.mid * scale, self.slope * scale[:, None], rest)

    def plus(self, other: Form, sign: float = 1.0) -> Form:
        """Sum, or difference for ``sign=-1``."""
        rest = self.rest + other.rest + 4 * ROUNDING * (self.size + other.size)
        return Form(self.mid + sign * other.mid, self.slope + sign * other.slope, rest)

    def product(self, other: Form) -> Form:
        """Elementwise product of two forms."""
        a, b = self.mid[..., None], other.mid[..., None]
        rest = np.abs(self.mid) * other.rest + np.abs(other.mid) * self.rest + self.radius * other.radius
        rest = rest + 8 * ROUNDING * self.size * other.size
        return Form(self.mid * other.mid, a * other.slope + b * self.slope, rest)


@dataclass(frozen=True)
class Enclosure:
    """What is known of a field on C boxes.

    Attributes
    ----------
    value : Form
        The velocity (C, N).
    jacobian, spread : arrays (C, N, N)
        Every Jacobian in the box is within `spread` of `jacobian`, entry by entry, 1/s.
    """

    value: Form
    jacobian: np.ndarray
    spread: np.ndarray


def enclose(
    field: Any,
    centre: np.ndarray,
    radius: np.ndarray,
    inputs: np.ndarray | None = None,
    *,
    opened: bool = False,
) -> Enclosure:
    """Bounds of a field and its Jacobian on boxes.

    Parameters
    ----------
    field : GNODE, NODE or PolynomialField
        With activations tanh, relu, silu, gelu, softplus, sigmoid or identity, without layer norm.
    centre, radius : arrays (C, N)
        The boxes, latent units.
    inputs : array (I,), optional
        Constant input; zero by default.
    opened : bool
        Bound ``(F - h) / tau``, which has the zeros of the gated field, as gates are never quite closed.

    Raises
    ------
    ValueError
        If the field is of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.interpret.enclosures import enclose
    >>> field = GNODE(2, hidden=(8,), random_state=0)
    >>> small, large = (enclose(field, np.zeros((1, 2)), np.full((1, 2), r)).value.rest.max() for r in (0.01, 0.1))
    >>> bool(small < large / 50)
    True
    """
    centre, radius = np.atleast_2d(centre).astype(float), np.atleast_2d(radius).astype(float)
    start = Form(centre, radius[..., None] * np.eye(centre.shape[1]), 2 * ROUNDING * np.abs(centre))
    if isinstance(field, PolynomialField):
        return _polynomial(field, start)
    reason = refusal(field)
    if reason:
        raise ValueError(f"No bounds can be proved for this field: {reason}.")
    x = np.zeros(field.input_dim) if inputs is None else np.asarray(inputs, float).reshape(-1)
    return _gated(field, start, x, opened)


def refusal(field: Any) -> str | None:
    """Why `enclose` cannot take a field, or None if it can."""
    if isinstance(field, PolynomialField):
        return None
    if not isinstance(field, GNODE):
        return f"it is a {type(field).__name__}; bounds are known for GNODE, NODE and PolynomialField"
    if field.members is not None:
        return "it is a population; take one with field.member(k)"
    if (type(field).drift, type(field).gate, type(field).forward) != (
        GNODE.drift, GNODE.gate, GatedField.forward,
    ):  # fmt: skip
        return f"{type(field).__name__} replaces the drift or the gate"
    return "it has layer norm" if field.drift_net.layer_norm else None


def _gated(field: GNODE, start: Form, x: np.ndarray, opened: bool) -> Enclosure:
    rate = 1 / _numbers(field.tau)
    eye = np.eye(start.mid.shape[1])
    drift, d_mid, d_rad = _network(field.drift_net, start, x)
    if field.scale:
        inner = drift.times(1 / field.scale)
        slope_mid, slope_rad = _slope("tanh", inner)
        drift = _nonlinear("tanh", inner).times(field.scale)
        d_mid, d_rad = _interval_product(slope_mid[..., None], slope_rad[..., None], d_mid, d_rad)
    if field.gain is not None:
        gain = float(_numbers(field.gain)[0])
        drift, d_mid, d_rad = drift.times(gain), gain * d_mid, abs(gain) * d_rad
    if field.leak:
        drift, d_mid = drift.plus(start, -1.0), d_mid - eye
    if field.gate_net is None or opened:
        value, mid, spread = drift, d_mid, d_rad
    else:
        raw, g_mid, g_rad = _network(field.gate_net, start, x)
        raw, g_mid, g_rad = (
            raw.times(field.gate_slope), field.gate_slope * g_mid, abs(field.gate_slope) * g_rad,
        )  # fmt: skip
        gate = _nonlinear("sigmoid", raw)
        slope_mid, slope_rad = _slope("sigmoid", raw)
        g_mid, g_rad = _interval_product(slope_mid[..., None], slope_rad[..., None], g_mid, g_rad)
        value = gate.product(drift)
        one = _interval_product(gate.mid[..., None], gate.radius[..., None], d_mid, d_rad)
        two = _interval_product(drift.mid[..., None], drift.radius[..., None], g_mid, g_rad)
        mid, spread = one[0] + two[0], one[1] + two[1]
    mid, spread = mid * rate[:, None], spread * rate[:, None]
    return Enclosure(value.times(rate), mid, spread + 64 * ROUNDING * (np.abs(mid) + spread + rate.max()))


def _network(net: Network, start: Form, x: np.ndarray) -> tuple[Form, np.ndarray, np.ndarray]:
    """Values of a network, and mid and radius of its Jacobian (C, M, N)."""
    form, mid, rad = start, np.eye(start.mid.shape[1])[None], np.zeros((1, 1, 1))
    last = len(net.weights) - 1
    for layer in range(last + 1):
        weight, bias = _numbers(net.weights[layer]), _numbers(net.biases[layer])
        if layer == 0 and net.input_weight is not None:
            drive = _numbers(net.input_weight) @ x
            if net.input_mode == "additive":
                bias = bias + drive
            else:
                weight, bias = (1 + drive)[:, None] * weight, (1 + drive) * bias
        form = form.affine(weight, bias)
        slack = (weight.shape[1] + 4) * ROUNDING * np.matmul(np.abs(weight), np.abs(mid) + rad)
        mid, rad = np.matmul(weight, mid), np.matmul(np.abs(weight), rad + np.zeros_like(mid)) + slack
        if layer < last:
            name = net.activation.name
            slope_mid, slope_rad = _slope(name, form)
            mid, rad = _interval_product(slope_mid[..., None], slope_rad[..., None], mid, rad)
            form = _nonlinear(name, form)
    return form, mid, rad


def _polynomial(field: PolynomialField, start: Form) -> Enclosure:
    exponents, coefficients = field.exponents.numpy(), field.coefficients.numpy()
    value = _terms(exponents, start).affine(coefficients, np.zeros(len(coefficients)))
    columns = []
    for j in range(field.latent_dim):
        lower = np.maximum(exponents - np.eye(field.latent_dim, dtype=int)[j], 0)
        weights = coefficients * exponents[:, j]
        columns.append(_terms(lower, start).affine(weights, np.zeros(len(coefficients))))
    jacobian = np.stack([c.mid for c in columns], axis=2)
    return Enclosure(value, jacobian, np.stack([c.radius for c in columns], axis=2))


def _terms(exponents: np.ndarray, start: Form) -> Form:
    """Monomials (C, P)."""
    shape = (len(start.mid), len(exponents))
    total = Form(np.ones(shape), np.zeros((*shape, start.mid.shape[1])), np.zeros(shape))
    for latent in range(exponents.shape[1]):
        one = slice(latent, latent + 1)
        base = Form(start.mid[:, one], start.slope[:, one], start.rest[:, one])
        for power in range(1, int(exponents.max(initial=0)) + 1):
            raised, higher = exponents[:, latent] >= power, total.product(base)
            total = Form(
                np.where(raised, higher.mid, total.mid),
                np.where(raised[:, None], higher.slope, total.slope),
                np.where(raised, higher.rest, total.rest),
            )
    return total


def _interval_product(
    a: np.ndarray, a_rad: np.ndarray, b: np.ndarray, b_rad: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    size = (np.abs(a) + a_rad) * (np.abs(b) + b_rad)
    return a * b, np.abs(a) * b_rad + a_rad * np.abs(b) + a_rad * b_rad + 4 * ROUNDING * size


def _nonlinear(name: str, form: Form) -> Form:
    """A nonlinearity applied to a form: the tightest of its tangent with remainder and its range."""
    if name == "identity":
        return form
    low, high = form.mid - form.radius, form.mid + form.radius
    if name == "relu":
        return _relu(form, low, high)
    function, derivative, second, lowest = FUNCTIONS[name]
    slope = derivative(form.mid)
    rest = np.abs(slope) * form.rest + 0.5 * second(low, high) * form.radius**2
    ends = np.stack([function(low), function(high)])
    floor, top = ends.min(0), ends.max(0)
    if lowest is not None:
        inside = (low < lowest) & (lowest < high)
        floor = np.where(inside, function(np.full_like(low, lowest)), floor)
    flat = 0.5 * (top - floor)
    better = rest <= flat
    mid = np.where(better, function(form.mid), 0.5 * (top + floor))
    tilt = np.where(better[..., None], slope[..., None] * form.slope, 0.0)
    slack = ULPS * ROUNDING * (np.abs(top) + np.abs(floor) + (1 + np.abs(slope)) * form.radius)
    slack = slack + ULPS * ROUNDING * np.abs(slope * form.mid)
    return Form(mid, tilt, np.where(better, rest, flat) + slack)


def _relu(form: Form, low: np.ndarray, high: np.ndarray) -> Form:
    crossing = (low < 0) & (high > 0)
    width = np.where(crossing, high - low, 1.0)
    slope = np.where(crossing, high / width, (high > 0).astype(float))
    lift = np.where(crossing, -0.5 * slope * low, 0.0)
    slack = ULPS * ROUNDING * form.size
    return Form(slope * form.mid + lift, slope[..., None] * form.slope, slope * form.rest + lift + slack)


def _slope(name: str, form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Mid and radius of a nonlinearity's derivative over the values of a form."""
    if name == "identity":
        return np.ones_like(form.mid), np.zeros_like(form.mid)
    low, high = form.mid - form.radius, form.mid + form.radius
    if name == "relu":
        crossing = (low <= 0) & (high >= 0)
        return np.where(crossing, 0.5, (low > 0).astype(float)), np.where(crossing, 0.5, 0.0)
    _, derivative, second, _ = FUNCTIONS[name]
    mid = derivative(form.mid)
    return mid, second(low, high) * form.radius + ULPS * ROUNDING * (1 + np.abs(mid))


def _nearest_farthest(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest absolute value in an interval."""
    nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return nearest, np.maximum(np.abs(low), np.abs(high))


def _tanh_second(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Largest absolute second derivative: it rises up to |u| = 0.6585 and falls beyond."""
    peak = 0.6584789484624084
    near, far = _nearest_farthest(low, high)
    worst = np.tanh(np.clip(peak, near, far))
    return 2 * worst * (1 - worst**2) * (1 + 1e-12)


def _sigmoid_second(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return _tanh_second(low / 2, high / 2) / 8


def _softplus_second(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return _sigmoid_first(_nearest_farthest(low, high)[0]) * (1 + 1e-12)


def _silu_second(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    near, far = _nearest_farthest(low, high)
    return np.minimum(0.5, 2 * _sigmoid_first(near) + far * _sigmoid_second(low, high)) * (1 + 1e-12)


def _gelu_second(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    near, far = _nearest_farthest(low, high)
    density = np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi)
    worst = np.maximum(np.abs(2 - near**2), np.abs(far**2 - 2))
    return np.minimum(0.7978845608028654, density * worst) * (1 + 1e-12)


def _sigmoid(u: np.ndarray) -> np.ndarray:
    return expit(u)


def _sigmoid_first(u: np.ndarray) -> np.ndarray:
    return expit(u) * expit(-u)


def _silu(u: np.ndarray) -> np.ndarray:
    return u * _sigmoid(u)


def _silu_first(u: np.ndarray) -> np.ndarray:
    return _sigmoid(u) + u * _sigmoid_first(u)


def _gelu(u: np.ndarray) -> np.ndarray:
    return u * ndtr(u)


def _gelu_first(u: np.ndarray) -> np.ndarray:
    return ndtr(u) + u * np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)


Bound = Callable[[np.ndarray, np.ndarray], np.ndarray]
Pointwise = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, tuple[Pointwise, Pointwise, Bound, float | None]] = {
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2, _tanh_second, None),
    "sigmoid": (_sigmoid, _sigmoid_first, _sigmoid_second, None),
    "softplus": (lambda u: np.logaddexp(u, 0.0), _sigmoid, _softplus_second, None),
    "silu": (_silu, _silu_first, _silu_second, -1.2784645427610738),
    "gelu": (_gelu, _gelu_first, _gelu_second, -0.7517915246935645),
}  # fmt: skip
"""Function, derivative, bound on the second derivative over an interval, and where it is lowest (if anywhere)."""


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()
