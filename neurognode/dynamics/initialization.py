"""Initial weights of a field, among them the two forms of the critical initialisation.

Critical means that the ungated field sits at the edge of stability: the leading eigenvalue of dF/dh is 1, so
that the leak is just balanced, and signals neither die nor explode at the start of training.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neurognode.dynamics.activations import get_activation
from neurognode.errors import one_of

if TYPE_CHECKING:
    from neurognode.dynamics.gnode import GNODE
    from neurognode.dynamics.network import Network

INITS = ("critical", "critical_closed", "critical_numeric", "glorot", "kaiming")
_SMALL = 20
"""Up to this many latents the closed form is only right on average, and "critical" means the numeric one."""
_GAIN_RANGE = (0.3, 3.0)
_BIAS_STD = 1e-3
_MAX_DRAWS = 30


def seeded(random_state: int | np.random.Generator | None) -> torch.Generator:
    """Make a torch generator from a scikit-learn style seed."""
    return torch.Generator().manual_seed(int(np.random.default_rng(random_state).integers(2**62)))


def critical_gain(
    n_layers: int,
    activation: str = "tanh",
    *,
    input_variance: float = 1.0,
    bias_variance: float = 0.0,
) -> float:
    """Return the weight gain sigma at which a wide random net has a Jacobian of spectral radius 1.

    Weights are drawn from ``N(0, sigma^2 / fan_in)``. Mean-field theory gives the squared spectral radius as
    ``prod_l sigma^2 E[act'(sqrt(q_l) z)^2]`` over the layers, the output layer contributing ``sigma^2``, and
    the variances as ``q_{l+1} = sigma^2 E[act(sqrt(q_l) z)^2] + bias_variance``.

    Parameters
    ----------
    n_layers : int
        Number of weight matrices, one more than hidden layers.
    activation : str
        Nonlinearity of the hidden layers.
    input_variance : float
        Variance of a latent.
    bias_variance : float
        Variance of a bias.

    Returns
    -------
    float
        The gain; for ReLU, ``2 ** ((n_layers - 1) / (2 n_layers))``.

    Raises
    ------
    ValueError
        If `n_layers` is less than 1, or if no gain between 1e-3 and 1e3 is critical.

    Examples
    --------
    >>> from neurognode.dynamics.initialization import critical_gain
    >>> [round(critical_gain(n, "relu") ** 2, 3) for n in (1, 2, 3, 4)]
    [1.0, 1.414, 1.587, 1.682]

    References
    ----------
    Kim, Can and Krishnamurthy, ICML 2023, arXiv:2307.06398 (critical initialisation).
    """
    if n_layers < 1:
        raise ValueError(f"n_layers={n_layers!r} must be at least 1.")
    act = get_activation(activation)
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    z = torch.as_tensor(nodes)
    share = torch.as_tensor(weights / weights.sum())

    def log_radius(gain: float) -> float:
        q, total = gain**2 * input_variance + bias_variance, 0.0
        for _ in range(n_layers - 1):
            u = math.sqrt(q) * z
            slope = act.derivative(u)
            if activation == "relu":
                slope = torch.full_like(u, math.sqrt(0.5))
            total += math.log(gain**2 * float((share * slope**2).sum()))
            q = gain**2 * float((share * act.function(u) ** 2).sum()) + bias_variance
        return total + math.log(gain**2)

    low, high = 1e-3, 1e3
    if log_radius(low) > 0 or log_radius(high) < 0:
        raise ValueError(f"No gain makes {n_layers} layers of {activation!r} critical.")
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if log_radius(middle) < 0 else (low, middle)
    return math.sqrt(low * high)


def initialize(
    field: GNODE,
    init: str = "critical",
    *,
    spread: float = _BIAS_STD,
    random_state: int | np.random.Generator | None = None,
) -> None:
    """Draw all weights of a field anew, in place.

    Parameters
    ----------
    field : GNODE
        The field, with or without a population axis.
    init : {"critical", "critical_closed", "critical_numeric", "glorot", "kaiming"}
        ``critical_closed`` uses `critical_gain` for the flow; ``critical_numeric`` rescales the flow by its
        measured leading eigenvalue; ``critical`` is the numeric form up to 20 latents and the closed form
        above. In all of these the gate and the input weights have variance ``1 / fan_in``, and biases a
        standard deviation of 1e-3 but for `spread`. Where no gain between 0.3 and 3 is critical (deep sigmoid
        nets), the nearest one is used.
    spread : float
        Standard deviation of the biases of the first hidden layers.
    random_state : int, numpy.random.Generator, optional
        Seed.

    Examples
    --------
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.dynamics.initialization import initialize
    >>> field = GNODE(3, hidden=(32,))
    >>> initialize(field, "glorot", random_state=1)
    """
    one_of(init, INITS, "init")
    generator = seeded(random_state)
    nets = [field.drift_net] + ([field.gate_net] if field.gate_net is not None else [])
    for net in nets:
        draw(net, init, generator, spread)
    if not init.startswith("critical"):
        return
    if init == "critical":
        init = "critical_numeric" if field.latent_dim <= _SMALL else "critical_closed"
    saturating = field.drift_net.activation.name == "sigmoid" and bool(field.drift_net.hidden)
    if init == "critical_closed" and not field.drift_net.layer_norm and not saturating:
        gain = critical_gain(len(field.drift_net.weights), field.drift_net.activation.name)
        with torch.no_grad():
            for weight in field.drift_net.weights:
                weight.mul_(gain)
        return
    _rescale_with_redraws(field, generator, draws=1 if saturating else _MAX_DRAWS)


def rescale_to_critical(field: GNODE, h: Tensor | None = None, x: Tensor | None = None) -> Tensor:
    """Scale the state weights of the flow so that the leading eigenvalue of dF/dh is 1, in place.

    The leading eigenvalue is that of largest real part; where no real part is positive (which happens in a
    quarter of random draws at two latents) the one of largest modulus is used. Gains are kept within
    [0.3, 3]. With layer norm only the output layer is scaled, because the others do not feel a scale.

    Parameters
    ----------
    field : GNODE
        The field.
    h : Tensor, (N,) or (K, N), optional
        State at which to linearise, for instance the mean initial state; a fixed random one by default.
    x : Tensor, (I,) or (K, I), optional
        Input there, for instance its mean; zero by default.

    Returns
    -------
    Tensor
        The leading real part of the eigenvalues of ``dF/dh`` afterwards, (1,) or (K,).

    Examples
    --------
    >>> from neurognode.dynamics import GNODE
    >>> from neurognode.dynamics.initialization import rescale_to_critical
    >>> field = GNODE(6, hidden=(50,), activation="relu", init="critical_closed", random_state=0).double()
    >>> abs(float(rescale_to_critical(field)) - 1) < 1e-3
    True
    """
    point = _point(field, h)
    original = [w.detach().clone() for w in _scaled(field)]
    count = field.members or 1
    low = torch.full((count,), math.log(_GAIN_RANGE[0]), dtype=point.dtype, device=point.device)
    high = torch.full_like(low, math.log(_GAIN_RANGE[1]))
    with torch.no_grad():
        by_modulus = _leading(field, point, x)[0] <= 0
        for _ in range(45):
            middle = 0.5 * (low + high)
            _set_gain(field, original, middle.exp())
            real, modulus = _leading(field, point, x)
            below = torch.where(by_modulus, modulus, real) < 1
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return _leading(field, point, x)[0]


def draw(net: Network, init: str, generator: torch.Generator, spread: float = _BIAS_STD) -> None:
    """Draw the weights and biases of one net in place, before any rescaling."""

    def normal(shape: torch.Size, std: float) -> Tensor:
        return std * torch.randn(shape, generator=generator)

    with torch.no_grad():
        for layer, bias in enumerate(net.biases):
            bias.copy_(normal(bias.shape, spread if net.hidden and not layer else _BIAS_STD))
        matrices = [*net.weights] + ([net.input_weight] if net.input_weight is not None else [])
        for weight in matrices:
            fan_out, fan_in = weight.shape[-2:]
            if init == "glorot":
                limit = math.sqrt(6 / (fan_in + fan_out))
                weight.copy_(limit * (2 * torch.rand(weight.shape, generator=generator) - 1))
            else:
                power = 2.0 if init == "kaiming" else 1.0
                weight.copy_(normal(weight.shape, math.sqrt(power / fan_in)))


def _rescale_with_redraws(field: GNODE, generator: torch.Generator, draws: int) -> None:
    """Redraw the flow of those members that cannot be made critical, then rescale."""
    for _ in range(draws - 1):
        kept = [w.detach().clone() for w in _scaled(field)]
        reached = rescale_to_critical(field)
        failed = (reached - 1).abs() > 1e-2
        if not bool(failed.any()):
            return
        scaled = [w.detach().clone() for w in _scaled(field)]
        _draw_weights(field, kept, failed, scaled, generator)
    rescale_to_critical(field)


def _draw_weights(
    field: GNODE, kept: list[Tensor], failed: Tensor, scaled: list[Tensor], generator: torch.Generator
) -> None:
    with torch.no_grad():
        for weight, good in zip(_scaled(field), scaled):
            fresh = torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[-1])
            again = failed.to(weight.device).reshape(-1, 1, 1) if field.members else bool(failed[0])
            fresh = fresh.to(weight)
            weight.copy_(torch.where(torch.as_tensor(again, device=weight.device), fresh, good))


def _scaled(field: GNODE) -> list[Tensor]:
    weights = list(field.drift_net.weights)
    return weights[-1:] if field.drift_net.layer_norm else weights


def _set_gain(field: GNODE, original: list[Tensor], gain: Tensor) -> None:
    factor = gain.reshape(-1, 1, 1) if field.members else gain[0]
    for weight, start in zip(_scaled(field), original):
        weight.copy_(factor * start)


def _point(field: GNODE, h: Tensor | None) -> Tensor:
    weight = field.drift_net.weights[0]
    if h is None:
        h = torch.randn(field.latent_dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = h.to(weight)
    return h.expand(field.members, field.latent_dim) if field.members else h


def _leading(field: GNODE, h: Tensor, x: Tensor | None) -> tuple[Tensor, Tensor]:
    jacobian = field.drift_jacobian(h, x)
    values = torch.linalg.eigvals(jacobian.reshape(-1, field.latent_dim, field.latent_dim))
    return values.real.amax(-1), values.abs().amax(-1)
