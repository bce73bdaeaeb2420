"""What made a run: versions, source state, machine."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import neurognode

PACKAGES = ("neurognode", "torch", "numpy", "scipy", "scikit-learn", "xarray", "h5py", "pynwb", "torchdiffeq")


def provenance() -> dict[str, Any]:
    """Versions of what decides the numbers, git commit of an editable install, machine and threads.

    Examples
    --------
    >>> from neurognode.runs.provenance import provenance
    >>> sorted(provenance())
    ['created', 'git_commit', 'machine', 'python', 'threads', 'versions']
    """
    import torch

    return {
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "git_commit": git_commit(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {accelerator()}",
        "threads": torch.get_num_threads(),
    }


def _version(name: str) -> str:
    if name == "neurognode":
        return neurognode.__version__
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def accelerator() -> str:
    """Name of the GPU torch can use, or "no GPU"."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    mps = getattr(torch.backends, "mps", None)
    return "Apple GPU" if mps is not None and mps.is_available() else "no GPU"


def git_commit() -> str | None:
    """Commit of the source tree in use, with ``+changes`` if it was edited; None if installed."""
    root = Path(neurognode.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        call = {"cwd": root, "capture_output": True, "text": True, "timeout": 10, "check": True}
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **call).stdout.strip()  # type: ignore[call-overload]
        state = ["git", "status", "--porcelain", "--untracked-files=no"]
        changed = subprocess.run(state, **call).stdout.strip()  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")
