"""Adam for a population: every member has its own learning rate, decay and gradient clipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from neurognode.errors import one_of

DECAYS = ("decoupled", "flux")


class MemberAdam:
    """AdamW on parameters whose first axis is the member.

    Parameters
    ----------
    parameters : iterable of Tensor
        Each (K, ...).
    learning_rate, weight_decay : Tensor (K,)
    decay : {"decoupled", "flux"}
        ``decoupled``: ``w -= rate * (direction + decay * w)``, on matrices only. ``flux``: as the optimiser
        of the gnODE paper's code, ``w -= rate * direction + decay * w`` on every parameter, whatever the
        learning rate; the equivalent decoupled decay is ``decay / rate``.
    clip : float, optional
        Largest gradient norm of a member.
    paces : sequence of float, optional
        Factor on the learning rate of each parameter.

    Examples
    --------
    >>> import torch
    >>> from neurognode.models.member_adam import MemberAdam
    >>> weights = torch.nn.Parameter(torch.ones(2, 3, 3))
    >>> weights.grad = torch.zeros(2, 3, 3)
    >>> optimiser = MemberAdam([weights], torch.tensor([1e-2, 1e-4]), torch.tensor([0.1, 0.1]), decay="flux")
    >>> _ = optimiser.step()
    >>> weights[:, 0, 0].tolist()
    [0.8999999761581421, 0.8999999761581421]
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: Tensor,
        weight_decay: Tensor,
        *,
        decay: str = "decoupled",
        clip: float | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        paces: Sequence[float] | None = None,
    ) -> None:
        given = list(parameters)
        self.parameters = [p for p in given if p.requires_grad]
        self.paces = [pace for p, pace in zip(given, paces or [1.0] * len(given)) if p.requires_grad]
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.decay, self.clip, self.betas = one_of(decay, DECAYS, "decay"), clip, betas
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.n_steps = 0

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> Tensor:
        """One step with the learning rates times `factor`; returns each member's gradient norm (K,).

        A member whose gradient is not finite stays where it is, and so does a parameter without one.
        """
        self.n_steps += 1
        used = [
            (p, p.grad, m, v, pace)
            for p, m, v, pace in zip(self.parameters, self.first, self.second, self.paces)
            if p.grad is not None
        ]
        norm = torch.stack([g.double().flatten(1).square().sum(1) for _, g, *_ in used]).sum(0).sqrt()
        good = torch.isfinite(norm)
        scale = good.to(norm)
        if self.clip is not None:
            scale = scale * torch.clamp(self.clip / (norm.nan_to_num(0.0, 1.0, 1.0) + 1e-6), max=1.0)
        scale = scale.to(self.parameters[0])
        one, two = (1 - beta**self.n_steps for beta in self.betas)
        for p, g, m, v, pace in used:
            shape = (-1, *([1] * (p.ndim - 1)))
            g = torch.where(good.view(shape), g, torch.zeros_like(g)) * scale.view(shape)
            m.lerp_(g, 1 - self.betas[0])
            v.mul_(self.betas[1]).addcmul_(g, g, value=1 - self.betas[1])
            rate = (self.learning_rate * (factor * pace) * good).view(shape)
            direction = (m / one) / ((v / two).sqrt() + 1e-8)
            shrink = (self.weight_decay * good).view(shape)
            if self.decay == "decoupled":
                shrink = rate * shrink if p.ndim > 2 else torch.zeros_like(rate)
            p.sub_(rate * direction + shrink * p)
        return norm.float()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None
