"""Readouts: from latents to rates or signals."""

from __future__ import annotations

from typing import Any

from neurognode.errors import one_of
from neurognode.models.readouts.base import LINKS, MLPReadout, Readout

NAMES = (*LINKS, *(f"mlp_{link}" for link in LINKS))


def make_readout(name: str, latent_dim: int, n_units: int, **options: Any) -> Readout:
    """Build a readout from its name: a link, or ``"mlp_"`` and a link.

    Examples
    --------
    >>> from neurognode.models.readouts import make_readout
    >>> type(make_readout("mlp_exp", 2, 5)).__name__
    'MLPReadout'
    """
    one_of(name, NAMES, "readout")
    if name.startswith("mlp_"):
        return MLPReadout(latent_dim, n_units, name[4:], **options)
    return Readout(latent_dim, n_units, name, **options)


__all__ = ["MLPReadout", "NAMES", "Readout", "make_readout"]
