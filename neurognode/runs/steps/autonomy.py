"""What autonomy costs: the fit against its own free run, and against one fit of the other preset."""

from __future__ import annotations

import warnings
from typing import Any

import xarray as xr

from neurognode.metrics import mutual_r2
from neurognode.models import LatentDynamics
from neurognode.models.free_run import free_run
from neurognode.models.presets import chosen_preset

KEPT = (
    "encode_units", "likelihood", "readout", "use_inputs", "session_drift", "bin_size", "batch_size", "max_steps",
    "max_seconds", "validation_fraction", "random_state", "device", "precision",
)  # fmt: skip
"""Arguments of a run that the fit of the other preset takes over; the rest is the preset's."""


def autonomy(fits: Any, test: xr.Dataset) -> list[dict[str, Any]]:
    """The score with the field run freely from each trial's first state, beside the fit's own score."""
    preset = preset_of(fits)
    if preset == "autonomous":
        return []
    full = fits.score(test)
    with free_run(fits):
        alone = fits.score(test)
    what = "inferred inputs" if preset == "denoise" else "corrections by the recording"
    note = (
        f"The field runs freely from each trial's first state, without {what}; with them {full:.3f}. The "
        "difference is what autonomous dynamics do not explain, here, with this fit."
    )
    return [{"name": "score of the free run", "value": alone, "note": note}]


def agreed(fits: Any, test: xr.Dataset) -> list[dict[str, Any]]:
    """How well the members' latents follow from one another, which their score does not show."""
    members = getattr(fits, "members_", [])
    if len(members) < 2:
        return []
    note = (
        "affine map between members, mean over pairs. Low where latents are invented: then fewer latents, or more "
        "data, are called for, however good the score; neurognode sweep compares numbers of latents"
    )
    value = mutual_r2([member.transform(test).values for member in members])
    return [{"name": "latents of one member from another's (R²)", "value": value, "note": note}]


def preset_of(fits: Any) -> str:
    """The preset that a model, or an ensemble's model, was fitted with."""
    model = getattr(fits, "model", fits)
    return chosen_preset(model.preset, model.latent_dim)


def other_preset(fits: Any, train: xr.Dataset, test: xr.Dataset) -> dict[str, Any]:
    """Fit the other preset once and score it; a measure for the report.

    Parameters
    ----------
    fits : LatentDynamics or Ensemble
        The run's own fit; its shared arguments (units shown, likelihood, steps, seed ...) are kept.
    train, test : Trials
        Of the run.
    """
    model = getattr(fits, "model", fits)
    name = "dynamics" if preset_of(fits) == "denoise" else "denoise"
    settings = {key: getattr(model, key) for key in KEPT}
    other = LatentDynamics(preset=name, progress=False, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        other.fit(train)
    latents = other.field_.latent_dim
    note = (
        f"One fit with {latents} latents; this run has {fits.score(test):.3f}. "
        + ("Denoise infers inputs and hardly restrains the latents: the gap is what simple dynamics cost."
           if name == "denoise" else "The gap is what few latents without inferred inputs cost.")
    )  # fmt: skip
    return {"name": f"score of the preset {name}", "value": other.score(test), "note": note, "preset": name}
