"""What every exporter must keep: it writes a new file and leaves nothing behind when it fails."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurognode import registry
from neurognode.trials import make_trials


def check_exporter(name: str, suffix: str, **options: Any) -> Path:
    """Check one exporter of the registry by exporting known latents.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("exporters")``.
    suffix : str
        Ending of the files it writes, such as ``".nwb"``.
    **options
        Given to the exporter.

    Returns
    -------
    pathlib.Path
        What was written, for further checks.

    Raises
    ------
    AssertionError
        If no file appears, or others beside it.

    Examples
    --------
    >>> from neurognode.testing import check_exporter
    >>> check_exporter("netcdf", ".nc").name
    'latents.nc'
    """
    exporter = registry.resolve("exporters", name)
    trials, latents = known_latents()
    path = Path(tempfile.mkdtemp()) / f"latents{suffix}"
    exporter(path, latents, trials, **options)
    assert path.exists(), f"{name}: nothing at {path.name}"
    others = [p.name for p in path.parent.iterdir() if p != path]
    assert not others, f"{name} left other files behind: {others}"
    return path


def known_latents() -> tuple[xr.Dataset, xr.DataArray]:
    """Six trials of Poisson counts, and latents that are sines: what `check_exporter` exports."""
    rng = np.random.default_rng(0)
    start = 10.0 + 2.0 * np.arange(6)
    trials = make_trials(rng.poisson(0.3, (6, 20, 5)), bin_size=0.02, absolute_start=start)
    phase = 10 * trials["absolute_time"].values[..., None] + np.arange(2)
    latents = xr.DataArray(np.sin(phase), dims=("trial", "time", "latent"), coords={"time": trials["time"]})
    return trials, latents
