"""Contract tests that plug-in authors import: one function per kind of plug-in.

Built-ins pass the same tests. Each function raises an AssertionError that says which promise is not kept.

Examples
--------
>>> from neurognode.testing import check_likelihood
>>> check_likelihood("poisson")
"""

from __future__ import annotations

from neurognode.testing.dynamics import check_dynamics
from neurognode.testing.encoders import check_encoder
from neurognode.testing.exporters import check_exporter
from neurognode.testing.hypotheses import check_hypothesis
from neurognode.testing.likelihoods import check_likelihood
from neurognode.testing.loaders import check_loader

__all__ = [
    "check_dynamics",
    "check_encoder",
    "check_exporter",
    "check_hypothesis",
    "check_likelihood",
    "check_loader",
]
