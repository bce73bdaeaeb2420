"""Simulated truth: known circuits, recordings of them, the paper's tasks, smooth trajectories."""

from __future__ import annotations

from neurognode.synthetic import circuits

__all__ = ["circuits"]
