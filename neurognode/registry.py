"""Who can do what: built-ins in one dict per kind, third parties through entry points, one resolver."""

from __future__ import annotations

import functools
import importlib
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from neurognode.errors import one_of

BUILTINS: dict[str, dict[str, str]] = {
    "loaders": {
        "nwb": "neurognode.loaders.formats.nwb:NWB",
        "netcdf": "neurognode.loaders.formats.netcdf:NetCDF",
        "lfads": "neurognode.loaders.formats.lfads:LFADS",
        "nlb": "neurognode.loaders.formats.nlb:NLB",
        "hdf5": "neurognode.loaders.formats.mapped:HDF5",
        "npz": "neurognode.loaders.formats.npz:Npz",
        "nwb_zarr": "neurognode.loaders.formats.zarr:NWBZarr",
        "arrays": "neurognode.loaders.formats.arrays:Arrays",
    },
    "dynamics": {
        "gnode": "neurognode.dynamics.gnode:GNODE",
        "node": "neurognode.dynamics.gnode:NODE",
        "rnn": "neurognode.dynamics.maps:RNN",
        "mgru": "neurognode.dynamics.maps:MGRU",
        "gru": "neurognode.dynamics.maps:GRU",
        "lstm": "neurognode.dynamics.maps:LSTM",
        "line": "neurognode.dynamics.constrained:Line",
        "leaky_line": "neurognode.dynamics.constrained:LeakyLine",
        "unstable_line": "neurognode.dynamics.constrained:UnstableLine",
        "plane": "neurognode.dynamics.constrained:Plane",
        "rotation": "neurognode.dynamics.constrained:Rotation",
        "double_well": "neurognode.dynamics.constrained:DoubleWell",
        "drift_diffusion": "neurognode.dynamics.constrained:DriftDiffusion",
        "ring": "neurognode.dynamics.constrained:Ring",
        "limit_cycle": "neurognode.dynamics.constrained:LimitCycle",
        "line+residual": "neurognode.dynamics.constrained.residual:LineWithResidual",
        "leaky_line+residual": "neurognode.dynamics.constrained.residual:LeakyLineWithResidual",
        "unstable_line+residual": "neurognode.dynamics.constrained.residual:UnstableLineWithResidual",
        "plane+residual": "neurognode.dynamics.constrained.residual:PlaneWithResidual",
        "rotation+residual": "neurognode.dynamics.constrained.residual:RotationWithResidual",
        "double_well+residual": "neurognode.dynamics.constrained.residual:DoubleWellWithResidual",
        "drift_diffusion+residual": "neurognode.dynamics.constrained.residual:DriftDiffusionWithResidual",
        "ring+residual": "neurognode.dynamics.constrained.residual:RingWithResidual",
        "limit_cycle+residual": "neurognode.dynamics.constrained.residual:LimitCycleWithResidual",
    },
    "encoders": {
        "gru": "neurognode.models.encoders.gru:GRUEncoder",
        "causal_gru": "neurognode.models.encoders.gru:CausalGRUEncoder",
        "transformer": "neurognode.models.encoders.transformer:TransformerEncoder",
    },
    "likelihoods": {
        "poisson": "neurognode.models.likelihoods.poisson:Poisson",
        "negative_binomial": "neurognode.models.likelihoods.negative_binomial:NegativeBinomial",
        "bernoulli": "neurognode.models.likelihoods.bernoulli:Bernoulli",
        "gaussian": "neurognode.models.likelihoods.gaussian:Gaussian",
        "student_t": "neurognode.models.likelihoods.student_t:StudentT",
        "zero_inflated_gamma": "neurognode.models.likelihoods.zero_inflated_gamma:ZeroInflatedGamma",
        "ar1_calcium": "neurognode.models.likelihoods.ar1_calcium:AR1Calcium",
    },
    "hypotheses": {
        "ring_attractor": "neurognode.hypotheses.ring_attractor:RingAttractor",
        "line_attractor": "neurognode.hypotheses.line_attractor:LineAttractor",
        "discrete_attractors": "neurognode.hypotheses.discrete_attractors:DiscreteAttractors",
        "saddle_boundary": "neurognode.hypotheses.saddle_boundary:SaddleBoundary",
        "rotation": "neurognode.hypotheses.rotation:Rotation",
        "limit_cycle": "neurognode.hypotheses.limit_cycle:LimitCycle",
        "plane_attractor": "neurognode.hypotheses.plane_attractor:PlaneAttractor",
        "torus_attractor": "neurognode.hypotheses.torus_attractor:TorusAttractor",
        "sequence": "neurognode.hypotheses.sequence:Sequence",
        "drift_diffusion": "neurognode.hypotheses.drift_diffusion:DriftDiffusion",
        "regime_switch": "neurognode.hypotheses.regime_switch:RegimeSwitch",
    },
    "exporters": {
        "nwb": "neurognode.export.nwb:to_nwb",
        "netcdf": "neurognode.export.netcdf:to_netcdf",
        "zarr": "neurognode.export.zarr:to_zarr",
        "lfads_hdf5": "neurognode.export.lfads:to_lfads_hdf5",
    },
}
"""For every kind of plug-in, name -> ``"module:attribute"``; modules are imported when a name is resolved."""


@functools.cache
def _third_party(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"neurognode.{kind}")}


def names(kind: str) -> list[str]:
    """Names of all members of a kind, built-ins first.

    Parameters
    ----------
    kind : str
        One of the keys of `BUILTINS`.

    Examples
    --------
    >>> from neurognode import registry
    >>> "poisson" in registry.names("likelihoods")
    True
    """
    one_of(kind, BUILTINS, "kind")
    return [*BUILTINS[kind], *(n for n in _third_party(kind) if n not in BUILTINS[kind])]


def resolve(kind: str, name: str) -> Any:
    """Import and return one member of a kind.

    Parameters
    ----------
    kind : str
        One of the keys of `BUILTINS`.
    name : str
        A name from `names(kind)`.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    ImportError
        If a plug-in was asked for by name and cannot be imported.

    Examples
    --------
    >>> from neurognode import registry
    >>> registry.resolve("likelihoods", "poisson").__name__
    'Poisson'
    """
    one_of(name, names(kind), kind)
    if name in BUILTINS[kind]:
        module, _, attribute = BUILTINS[kind][name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    point = _third_party(kind)[name]
    try:
        return point.load()
    except Exception as error:
        raise ImportError(f"The plug-in {name!r} ({point.value}) cannot be loaded: {error}") from error


def members(kind: str) -> dict[str, Any]:
    """Every member of a kind that can be loaded; a broken plug-in is reported in a warning and skipped.

    Examples
    --------
    >>> from neurognode import registry
    >>> sorted(registry.members("likelihoods"))[0]
    'ar1_calcium'
    """
    found = {}
    for name in names(kind):
        try:
            found[name] = resolve(kind, name)
        except ImportError as error:
            if name in BUILTINS[kind]:
                raise
            warnings.warn(f"Skipped: {error}", RuntimeWarning, stacklevel=2)
    return found
