"""Simulated truth: known circuits, recordings of them, the paper's tasks, smooth trajectories."""

from __future__ import annotations

from neurognode.synthetic import circuits
from neurognode.synthetic.recording import SimulatedRecording, simulate_recording

__all__ = ["SimulatedRecording", "circuits", "simulate_recording"]
