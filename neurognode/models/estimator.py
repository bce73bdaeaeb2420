"""`LatentDynamics`: the estimator that turns trials into latents, rates and a field."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from neurognode.errors import one_of
from neurognode.models import archive, verbs
from neurognode.models.adding import add_session
from neurognode.models.fitted_parts import FittedParts
from neurognode.models.fitting import fit_model, train_on
from neurognode.models.intervals import Intervals


class LatentDynamics(Intervals, FittedParts, BaseEstimator):
    """Latent dynamics of a neural population: encoder, initial state, field, readout, likelihood.

    Parameters
    ----------
    latent_dim : int, optional
        Number N of latents; by default 3 in the preset ``"dynamics"`` and 32 in ``"denoise"``.
    preset : {"dynamics", "autonomous", "denoise", "auto"}
        ``"dynamics"``: few latents and process noise, driven by known inputs only; its field is meant to be
        read. ``"autonomous"``: the same, but the noise fades during the fit, so that in the end the field runs
        freely through a whole trial; slow, for nearly noiseless systems. ``"denoise"``: many latents and inferred
        inputs, for the best rates and decoding; close to a nonlinear smoother, and its field must not be read as
        the population's own dynamics. ``"auto"``: ``"dynamics"`` where `latent_dim` is given and at most 8,
        ``"denoise"`` otherwise.
    dynamics : str
        Name of a field in the registry; ``"gnode"``, ``"node"``, a constrained field or a plug-in.
    dynamics_options : dict, optional
        Options of the field, e.g. ``{"hidden": (64, 64), "tau": 0.05}``.
    encoder : {"gru", "causal_gru", "transformer"} or plug-in
        What infers latents from the recording. ``"causal_gru"`` uses no later bins.
    encoder_options : dict, optional
        Options of the encoder, e.g. ``{"hidden": 64}``.
    likelihood : str
        ``"auto"`` (Poisson for counts, Gaussian for calcium and other signals), ``"poisson"``,
        ``"negative_binomial"``, ``"bernoulli"``, ``"gaussian"``, ``"student_t"``, ``"zero_inflated_gamma"``,
        ``"ar1_calcium"`` or a plug-in.
    readout : str
        ``"auto"`` (what the likelihood prefers), ``"exp"``, ``"softplus"``, ``"identity"``, or one of these
        after ``"mlp_"``.
    process_noise : bool or "anneal", optional
        True: a stochastic differential equation with learned noise. False: the field runs freely from the
        first state. ``"anneal"``: train with noise that fades, end with the free run.
    inferred_inputs : int, optional
        Number of inputs inferred from the recording, with an autoregressive prior.
    use_inputs : bool
        Whether the trials' ``inputs`` drive the field.
    session_drift : int
        Number of bases of a slow change of each unit's rate over the session; 0 for none.
    condition : str, optional
        Trial column by whose condition means several sessions are aligned at the start.
    encode_units : sequence of unit ids, optional
        Units the encoder may see; for several sessions, one such sequence each. All units enter the
        likelihood, so that `predict` gives rates of unseen units.
    kl_weight, coordinated_dropout : float, optional
        See `neurognode.models.network.Objective`.
    method : str, optional
        How the field is stepped; see `neurognode.dynamics.integrate`.
    substeps : int
        Steps in a bin.
    max_steps : int, optional
        Optimiser steps.
    max_seconds : float, optional
        Wall-clock limit; results then depend on the machine's speed.
    batch_size, learning_rate, weight_decay : int, float, float
        Of the optimiser, AdamW; None for the preset's rate and decay.
    prune : float
        Share of the flow's weights to remove, with training in between, after the fit; see
        `neurognode.models.prune`. 0 keeps all.
    validation_fraction : float
        Share of the training trials kept back to choose the checkpoint.
    n_samples : int
        Posterior samples behind `transform` and `predict`; 0 follows the path of conditional means.
    refine_steps : int
        Gradient steps by which `transform` and `predict` improve the first state of a free run on the trial at
        hand; 0 trusts the encoder. May be changed after the fit.
    refine_draws : int
        Draws by which `transform` and `predict` find the posterior of that state by importance sampling, around
        the encoder's answer or what `refine_steps` made of it; 100 are enough for three latents. May be changed
        after the fit.
    bin_size : float
        Seconds per bin of bare arrays; `Trials` know their own.
    random_state : int or Generator, optional
        Seed of weights, batches and samples.
    device, precision : str
        As lightning-fabric understands them.
    devices : int
        Processes of this machine that share every batch of a fit to one session, on a CPU core or a GPU each; the
        gradients are those of one process. For batches that keep a core busy; members of an ensemble run side by
        side without.
    progress : bool
        Whether to show a progress bar.
    callbacks : sequence, optional
        Told of every step as ``on_step(step, total, metrics)``; see `neurognode.training.Callback`.
    checkpoint : path, optional
        File kept up to date during training, from which ``resume=True`` goes on.
    checkpoint_seconds : float
        Seconds between two writings of `checkpoint`.
    resume : bool
        Go on from `checkpoint` if it exists.

    Attributes
    ----------
    field_ : VectorField
        The fitted field; its inputs are `input_names_`, then the inferred ones.
    diffusion_ : Diffusion or None
        The fitted process noise.
    readout_ : Readout
        With the exponential link, log rate (spikes/s) of the active units is ``weight h + bias``.
    sessions_ : list of Recorded
        What is remembered of each fitted session: its units, which are active, seen, and their means.
    input_names_ : list of str
        External inputs that drive the field.
    history_ : list of dict
        Step, seconds, loss and validation score at every validation.
    stopped_ : str
        Why training ended: ``"finished"``, ``"time"``, ``"patience"`` or ``"interrupted"``.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models import LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> model.transform(counts).shape, model.predict(counts).shape
    ((20, 30, 2), (20, 30, 8))
    """

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        preset: str = "dynamics",
        dynamics: str = "gnode",
        dynamics_options: Mapping[str, Any] | None = None,
        encoder: str = "gru",
        encoder_options: Mapping[str, Any] | None = None,
        likelihood: str = "auto",
        readout: str = "auto",
        process_noise: bool | str | None = None,
        inferred_inputs: int | None = None,
        use_inputs: bool = True,
        session_drift: int = 0,
        condition: str | None = None,
        encode_units: Sequence[Any] | None = None,
        kl_weight: float | None = None,
        coordinated_dropout: float | None = None,
        method: str | None = None,
        substeps: int = 1,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        batch_size: int = 64,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        prune: float = 0.0,
        validation_fraction: float = 0.15,
        n_samples: int = 16,
        refine_steps: int = 0,
        refine_draws: int = 0,
        bin_size: float = 0.01,
        random_state: int | np.random.Generator | None = None,
        device: str = "auto",
        devices: int = 1,
        precision: str = "32-true",
        progress: bool = True,
        callbacks: Sequence[Callable[..., None]] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_seconds: float = 30.0,
        resume: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.preset = preset
        self.dynamics = dynamics
        self.dynamics_options = dynamics_options
        self.encoder = encoder
        self.encoder_options = encoder_options
        self.likelihood = likelihood
        self.readout = readout
        self.process_noise = process_noise
        self.inferred_inputs = inferred_inputs
        self.use_inputs = use_inputs
        self.session_drift = session_drift
        self.condition = condition
        self.encode_units = encode_units
        self.kl_weight = kl_weight
        self.coordinated_dropout = coordinated_dropout
        self.method = method
        self.substeps = substeps
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.prune = prune
        self.validation_fraction = validation_fraction
        self.n_samples = n_samples
        self.refine_steps = refine_steps
        self.refine_draws = refine_draws
        self.bin_size = bin_size
        self.random_state = random_state
        self.device = device
        self.devices = devices
        self.precision = precision
        self.progress = progress
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.checkpoint_seconds = checkpoint_seconds
        self.resume = resume

    def fit(self, trials: Any, y: None = None) -> LatentDynamics:
        """Fit to trials.

        Parameters
        ----------
        trials : Trials, array (trial, time, unit), list of Trials, or StoredTrials
            What was recorded; bins that were not observed have no influence. A list holds sessions that share
            the dynamics and the encoder, and have their own read-in and readout. `StoredTrials` stay in their
            file, which is read a batch at a time.
        y : None
            Ignored, for scikit-learn.

        Raises
        ------
        ValueError
            If the trials or a setting do not allow a fit; the message says which and why.
        FitError
            If training broke down again and again; the last good weights are kept.
        """
        fit_model(self, trials)
        return self

    def partial_fit(self, trials: Any, y: None = None) -> LatentDynamics:
        """Train on, for another `max_steps`, on more trials of the same units; fit if that has not been done."""
        if not hasattr(self, "network_"):
            return self.fit(trials)
        train_on(self, trials)
        return self

    def add_session(
        self,
        trials: Any,
        *,
        encode_units: Sequence[Any] | None = None,
        like: tuple[Any, int] | None = None,
    ) -> LatentDynamics:
        """Add a recording of other units: its read-in and readout are fitted, dynamics and encoder stay frozen.

        Its number is the number of sessions so far; the verbs take it as ``session=``.

        Parameters
        ----------
        trials : Trials or array
            What was recorded, in bins of the same width.
        encode_units : sequence of unit ids, optional
            Units the encoder may see; all by default.
        like : tuple of Trials and int, optional
            Trials of a fitted session and its number: condition means (see `condition`) of the new session are then
            regressed on those of that session for a start. Without, the start is random.

        Raises
        ------
        ValueError
            If the trials do not fit the model.
        """
        check_is_fitted(self, "network_")
        add_session(self, trials, encode_units, like)
        return self

    def transform(self, trials: Any, *, session: int = 0) -> Any:
        """Posterior mean latents, (trial, time, latent); NaN after the end of a trial.

        Their standard deviation is the coordinate ``std`` of the same shape, if `n_samples` is above 1.

        Parameters
        ----------
        trials : Trials, array, or list of Trials
            A list has one entry for each fitted session and gives a list.
        session : int
            Which of the fitted sessions single trials belong to.
        """
        check_is_fitted(self, "network_")
        return self._each(verbs.transform, trials, session)

    def fit_transform(self, trials: Any, y: None = None) -> Any:
        """Fit, then `transform` the same trials."""
        return self.fit(trials).transform(trials)

    def predict(self, trials: Any, *, session: int = 0) -> Any:
        """Expected rates in spikes/s (counts) or expected signal of every fitted unit, (trial, time, unit).

        NaN after the end of a trial.
        """
        check_is_fitted(self, "network_")
        return self._each(verbs.predict, trials, session)

    def score(self, trials: Any, y: None = None, *, session: int = 0) -> float:
        """Bits per spike above the training mean rates, or R² for other signals; higher is better.

        If `encode_units` left some units unseen, only those are scored (co-smoothing); otherwise the encoder has
        seen what is scored. For a list of sessions, the mean over them.
        """
        check_is_fitted(self, "network_")
        scores = self._each(verbs.score, trials, session)
        return float(np.mean(scores))

    def sample(
        self, trials: Any, n_samples: int = 1, *, what: str = "signal", prior: bool = False, session: int = 0
    ) -> xr.DataArray:
        """Draw from the fitted model, (sample, trial, time, unit or latent).

        Parameters
        ----------
        trials : Trials or array
            Which trials to draw for.
        n_samples : int
            Number of draws.
        what : {"signal", "rates", "latents"}
            What to draw: simulated recordings, the rates behind them, or the latents.
        prior : bool
            True ignores what was recorded and runs the fitted dynamics from the prior of the first state.
        session : int
            Which of the fitted sessions the trials belong to.
        """
        check_is_fitted(self, "network_")
        one_of(what, ("signal", "rates", "latents"), "what")
        return verbs.sample(self, trials, n_samples, what, prior, session)

    def visited(self, trials: Any) -> np.ndarray:
        """States that the trials passed through, (n_states, N)."""
        found = self.transform(trials)
        parts = [one.values for one in (found if isinstance(found, list) else [found])]
        return np.concatenate([states[np.isfinite(states).all(axis=2)] for states in parts])

    def _each(self, verb: Callable[..., Any], trials: Any, session: int) -> Any:
        if not isinstance(trials, list):
            return verb(self, trials, session)
        if len(trials) != len(self.sessions_):
            raise ValueError(
                f"There are {len(trials)} sessions here; the model was fitted to {len(self.sessions_)}."
            )
        return [verb(self, one, index) for index, one in enumerate(trials)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write settings and weights to one safetensors file, or into a folder if `path` has no suffix."""
        check_is_fitted(self, "network_")
        archive.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any:
        """Read what `save` wrote; it gives the same numbers to the last bit.

        Raises
        ------
        RunError
            If the file is missing, damaged, or from a version that cannot be read.
        """
        return archive.load(path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


class LatentGNODE(LatentDynamics):
    """`LatentDynamics` with the gated neural ODE, under the name most people look for.

    Examples
    --------
    >>> from neurognode.models import LatentGNODE
    >>> LatentGNODE(latent_dim=2).dynamics
    'gnode'
    """
