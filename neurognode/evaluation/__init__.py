"""Protocols that need a model: scores beside baselines, cross-validation, controls, decoding."""

from __future__ import annotations

from neurognode.evaluation.baselines import SmoothingGLM, baselines
from neurognode.evaluation.controls import controls
from neurognode.evaluation.decode import decode_angle, decode_behavior, decode_condition, ring_phase
from neurognode.evaluation.evaluate import evaluate
from neurognode.evaluation.forecast import forecast, forecast_bits
from neurognode.evaluation.splits import BenchmarkSplit, benchmark_split, held_out_units
from neurognode.evaluation.validation import cross_validate, folds

__all__ = [
    "BenchmarkSplit",
    "SmoothingGLM",
    "baselines",
    "benchmark_split",
    "controls",
    "cross_validate",
    "decode_angle",
    "decode_behavior",
    "decode_condition",
    "evaluate",
    "folds",
    "forecast",
    "forecast_bits",
    "held_out_units",
    "ring_phase",
]
