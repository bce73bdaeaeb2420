"""Doctests are collected from the package; what needs a package that is not there is left out."""

from __future__ import annotations

import importlib.util

collect_ignore = []
if importlib.util.find_spec("triton") is None:
    collect_ignore.append("neurognode/dynamics/_kernels/gpu_programs.py")
