"""Simulated truth: known circuits, recordings of them, the paper's tasks, smooth trajectories."""

from __future__ import annotations

from neurognode.synthetic import circuits, tasks
from neurognode.synthetic.recording import SimulatedRecording, simulate_recording
from neurognode.synthetic.trajectories import smooth_trajectories

__all__ = ["SimulatedRecording", "circuits", "simulate_recording", "smooth_trajectories", "tasks"]
