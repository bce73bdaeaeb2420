"""`Ensemble`: several fits of one model, with the estimator's verbs and a spread on every answer."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from neurognode.dynamics import Diffusion, VectorField
from neurognode.errors import FitError
from neurognode.models import archive, parallel, verbs
from neurognode.models.alignment import Affine, align
from neurognode.models.data import as_trials, said_once
from neurognode.models.estimator import LatentDynamics
from neurognode.models.fitting import can_fit_together, fit_together
from neurognode.models.intervals import Intervals, bounds, moved_field
from neurognode.models.readouts import Readout
from neurognode.models.stored import StoredTrials
from neurognode.training.randomness import as_seed, stream


class Ensemble(Intervals, BaseEstimator):
    """Fits of one model that differ in seed: first weights, batches, and which trials choose the checkpoint.

    Parameters
    ----------
    model : LatentDynamics
        What to fit; it is cloned and not changed.
    n_members : int
        Number K of fits.
    random_state : int or Generator, optional
        Seed from which the members' seeds are drawn; by default the model's own.
    n_jobs : int, optional
        Processes that fit members at the same time; -1 for one per core. Starting a process takes seconds, so this
        pays for fits of a minute or more. Members that a process has to fit are trained together, along the population
        axis of the kernels, where `can_fit_together` says so, and else in turn.

    Attributes
    ----------
    members_ : list of LatentDynamics
        The fitted members.
    reference_ : int
        Member with the best validation score, in whose latent space `transform` answers.
    alignments_ : list of Affine
        Map from each member's latents to those of the reference member, by least squares on the training
        trials.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.models import Ensemble, LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=3, progress=False, random_state=0)
    >>> fits = Ensemble(model, n_members=2).fit(counts)
    >>> fits.transform(counts).shape, fits.transform(counts, members=True).shape
    ((20, 30, 2), (2, 20, 30, 2))
    """

    def __init__(
        self,
        model: LatentDynamics,
        n_members: int = 5,
        *,
        random_state: int | np.random.Generator | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.model = model
        self.n_members = n_members
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, trials: Any, y: None = None) -> Ensemble:
        """Fit every member; after Ctrl-C the members fitted so far are kept."""
        if isinstance(self.n_members, bool) or int(self.n_members) != self.n_members or self.n_members < 1:
            raise ValueError(f"n_members={self.n_members!r} must be an integer of at least 1.")
        if self.model.devices > 1 and self.n_members > 1:
            raise ValueError(
                f"devices={self.model.devices} shares one fit among processes; the members of an ensemble run side by "
                f"side: use devices=1 and n_jobs={self.model.devices} (--jobs at the command line)."
            )
        seed = as_seed(self.model.random_state if self.random_state is None else self.random_state)
        members = [self._member(index, seed) for index in range(self.n_members)]
        n_jobs = effective_jobs(self.n_jobs, self.n_members)
        if n_jobs > 1 and parallel.can_fit(members, trials):
            labels = [member._label for member in members]
            fitted = parallel.fit_members(members, trials, n_jobs, labels)
        elif len(members) > 1 and can_fit_together(members, trials):
            fitted = self._together(members, trials)
        else:
            fitted = _in_turn(members, trials)
        self._settle(fitted, trials)
        return self

    def _member(self, index: int, seed: int) -> LatentDynamics:
        member = clone(self.model).set_params(random_state=stream(seed, 8, index) % 2**31)
        member._label = f"member {index + 1}/{self.n_members}"
        if member.checkpoint is not None:
            member.checkpoint = f"{os.fspath(member.checkpoint)}.{index}"
        return member

    def _together(self, members: list[LatentDynamics], trials: Any) -> list[LatentDynamics]:
        """Train all members in this process at once; one checkpoint and one progress bar for all."""
        bar = members[0].progress
        for index, member in enumerate(members):
            member._label = f"{len(members)} members"
            member.set_params(checkpoint=self.model.checkpoint, progress=bool(bar and index == 0))
        problems = fit_together(members, trials)
        for member in members:
            member.set_params(progress=bar)
        if any(problems):
            raise FitError(next(problem for problem in problems if problem))
        return members

    def _settle(self, members: list[LatentDynamics], trials: Any) -> None:
        scores = np.array([member.validation_score_ for member in members])
        reference = int(np.nanargmax(scores)) if np.isfinite(scores).any() else 0
        if isinstance(trials, StoredTrials):
            trials = next(trials.pieces())
        states = [member.visited(trials) for member in members]
        self.members_, self.reference_ = members, reference
        self.alignments_ = [align(own, states[reference]) for own in states]

    def transform(self, trials: Any, *, members: bool = False, session: int = 0) -> Any:
        """Latents in the space of the reference member, (trial, time, latent), averaged over members.

        The coordinate ``std`` holds their standard deviation over members. With ``members=True`` the first
        axis is the member and nothing is averaged. Sessions are handled as in `LatentDynamics.transform`.
        """
        check_is_fitted(self, "members_")
        if isinstance(trials, list):
            return [self.transform(one, members=members, session=k) for k, one in enumerate(trials)]
        aligned = []
        for member, move in zip(self.members_, self.alignments_):
            own = member.transform(trials, session=session).drop_vars("std", errors="ignore")
            aligned.append(own.copy(data=move(own.values)))
        return _combined(aligned, members)

    def fit_transform(self, trials: Any, y: None = None) -> Any:
        """Fit, then `transform` the same trials."""
        return self.fit(trials).transform(trials)

    def predict(self, trials: Any, *, members: bool = False, session: int = 0) -> Any:
        """Expected rates or signal, averaged over members; `std` and `members` as in `transform`."""
        check_is_fitted(self, "members_")
        if isinstance(trials, list):
            return [self.predict(one, members=members, session=k) for k, one in enumerate(trials)]
        return _combined([member.predict(trials, session=session) for member in self.members_], members)

    def score(self, trials: Any, y: None = None, *, session: int = 0) -> float:
        """Score of the averaged rates; see `LatentDynamics.score`."""
        check_is_fitted(self, "members_")
        if isinstance(trials, list):
            return float(np.mean([self.score(one, session=k) for k, one in enumerate(trials)]))
        member = self.members_[0]
        checked = as_trials(trials, member.bin_size_, member.activity_kind_)
        return verbs.score_rates(member, checked, self.predict(trials, session=session).values, session)

    def sample(
        self, trials: Any, n_samples: int = 1, *, what: str = "signal", prior: bool = False, session: int = 0
    ) -> xr.DataArray:
        """Draws from the members in turn, (sample, trial, time, unit or latent); latents are aligned."""
        check_is_fitted(self, "members_")
        k = len(self.members_)
        shares = [n_samples // k + (index < n_samples % k) for index in range(k)]
        drawn = []
        for member, move, share in zip(self.members_, self.alignments_, shares):
            if share:
                own = member.sample(trials, share, what=what, prior=prior, session=session)
                drawn.append(own.copy(data=move(own.values)) if what == "latents" else own)
        return xr.concat(drawn, "sample")

    def visited(self, trials: Any) -> np.ndarray:
        """States that the reference member passed through, (n_states, N)."""
        check_is_fitted(self, "members_")
        return self.reference.visited(trials)

    def flow(self, states: np.ndarray, level: float = 0.9) -> xr.Dataset:
        """The members' mean field at states of the reference member's space, with an interval over members.

        Parameters
        ----------
        states : array, (n, N)
            Where.
        level : float
            Share of the members inside the interval.

        Returns
        -------
        Dataset
            ``flow`` (state, latent) and ``interval`` (bound, state, latent), in latent units per second, without
            external inputs.
        """
        check_is_fitted(self, "members_")
        states = np.asarray(states, float)
        each = [
            moved_field(member.field_, move.linear, move.offset, states)
            for member, move in zip(self.members_, self.alignments_)
        ]
        drawn = xr.DataArray(np.stack(each), dims=("member", "state", "latent"), name="flow")
        between = bounds(drawn, "member", level)
        return xr.Dataset({"flow": drawn.mean("member"), "interval": between})

    @property
    def reference(self) -> LatentDynamics:
        """The member in whose latent space the ensemble answers."""
        check_is_fitted(self, "members_")
        return self.members_[self.reference_]

    @property
    def field_(self) -> VectorField:
        """The field of the reference member."""
        return self.reference.field_

    @property
    def diffusion_(self) -> Diffusion | None:
        """The process noise of the reference member."""
        return self.reference.diffusion_

    @property
    def readout_(self) -> Readout:
        """The readout of the reference member."""
        return self.reference.readout_

    @property
    def history_(self) -> list[dict[str, float]]:
        """The members' histories one after another, each entry with its ``member``."""
        check_is_fitted(self, "members_")
        return [{"member": k, **entry} for k, member in enumerate(self.members_) for entry in member.history_]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all members to one safetensors file, or into the folder `path` if it has no suffix."""
        check_is_fitted(self, "members_")
        archive.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any:
        """Read what `save` wrote."""
        return archive.load(path)

    def describe(self) -> dict[str, Any]:
        """What `restore` needs beside the members."""
        return {
            "settings": archive.plain(self.model.get_params(deep=False)),
            "class": type(self.model).__name__,
            "n_members": self.n_members,
            "reference": self.reference_,
        }

    @classmethod
    def restore(
        cls, members: list[LatentDynamics], described: dict[str, Any], matrices: list[np.ndarray]
    ) -> Ensemble:
        """An ensemble from fitted members."""
        model = type(members[0])(**described["settings"])
        ensemble = cls(model, described["n_members"])
        ensemble.members_, ensemble.reference_ = members, described["reference"]
        ensemble.alignments_ = [Affine.from_matrix(matrix) for matrix in matrices]
        return ensemble

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "members_")


def _combined(arrays: list[xr.DataArray], members: bool) -> xr.DataArray:
    stack = np.stack([array.values for array in arrays])
    first = arrays[0]
    if members:
        coords = {**first.coords, "member": np.arange(len(arrays))}
        return xr.DataArray(
            stack, dims=("member", *first.dims), coords=coords, name=first.name, attrs=first.attrs
        )
    spread = stack.std(0, ddof=1) if len(arrays) > 1 else np.zeros_like(stack[0])
    return first.copy(data=stack.mean(0)).assign_coords(std=(first.dims, spread))


def _in_turn(members: list[LatentDynamics], trials: Any) -> list[LatentDynamics]:
    fitted: list[LatentDynamics] = []
    for member in members:
        with said_once(bool(fitted)):
            member.fit(trials)
        fitted.append(member)
        if member.stopped_ == "interrupted":
            break
    return fitted


def effective_jobs(n_jobs: int | None, n_members: int) -> int:
    """Processes to use: `n_jobs`, or one per core for -1, but no more than there are members.

    Examples
    --------
    >>> from neurognode.models.ensemble import effective_jobs
    >>> effective_jobs(None, 5), effective_jobs(8, 5)
    (1, 5)
    """
    if n_jobs is not None and (
        isinstance(n_jobs, bool) or int(n_jobs) != n_jobs or n_jobs == 0 or n_jobs < -1
    ):
        raise ValueError(f"n_jobs={n_jobs!r} must be None, -1, or an integer of at least 1.")
    wanted = 1 if n_jobs is None else (os.cpu_count() or 1) if n_jobs == -1 else n_jobs
    return max(1, min(wanted, n_members))
