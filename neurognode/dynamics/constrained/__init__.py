"""Fields that are known beforehand up to a few parameters: hypotheses that can be fitted."""

from neurognode.dynamics.constrained.attractors import DoubleWell, DriftDiffusion, LimitCycle, Ring
from neurognode.dynamics.constrained.base import ConstrainedField
from neurognode.dynamics.constrained.linear import LeakyLine, Line, Plane, Rotation, UnstableLine

__all__ = [
    "ConstrainedField",
    "DoubleWell",
    "DriftDiffusion",
    "LeakyLine",
    "LimitCycle",
    "Line",
    "Plane",
    "Ring",
    "Rotation",
    "UnstableLine",
]
