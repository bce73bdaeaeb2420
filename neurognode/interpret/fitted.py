"""Portraits of fitted models: what a portrait needs, taken from an estimator and trials."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurognode.interpret.draw import portrait
from neurognode.interpret.portraits import Portrait
from neurognode.models.noise_level import noise_scale, scaled


@dataclass(frozen=True, eq=False)
class Evidence:
    """A fitted field with the data's way through its states.

    Attributes
    ----------
    field : VectorField or Map
    diffusion : module or None
        The fitted process noise.
    trajectories : array (trial, time, N)
        Posterior mean latents; NaN outside trials.
    bin_size, horizon : float
        Seconds; the horizon is the median length of a trial.
    metric : array (N, N) or None
        The readout's shape: distances under it are root mean square log rates over units (or signals).
    inputs : array (trial, time, I) or None
        External inputs, with zeros for inferred ones.
    noise_scale : float
        Factor on the fitted process noise that `diffusion` has.
    """

    field: Any
    diffusion: Any
    trajectories: np.ndarray
    bin_size: float
    horizon: float
    metric: np.ndarray | None
    inputs: np.ndarray | None
    noise_scale: float = 1.0


def readout_metric(readout: Any, dim: int) -> np.ndarray | None:
    """Map (N, N) under which distances are those of the readout's linear part, per unit (root mean square).

    None where the readout has no weights, or does not see some direction.
    """
    weight = getattr(readout, "weight", None)
    if weight is None:
        return None
    matrix = weight.detach().cpu().double().numpy()
    if matrix.shape[1] != dim or len(matrix) < dim:
        return None
    _, size, axes = np.linalg.svd(matrix, full_matrices=False)
    if not size[-1] > 1e-6 * size[0]:
        return None
    return (size[:, None] * axes) / np.sqrt(len(matrix))


def evidence_of(model: Any, trials: Any, *, fast: bool = False) -> Evidence:
    """What a portrait of a fitted `LatentDynamics` needs.

    Parameters
    ----------
    model : LatentDynamics
        Fitted; for an `Ensemble`, give its members one by one.
    trials : Trials or array
        What it was fitted to, or other trials of the same units.
    fast : bool
        Follow the path of conditional means instead of averaging posterior samples.
    """
    if fast:
        model = copy.copy(model)
        model.n_samples = 0
    latents = model.transform(trials)
    field = model.field_
    states = np.asarray(latents.values, float)
    bin_size = float(latents.attrs.get("bin_size", model.bin_size_))
    lengths = np.isfinite(states).all(2).sum(1)
    inputs = None
    if len(model.input_names_) and hasattr(trials, "data_vars") and "inputs" in trials:
        given = trials["inputs"].sel(input=list(model.input_names_)).values.astype(float)
        missing = int(field.input_dim) - given.shape[2]
        inputs = np.pad(np.nan_to_num(given), ((0, 0), (0, 0), (0, max(0, missing))))
    metric = readout_metric(model.readout_, int(field.latent_dim))
    return Evidence(
        field, model.diffusion_, states, bin_size, float(np.median(lengths)) * bin_size, metric, inputs
    )


def with_noise(found: Evidence, factor: float) -> Evidence:
    """The same evidence with the fitted process noise times `factor`."""
    if found.diffusion is None or factor == 1:
        return found
    return replace(found, diffusion=scaled(found.diffusion, factor), noise_scale=factor)


def portrait_from(found: Evidence, **options: Any) -> Portrait:
    """The portrait that evidence gives; options are those of `portrait`."""
    settings = {
        "diffusion": found.diffusion, "horizon": found.horizon, "bin_size": found.bin_size, "metric": found.metric,
    }  # fmt: skip
    picture = portrait(found.field, found.trajectories, **{**settings, **options})
    return replace(picture, noise_scale=found.noise_scale)


def portrait_of(model: Any, trials: Any, **options: Any) -> Portrait:
    """The portrait of a fitted model's field where trials have been.

    Parameters
    ----------
    model : LatentDynamics or Ensemble
        Fitted. Of an ensemble, the reference member is drawn; see `agreement` for what the others say.
    trials : Trials or array
        What was recorded.
    **options
        Passed to `portrait`, such as ``inputs``, ``n_starts``, ``depth``.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import portrait_of
    >>> from neurognode.models import LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> portrait_of(model, counts).latent_dim
    2
    """
    model = getattr(model, "reference", model)
    found = evidence_of(model, trials)
    return portrait_from(with_noise(found, noise_scale(model, trials)), **options)
