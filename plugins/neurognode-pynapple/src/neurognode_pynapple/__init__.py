"""pynapple objects in, latents as a pynapple `TsdFrame` out."""

from __future__ import annotations

from neurognode_pynapple.export import to_pynapple, to_tsdframe
from neurognode_pynapple.reader import PynappleReader

__all__ = ["PynappleReader", "to_pynapple", "to_tsdframe"]
