"""What every field or map must keep: shapes, Jacobian, configuration, population axis."""

from __future__ import annotations

import inspect

import torch

from neurognode import registry
from neurognode.dynamics import VectorField, build


def check_dynamics(name: str, latent_dim: int | None = None, **options: object) -> None:
    """Check one field or map of the registry.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("dynamics")``.
    latent_dim : int, optional
        Number of latents; 3, or 2 where the field allows no more.
    **options
        Given to its constructor.

    Raises
    ------
    AssertionError
        If shapes are wrong, the Jacobian is not the derivative, or `config` does not rebuild the field.

    Examples
    --------
    >>> from neurognode.testing import check_dynamics
    >>> check_dynamics("gnode", hidden=(8,))
    """
    kind = registry.resolve("dynamics", name)
    field = _make(kind, latent_dim, options).double().requires_grad_(False)
    assert isinstance(field, VectorField), f"{name} is not a VectorField"
    generator = torch.Generator().manual_seed(0)
    h = 0.5 * torch.randn(4, 5, field.latent_dim, generator=generator, dtype=torch.float64)
    x = (
        torch.randn(4, 5, field.input_dim, generator=generator, dtype=torch.float64)
        if field.input_dim
        else None
    )
    velocity = field(h, x)
    assert velocity.shape == h.shape, f"{name}: field gives {tuple(velocity.shape)} for {tuple(h.shape)}"
    assert bool(torch.isfinite(velocity).all()), f"{name}: the field is not finite"
    _check_jacobian(name, field, h, x)
    again = build(field.config()).double().requires_grad_(False)
    again.load_state_dict(field.state_dict())
    assert torch.equal(again(h, x), velocity), f"{name}: config() and the weights do not rebuild the field"


def _make(kind: type, latent_dim: int | None, options: dict[str, object]) -> VectorField:
    if "dt" in inspect.signature(kind).parameters and "dt" not in options:
        options = {**options, "dt": 0.01}
    for n in (latent_dim,) if latent_dim else (3, 2, 1, 4):
        try:
            return kind(n, **options)
        except ValueError as error:
            problem = error
    raise AssertionError(f"{kind.__name__} can be made with none of 1 to 4 latents: {problem}")


def _check_jacobian(name: str, field: VectorField, h: torch.Tensor, x: torch.Tensor | None) -> None:
    jacobian = field.jacobian(h, x)
    step = 1e-6
    for i in range(field.latent_dim):
        shift = torch.zeros(field.latent_dim, dtype=h.dtype)
        shift[i] = step
        slope = (field(h + shift, x) - field(h - shift, x)) / (2 * step)
        error = float((jacobian[..., i] - slope).abs().max().detach())
        scale = 1 + float(slope.abs().max())
        assert error < 1e-5 * scale, f"{name}: the Jacobian differs from finite differences by {error:.2g}"
