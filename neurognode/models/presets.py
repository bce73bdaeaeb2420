"""What ``None`` means: the settings of each preset, chosen by kind of data and never by file."""

from __future__ import annotations

from typing import Any

from neurognode.errors import one_of

PRESETS: dict[str, dict[str, Any]] = {
    "dynamics": {
        "latent_dim": 3,
        "process_noise": True,
        "inferred_inputs": 0,
        "kl_weight": 1.0,
        "coordinated_dropout": 0.0,
        "held_out_dropout": 0.0,
        "learning_rate": 5e-3,
        "weight_decay": 1e-4,
        "max_steps": 1500,
        "tau_bins": 2.5,
        "hidden": (64, 64),
        "encoder": {"hidden": 64, "dropout": 0.1, "block": 0.04},
    },
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
        "tau_bins": 1.5,
        "hidden": (128,),
        "encoder": {"hidden": 64, "dropout": 0.3},
    },
}
"""For dynamics that will be read (few latents, process noise); for the best rates (many, inferred inputs).

``tau_bins`` is the time constant in bins; ``block`` how many seconds the encoder averages before its recurrent layer;
``held_out_dropout`` replaces ``coordinated_dropout`` where units are held out from the encoder.
"""

LIKELIHOODS = {"counts": "poisson", "calcium": "gaussian", "continuous": "gaussian"}
"""The likelihood of each kind of activity."""


def setting(preset: str, name: str, given: Any = None) -> Any:
    """What was given, or the preset's value where that is None.

    Examples
    --------
    >>> from neurognode.models.presets import setting
    >>> setting("dynamics", "latent_dim"), setting("dynamics", "latent_dim", 5)
    (3, 5)
    """
    one_of(preset, PRESETS, "preset")
    return PRESETS[preset][name] if given is None else given
