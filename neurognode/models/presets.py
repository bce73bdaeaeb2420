"""What ``None`` means: the settings of each preset, chosen by kind of data and never by file."""

from __future__ import annotations

from typing import Any

from neurognode.errors import one_of

_FIELD_TO_READ: dict[str, Any] = {
    "latent_dim": 3,
    "process_noise": True,
    "inferred_inputs": 0,
    "kl_weight": 1.0,
    "coordinated_dropout": 0.0,
    "held_out_dropout": 0.0,
    "learning_rate": 5e-3,
    "weight_decay": 1e-4,
    "max_steps": 1500,
    "method": "exponential_euler",
    "anneal": (0.1, 0.45, 0.03),
    "tau_bins": 2.5,
    "hidden": (64, 64),
    "spread": 1.0,
    "encoder": {"hidden": 64, "dropout": 0.1, "block": 0.04},
}
PRESETS: dict[str, dict[str, Any]] = {
    "dynamics": _FIELD_TO_READ,
    "autonomous": {**_FIELD_TO_READ, "process_noise": "anneal", "method": "midpoint", "max_steps": 7000},
    "denoise": {
        "latent_dim": 32,
        "process_noise": False,
        "inferred_inputs": 8,
        "kl_weight": 0.2,
        "coordinated_dropout": 0.3,
        "held_out_dropout": 0.0,
        "learning_rate": 4e-3,
        "weight_decay": 1e-3,
        "max_steps": 500,
        "method": "exponential_euler",
        "anneal": (0.15, 0.6, 0.03),
        "tau_bins": 1.5,
        "hidden": (128,),
        "spread": 1e-3,
        "encoder": {"hidden": 64, "dropout": 0.3},
    },
}
"""For dynamics that will be read (few latents, process noise); the same without noise in the end, run freely for a
whole trial (slow to fit); for the best rates (many latents, inferred inputs).

``tau_bins`` is the time constant in bins; ``block`` how many seconds the encoder averages before its recurrent layer;
``held_out_dropout`` replaces ``coordinated_dropout`` where units are held out from the encoder; ``anneal`` is the
schedule of `neurognode.models.network.Objective` where the process noise is annealed away; ``spread`` that of the
first biases of the field (see `neurognode.dynamics.GNODE`).
"""

SIGNALS: dict[str, Any] = {"max_steps": 500, "skip": True}
"""What differs where the signal is continuous, not counts: it says so much per bin that a fit takes fewer steps, and
latents are read from it best if the encoder passes on what it saw (``skip``)."""

AUTO = "auto"
FEW = 8
"""Up to so many latents, when they are asked for, ``"auto"`` takes them for a portrait."""

LIKELIHOODS = {"counts": "poisson", "calcium": "gaussian", "continuous": "gaussian"}
"""The likelihood of each kind of activity."""


def chosen_preset(preset: str, latent_dim: int | None = None) -> str:
    """The preset that a name stands for: ``"auto"`` is ``"dynamics"`` where few latents are asked for.

    Parameters
    ----------
    preset : str
        Name of a preset, or ``"auto"``.
    latent_dim : int, optional
        Number of latents that was asked for, if any was.

    Raises
    ------
    ValueError
        If there is no such preset.

    Examples
    --------
    >>> from neurognode.models.presets import chosen_preset
    >>> chosen_preset("auto", 3), chosen_preset("auto", None), chosen_preset("autonomous", None)
    ('dynamics', 'denoise', 'autonomous')
    """
    one_of(preset, [*PRESETS, AUTO], "preset")
    if preset != AUTO:
        return preset
    return "dynamics" if latent_dim is not None and latent_dim <= FEW else "denoise"


def setting(model: Any, name: str, given: str | None = None, *, kind: str = "counts") -> Any:
    """An argument of an estimator, or its preset's value where that is None.

    Parameters
    ----------
    model : LatentDynamics
        The estimator, with its arguments as attributes.
    name : str
        Name of the setting in the preset.
    given : str, optional
        Name of the argument that replaces it, if that is another one; ``""`` if none does.
    kind : str
        Activity kind of the trials, by which some settings differ.

    Examples
    --------
    >>> from neurognode.models import LatentDynamics
    >>> from neurognode.models.presets import setting
    >>> setting(LatentDynamics(), "latent_dim"), setting(LatentDynamics(5), "latent_dim")
    (3, 5)
    >>> [setting(LatentDynamics(), "max_steps", kind=kind) for kind in ("counts", "calcium")]
    [1500, 500]
    """
    argument = name if given is None else given
    value = getattr(model, argument) if argument else None
    if value is not None:
        return value
    found = PRESETS[chosen_preset(model.preset, model.latent_dim)][name]
    if kind == "counts":
        return found
    if name == "encoder":
        return {**found, "skip": SIGNALS["skip"]}
    return min(found, SIGNALS["max_steps"]) if name == "max_steps" else found
