"""Protocols that need a model: scores beside baselines, cross-validation, controls, decoding."""

from __future__ import annotations

from neurognode.evaluation.capacity import Expressivity, expressivity
from neurognode.evaluation.control_fits import controls
from neurognode.evaluation.decode import decode_angle, decode_behavior, decode_condition, ring_phase
from neurognode.evaluation.forward import forecast, forecast_bits
from neurognode.evaluation.scoring import evaluate
from neurognode.evaluation.smoothing import SmoothingGLM, baselines
from neurognode.evaluation.splits import BenchmarkSplit, benchmark_split, held_out_units
from neurognode.evaluation.validation import cross_validate, folds

__all__ = [
    "BenchmarkSplit",
    "Expressivity",
    "SmoothingGLM",
    "baselines",
    "benchmark_split",
    "controls",
    "cross_validate",
    "decode_angle",
    "decode_behavior",
    "decode_condition",
    "evaluate",
    "expressivity",
    "folds",
    "forecast",
    "forecast_bits",
    "held_out_units",
    "ring_phase",
]
