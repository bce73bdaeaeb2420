"""The portrait of a field: everything that is said about it, with what lies outside the data marked."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from neurognode.interpret import storage
from neurognode.interpret.cycles import Cycle
from neurognode.interpret.escapes import Escape
from neurognode.interpret.gating import Slowness
from neurognode.interpret.homology import Topology
from neurognode.interpret.precision import Precision
from neurognode.interpret.region import Region
from neurognode.interpret.rollouts import Behaviour
from neurognode.interpret.separation import Connections
from neurognode.interpret.slow import SlowManifold
from neurognode.interpret.stability import FixedPoints

_DIMS = {
    "fixed_points.points": ("fixed_point", "latent"),
    "fixed_points.residual": ("fixed_point",),
    "fixed_points.eigenvalues": ("fixed_point", "mode"),
    "fixed_points.eigenvectors": ("fixed_point", "latent", "mode"),
    "fixed_points.kind": ("fixed_point",),
    "fixed_points.index": ("fixed_point",),
    "fixed_points.inside": ("fixed_point",),
    "fixed_points.isolated": ("fixed_point",),
    "basin_shares": ("fixed_point",),
    "exponents": ("mode",),
    "exponents_error": ("mode",),
    "slow.points": ("slow_point", "latent"),
    "slow.is_slow": ("slow_point",),
    "slow.drift": ("slow_point", "latent"),
    "slow.tangent_rates": ("slow_point",),
    "slow.topology.betti": ("betti",),
    "behaviour.paths": ("roll_out", "horizon_time", "latent"),
    "behaviour.times": ("horizon_time",),
    "behaviour.labels": ("roll_out",),
    "behaviour.noisy_ends": ("roll_out", "latent"),
    "region.states": ("visited", "latent"),
    "region.metric": ("readout_axis", "latent"),
    "region.lower": ("latent",),
    "region.upper": ("latent",),
}


@dataclass(frozen=True, eq=False)
class Portrait:
    """What a flow field does where data have been.

    Attributes
    ----------
    latent_dim : int
        Number of latents N.
    horizon : float
        One trial length, seconds: the time over which anything is claimed.
    region : Region
        The visited states and the yardsticks taken from them.
    behaviour : Behaviour
        Where the flow leads within one and two horizons, and what noise does to it.
    slow : SlowManifold
        The set that states relax to, with its dimension, rates and shape.
    fixed_points : FixedPoints
        Zeros of the field in and around the region, most stable first.
    basin_shares : array (P,)
        Share of visited states that each fixed point attracts within two horizons (0 for unstable ones).
    connections : Connections
        Where the unstable directions of saddles lead.
    cycles : tuple of Cycle
        Periodic orbits.
    exponents, exponents_error : arrays (N,)
        Lyapunov exponents of the roll-outs, 1/s, and standard errors over starts.
    slowness : Slowness
        Closed gates or balanced flow.
    contraction : float
        Median over visited states of the largest rate at which neighbours part, 1/s; negative is contraction.
    tangling : float
        90th percentile of the field's tangling over visited states, 1/s^2.
    precision : Precision or None
        Drift and its standard error by cell; None without noise or bin size.
    survival : dict
        Change of end points under dt, dt/2, dt/10, in region diameters.
    notes : tuple of str
        What could not be done and what must be known to read the rest.
    separatrices : tuple of arrays (k, N)
        Points of the stable manifold of each saddle with one unstable direction inside the data, in their order.
    escape : Escape or None
        How long the noise leaves a state in each well; None without noise.
    noise_scale : float
        Factor on the fitted process noise that was used throughout (see `neurognode.models.noise_level`).

    Examples
    --------
    >>> from neurognode.interpret import portrait
    >>> from neurognode.synthetic import circuits
    >>> circuit = circuits.make("bistable")
    >>> picture = portrait(circuit.field, circuit.simulate(40).latents, horizon=1.2, diffusion=circuit.noise)
    >>> picture.fixed_points.kind.tolist()
    ['stable node', 'stable node', 'saddle']
    """

    schema_version: ClassVar[int] = 1

    latent_dim: int
    horizon: float
    region: Region
    behaviour: Behaviour
    slow: SlowManifold
    fixed_points: FixedPoints
    basin_shares: np.ndarray
    connections: Connections
    cycles: tuple[Cycle, ...]
    exponents: np.ndarray
    exponents_error: np.ndarray
    slowness: Slowness
    contraction: float
    tangling: float
    precision: Precision | None
    survival: dict[str, float]
    notes: tuple[str, ...]
    separatrices: tuple[np.ndarray, ...] = ()
    escape: Escape | None = None
    noise_scale: float = 1.0

    def scalars(self) -> dict[str, float]:
        """The portrait's single numbers by name; lengths in region diameters, rates in 1/s."""
        fixed, slow = self.fixed_points, self.slow
        seen = fixed.inside & fixed.isolated
        numbers = {
            **self.behaviour.scalars(),
            "n_fixed_points": float(seen.sum()),
            "n_stable": float((seen & fixed.stable).sum()),
            "n_saddles": float((seen & (fixed.kind == "saddle")).sum()),
            "dimension": float(slow.dimension),
            "spectral_dimension": float(slow.spectral_dimension),
            "tangent_rate": slow.tangent_rate,
            "normal_rate": slow.normal_rate,
            "gap": slow.gap,
            "drift_share": slow.drift_share,
            "extent": slow.extent,
            "stay": slow.stay,
            "stay_noisy": slow.stay_noisy,
            "slow_diffusion": slow.diffusion,
            "loop": slow.topology.loop,
            "second_loop": slow.topology.second_loop,
            "topology_stability": slow.topology.stability,
            "n_cycles": float(len(self.cycles)),
            "period": self.cycles[0].period if self.cycles else float("nan"),
            "largest_exponent": float(self.exponents[0]) if len(self.exponents) else float("nan"),
            "contraction": self.contraction,
            "tangling": self.tangling,
            "escape": self._escaping(),
            "noise_scale": self.noise_scale,
            "rate_error": self.precision.rate_error if self.precision is not None else float("nan"),
        }
        return numbers

    def _escaping(self) -> float:
        left = np.empty(0) if self.escape is None else self.escape.within_trial
        return float(np.median(left)) if len(left) else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """One row a fixed point: type, position, rates, time constant, frequency, inside or extrapolated."""
        fixed = self.fixed_points
        frame = pd.DataFrame(
            {
                "kind": fixed.kind,
                "index": fixed.index,
                "inside": fixed.inside,
                "isolated": fixed.isolated,
                "residual": fixed.residual,
                "growth_rate_hz": fixed.eigenvalues.real.max(1) if len(fixed) else np.empty(0),
                "time_constant_s": fixed.time_constants[:, 0] if len(fixed) else np.empty(0),
                "frequency_hz": fixed.frequencies.max(1) if len(fixed) else np.empty(0),
                "basin_share": self.basin_shares,
            }
        ).rename(columns={"growth_rate_hz": "growth_rate_per_s"})
        for i in range(self.latent_dim):
            frame[f"latent_{i}"] = fixed.points[:, i]
        return frame

    def to_xarray(self) -> xr.Dataset:
        """Everything as a Dataset; variables are named by their place, such as ``fixed_points.points``."""
        return storage.to_dataset(self, _DIMS, self.schema_version)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file (by way of a temporary name)."""
        storage.write(self.to_xarray(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Portrait:
        """Read what `save` wrote.

        Raises
        ------
        RunError
            If the file is damaged, holds something else, or comes from a newer version.
        """
        return storage.from_dataset(storage.read(path, cls.__name__, cls.schema_version), _CLASSES)

    def with_notes(self, *notes: str) -> Portrait:
        """A copy with notes added."""
        return replace(self, notes=(*self.notes, *notes))

    def __str__(self) -> str:
        return "\n".join(_lines(self))


_CLASSES: dict[str, Any] = {
    c.__name__: c
    for c in (
        Portrait, Region, Behaviour, SlowManifold, Topology, FixedPoints, Connections, Cycle, Slowness, Precision,
        Escape,
    )
}  # fmt: skip


def _lines(picture: Portrait) -> list[str]:
    roll, slow, fixed = picture.behaviour, picture.slow, picture.fixed_points
    lines = [f"Portrait of {picture.latent_dim} latents over {picture.horizon:g} s"]
    lines.append(
        f"  after two trial lengths: {roll.n_clusters} group(s) of end points, spread {roll.spread_end:.2f} of the "
        f"data's, moving {roll.travel:.2f} diameters a trial"
    )
    if np.isfinite(roll.switching):
        scale = "" if picture.noise_scale == 1 else f", {picture.noise_scale:.2g} times as strong as fitted,"
        lines.append(f"  noise{scale} moves {roll.switching:.0%} of end points elsewhere within a trial")
    across = f" and {slow.normal_rate:.2g} /s across" if np.isfinite(slow.normal_rate) else ""
    along = f", {slow.tangent_rate:.2g} /s along" if np.isfinite(slow.tangent_rate) else ""
    lines.append(f"  slow set: {slow.topology.name}, dimension {slow.dimension}{along}{across}")
    for i in np.flatnonzero(fixed.isolated)[:12]:
        place = "" if fixed.inside[i] else " (outside the data)"
        rate = fixed.eigenvalues[i, 0].real
        lines.append(
            f"  fixed point: {fixed.kind[i]}{place}, {rate:+.3g} /s, {fixed.frequencies[i].max():.2g} Hz"
        )
    if fixed.isolated.sum() > 12:
        lines.append(f"  and {fixed.isolated.sum() - 12} more fixed points")
    if (~fixed.isolated).any():
        lines.append("  a continuum of fixed points")
    for cycle in picture.cycles:
        word = "stable" if cycle.stable else "unstable"
        lines.append(f"  cycle: {word}, period {cycle.period:.4g} s, {cycle.inside:.0%} inside the data")
    lines += _wells(picture.escape)
    if picture.slowness.cause != "not gated":
        lines.append(f"  slowness: {picture.slowness.cause}")
    lines += [f"  note: {note}" for note in picture.notes]
    return lines


def _wells(out: Escape | None) -> list[str]:
    lines = []
    for k, well in enumerate(out.well) if out is not None else ():
        assert out is not None
        barrier = f"{'' if out.rate[k] else 'above '}{out.barrier[k]:.2g}"
        gone = f"{out.within_trial[k]:.0%} leave within a trial"
        lines.append(f"  well {well + 1}: {gone}, barrier {barrier} in units of the noise")
    return lines
