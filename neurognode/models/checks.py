"""What is checked before a fit begins, so that every mistake is one sentence and nothing is lost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurognode import trials as schema
from neurognode.errors import listing
from neurognode.models import data, pruning
from neurognode.models.presets import chosen_preset, setting
from neurognode.models.recorded import Recorded

if TYPE_CHECKING:
    from neurognode.models.estimator import LatentDynamics


def check_settings(model: LatentDynamics) -> None:
    """Raise a ValueError that names the first setting that cannot be."""
    chosen_preset(model.preset, model.latent_dim)
    pruning.check_share(model.prune)
    if model.process_noise not in (None, True, False, "anneal"):
        raise ValueError(f"process_noise={model.process_noise!r} must be True, False, 'anneal' or None.")
    for name, least in (
        ("latent_dim", 1),
        ("max_steps", 1),
        ("batch_size", 1),
        ("n_samples", 0),
        ("refine_steps", 0),
        ("refine_draws", 0),
        ("substeps", 1),
        ("devices", 1),
    ):
        value = getattr(model, name)
        if value is not None and (isinstance(value, bool) or int(value) != value or value < least):
            raise ValueError(f"{name}={value!r} must be an integer of at least {least}.")
    for name in ("learning_rate", "max_seconds"):
        value = getattr(model, name)
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value!r} must be a finite number above 0.")
    for name in ("weight_decay", "kl_weight"):
        value = getattr(model, name)
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}={value!r} must be a finite number of at least 0.")
    if not 0 <= model.validation_fraction < 1:
        raise ValueError(f"validation_fraction={model.validation_fraction!r} must be at least 0 and below 1.")
    hide = setting(model, "coordinated_dropout")
    if not 0 <= hide < 1:
        raise ValueError(f"coordinated_dropout={hide!r} must be at least 0 and below 1.")


def check_data(
    model: LatentDynamics, trials: xr.Dataset, recorded: Recorded, *, missing: bool = True
) -> None:
    """Raise a ValueError if there is nothing to fit in the trials of a session; warn of what is kept out."""
    units, active = recorded.units, recorded.active
    if not active.any():
        raise ValueError(
            f"None of the {len(units)} units ever changes in these trials; there is nothing to fit."
        )
    if not (active & recorded.seen).any():
        raise ValueError(
            "None of the units that the encoder may see (encode_units) ever changes in these trials."
        )
    data.warn_silent(units[~active])
    if missing:
        data.warn_missing(trials["unit"].values, schema.not_finite(trials))
    latent_dim = setting(model, "latent_dim")
    if latent_dim > active.sum() and chosen_preset(model.preset, model.latent_dim) != "denoise":
        raise ValueError(
            f"latent_dim={latent_dim} is more than the {int(active.sum())} units that change; "
            "so many latents cannot be told apart. Choose fewer."
        )
    if trials.sizes["time"] < 2:
        raise ValueError(
            f"The window holds one bin of {trials.attrs['bin_size']:g} s; dynamics need at least two. "
            "Use a longer window or a smaller bin_size."
        )


def check_options(made: Callable[..., Any], options: Mapping[str, Any] | None, what: str) -> None:
    """Raise a ValueError that names an option which a class does not take.

    Examples
    --------
    >>> from neurognode.models.checks import check_options
    >>> from neurognode.models.encoders.transformer import TransformerEncoder
    >>> check_options(TransformerEncoder, {"head": 4}, "options")
    Traceback (most recent call last):
    ValueError: options: 'head' is not known. Allowed: 'hidden', 'heads', 'layers', 'dropout'. Did you mean 'heads'?
    """
    parameters = inspect.signature(made).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    allowed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for name in options or {}:
        if name not in allowed:
            raise ValueError(f"{what}: {name!r} is not known. {listing(name, allowed)}")
