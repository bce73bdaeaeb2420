"""Encoders: from recorded bins to features from which latents are inferred.

`base` is the contract; every other file is one member, found by name through `neurognode.registry`.
"""

from __future__ import annotations

from neurognode.models.encoders.base import Encoder

__all__ = ["Encoder"]
