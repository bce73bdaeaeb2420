"""What the field does by itself: everything that the recording says after the first bin is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def free_run(model: Any) -> Iterator[None]:
    """Let `transform`, `predict` and `score` run the field freely from each trial's first state.

    Within the context, states are no longer corrected and inferred inputs are zero, the mean of their prior; the
    first state is still inferred from the whole trial, and external inputs still drive the field. What is lost
    against the full posterior is what a description by autonomous dynamics costs.

    Parameters
    ----------
    model : LatentDynamics or Ensemble
        Fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models import LatentDynamics
    >>> from neurognode.models.free_run import free_run
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> with free_run(model):
    ...     alone = model.transform(counts)
    >>> bool((alone == model.transform(counts)).all())
    False
    """
    networks = [member.network_ for member in getattr(model, "members_", [model])]
    before = [(network.noise_factor, network.input_factor) for network in networks]
    try:
        for network in networks:
            network.noise_factor = network.input_factor = 0.0
        yield
    finally:
        for network, (noise, inputs) in zip(networks, before):
            network.noise_factor, network.input_factor = noise, inputs
