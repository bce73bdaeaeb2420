"""Which share of the latents reaches the rates: cycle consistency."""

from __future__ import annotations

import numpy as np

from neurognode.metrics.explained import affine_map, r2


def cycle_consistency(
    latents: np.ndarray,
    log_rates: np.ndarray,
    *,
    train: tuple[np.ndarray, np.ndarray] | None = None,
    threshold: float = 0.01,
) -> float:
    """Share of the latents' variance that survives the way to the log rates and back.

    Latents are mapped to log rates by least squares; a pseudo-inverse that keeps singular directions up to
    ``1 - threshold`` of the squared energy maps those back [1]_. A latent dimension that no unit reads is
    lost on the way.

    Parameters
    ----------
    latents : array (..., N)
    log_rates : array (..., unit)
    train : (latents, log_rates), optional
        What the map is fitted on; by default the data that are scored.
    threshold : float
        Share of the energy that is dropped.

    Returns
    -------
    float
        Variance weighted R2; 1 if every latent direction reaches the rates.

    References
    ----------
    .. [1] Versteeg et al., "Computation-through-Dynamics Benchmark", 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.metrics import cycle_consistency
    >>> rng = np.random.default_rng(0)
    >>> latents = rng.normal(size=(500, 4))
    >>> readout = rng.normal(size=(4, 20)) * np.array([[1], [1], [1], [0.001]])   # the last is hardly read
    >>> 0.7 < cycle_consistency(latents, latents @ readout) < 0.8
    True
    """
    fitted = train or (latents, log_rates)
    matrix, offset = affine_map(*fitted)
    source = np.asarray(fitted[0], float).reshape(-1, np.shape(latents)[-1])
    centre = np.nanmean(source, axis=0)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    energy = np.cumsum(values**2) / np.sum(values**2)
    keep = np.arange(len(values)) <= np.searchsorted(energy, 1 - threshold)
    inverse = (right[keep].T / values[keep]) @ left[:, keep].T
    rates = np.asarray(latents, float) @ matrix + offset
    back = (rates - (centre @ matrix + offset)) @ inverse + centre
    return r2(latents, back)
