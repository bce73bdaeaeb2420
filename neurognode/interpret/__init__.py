"""What a flow field does where data have been: fixed points, slow manifolds, cycles, basins, and their limits."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Flow": "flow", "as_diffusion": "flow", "Region": "region", "visited_region": "region", "Behaviour": "rollouts",
    "behaviour": "rollouts", "SlowManifold": "slow", "slow_manifold": "slow", "local_dimension": "slow",
    "Topology": "homology", "topology": "homology", "Cycle": "cycles", "find_cycles": "cycles",
    "lyapunov_exponents": "lyapunov", "kaplan_yorke": "lyapunov", "basins": "separation", "connections": "separation",
    "separatrix": "separation", "Connections": "separation", "Slowness": "gating", "slowness": "gating",
    "contraction_rates": "contraction", "tangling": "contraction", "Precision": "precision",
    "drift_precision": "precision", "residual_diffusion": "precision", "step_survival": "survival",
    "FixedPoints": "stability", "kinds_of": "stability", "linearise": "stability", "Roots": "roots",
    "find_roots": "roots", "starting_points": "roots", "Portrait": "portraits", "portrait": "draw",
    "portrait_of": "fitted", "evidence_of": "fitted", "Evidence": "fitted", "readout_metric": "fitted",
    "Agreement": "agreements", "agreement": "agreements", "dsa": "agreements", "tangent_steps": "variational",
    "Escape": "escapes", "escape": "escapes", "unstable_cycles": "repelling", "map_cycles": "map_orbits",
    "perturb": "perturbations", "Response": "perturbations", "unit_push": "perturbations",
    "PushedRates": "pushes", "push_model": "pushes", "push_evidence": "pushes",
    "Equations": "symbolic", "equations": "symbolic", "PolynomialField": "symbolic",
    "ProvedFixedPoints": "proofs", "proved_fixed_points": "proofs",
    "PiecewiseAffine": "abstraction", "piecewise_affine": "abstraction",
    "enclose": "enclosures", "Enclosure": "enclosures",
}  # fmt: skip
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'neurognode.interpret' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neurognode.interpret.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
