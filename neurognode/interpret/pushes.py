"""What a push would do in a fitted model: the predicted response of latents and of every unit's rate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from neurognode.errors import one_of
from neurognode.files import atomic_path
from neurognode.interpret.fitted import Evidence, evidence_of, with_noise
from neurognode.interpret.flow import Flow, as_diffusion
from neurognode.interpret.perturbations import Response, perturb, unit_push
from neurognode.interpret.region import visited_region
from neurognode.models.noise_level import noise_scale

FEWEST = 3


@dataclass(frozen=True, eq=False)
class PushedRates:
    """The predicted response to a push, state by state and unit by unit.

    Attributes
    ----------
    response : Response
        Latents with and without the push, with its decay or switch.
    rates, rates_without : arrays (n, T, U)
        Expected rates in spikes/s (or signals) with and without it.
    units : array (U,)
        Unit ids.
    at : float
        Time of the push in the trial, seconds.
    push : str
        What was pushed, in words.
    """

    response: Response
    rates: np.ndarray
    rates_without: np.ndarray
    units: np.ndarray
    at: float
    push: str

    @property
    def change(self) -> np.ndarray:
        """Mean change of each unit's rate over states, (T, U), spikes/s; diverged states left out."""
        return np.asarray(np.nanmean(self.rates - self.rates_without, axis=0))

    @property
    def kind(self) -> str:
        """ "decays", "switches", "persists" or "mixed": what more than half of the states do."""
        answer = self.response
        kept = 1 - answer.returned - answer.switched
        names = {"decays": answer.returned, "switches": answer.switched, "persists": kept}
        best = max(names, key=lambda name: names[name])
        return best if names[best] > 0.5 else "mixed"

    def to_xarray(self) -> xr.Dataset:
        """Latents, rates and distances as a Dataset over state, time (s from the push), latent and unit."""
        answer = self.response
        latents, rates = ("state", "time", "latent"), ("state", "time", "unit")
        variables = {
            "latents": (latents, answer.pushed), "latents_without": (latents, answer.unpushed),
            "rates": (rates, self.rates), "rates_without": (rates, self.rates_without),
            "distance": (("state", "time"), answer.distance), "half_life": (("state",), answer.half_life),
        }  # fmt: skip
        attrs = {
            "push": self.push, "at": self.at, "kind": self.kind, "returned": answer.returned,
            "switched": answer.switched, "outside": answer.outside,
        }  # fmt: skip
        return xr.Dataset(variables, {"time": answer.times, "unit": self.units}, attrs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file (by way of a temporary name)."""
        with atomic_path(path) as temporary:
            self.to_xarray().to_netcdf(temporary, engine="h5netcdf")

    def __str__(self) -> str:
        peak = np.abs(self.change).max(0)
        most = [f"{self.units[k]} ({peak[k]:.2g})" for k in np.argsort(-peak)[:5]]
        lines = [f"{self.push} at {self.at:g} s: the response {self.kind}", f"  {self.response}"]
        return "\n".join([*lines, f"  largest changes of rate, unit (spikes/s): {', '.join(most)}"])


def push_model(
    model: Any,
    trials: Any,
    *,
    push: str | np.ndarray = "along",
    size: float = 0.1,
    at: float | None = None,
    duration: float | None = None,
    units: Mapping[Any, float] | None = None,
    inputs: np.ndarray | None = None,
    noise: bool = False,
    random_state: int | np.random.Generator | None = 0,
) -> PushedRates:
    """Push a fitted model's states at one time of the trials and predict latents and rates from then on.

    Parameters
    ----------
    model : LatentDynamics or Ensemble
        Fitted; of an ensemble, the reference member is pushed.
    trials : Trials or array
        Where the states come from.
    push : {"along", "across", "random", "units"} or array (N,)
        Along the slowest mode at each state (on the manifold), across it (off the manifold), random, the
        log rates of the named `units` through the readout, or a displacement in latent units.
    size : float
        Length of a named push in diameters of the visited region; for "units" a factor on their changes.
    at : float, optional
        Seconds in the time of the trials; their middle by default.
    duration : float, optional
        Seconds to follow; one trial length by default.
    units : mapping of unit id to float
        For ``push="units"``: change of each log rate (0.7 doubles a rate).
    inputs : array (I,), optional
        Constant input meanwhile; zero by default.
    noise : bool
        Whether the fitted noise acts, the same with and without the push.

    Raises
    ------
    ValueError
        If fewer than three trials reach `at`, or a unit is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.interpret import push_model
    >>> from neurognode.models import LatentDynamics
    >>> counts = np.random.default_rng(0).poisson(0.5, size=(20, 30, 8))
    >>> model = LatentDynamics(latent_dim=2, max_steps=5, progress=False, random_state=0).fit(counts)
    >>> push_model(model, counts, push="units", units={0: 0.7}, size=1.0).rates.shape
    (20, 101, 8)
    """
    model = getattr(model, "reference", model)
    found = evidence_of(model, trials)
    found = with_noise(found, noise_scale(model, trials)) if noise else found
    times = np.asarray(trials["time"].values, float) if isinstance(trials, xr.Dataset) else None
    return push_evidence(
        model, found, times=times, push=push, size=size, at=at, duration=duration, units=units, inputs=inputs,
        noise=noise, random_state=random_state,
    )  # fmt: skip


def push_evidence(
    model: Any,
    found: Evidence,
    *,
    times: np.ndarray | None = None,
    push: str | np.ndarray = "along",
    size: float = 0.1,
    at: float | None = None,
    duration: float | None = None,
    units: Mapping[Any, float] | None = None,
    inputs: np.ndarray | None = None,
    noise: bool = False,
    random_state: int | np.random.Generator | None = 0,
) -> PushedRates:
    """`push_model` where the trials' latents are known already, with the `times` (s) of their bins."""
    flow = Flow(found.field, inputs)
    region = visited_region(found.trajectories, found.metric)
    when = np.arange(found.trajectories.shape[1]) * found.bin_size if times is None else times
    moment = float(when[len(when) // 2]) if at is None else float(at)
    states = _states_at(found, when, moment)
    move = _moved(model, push, units, size)
    answer = perturb(
        flow, region, states, move, found.horizon if duration is None else duration, size=size,
        diffusion=as_diffusion(found.diffusion, flow.dim) if noise else None, random_state=random_state,
    )  # fmt: skip
    rates, without = (rates_of(model, path) for path in (answer.pushed, answer.unpushed))
    return PushedRates(answer, rates, without, np.asarray(model.units_), moment, _words(push, units, size))


def _states_at(found: Evidence, when: np.ndarray, moment: float) -> np.ndarray:
    if not when[0] - found.bin_size <= moment <= when[-1] + found.bin_size:
        raise ValueError(f"at={moment:g} s lies outside the trials, {when[0]:g} to {when[-1]:g} s.")
    states = found.trajectories[:, int(np.argmin(np.abs(when - moment)))]
    states = states[np.isfinite(states).all(1)]
    if len(states) < FEWEST:
        raise ValueError(f"Only {len(states)} trials reach at={moment:g} s; a push needs {FEWEST} or more.")
    return states


def _moved(
    model: Any, push: str | np.ndarray, units: Mapping[Any, float] | None, size: float
) -> str | np.ndarray:
    if not isinstance(push, str):
        return np.asarray(push, float)
    one_of(push, ("along", "across", "random", "units"), "push")
    if push != "units":
        return push
    if not units:
        raise ValueError('push="units" needs units={id: change of the log rate, ...}.')
    weight = getattr(model.readout_, "weight", None)
    if weight is None:
        raise ValueError(f"The readout {type(model.readout_).__name__} has no weights to push units through.")
    ids = [str(u) for u in np.asarray(model.units_)[model.active_]]
    change = np.zeros(len(ids))
    for name, value in units.items():
        one_of(str(name), ids, "units")
        change[ids.index(str(name))] = value * size
    return unit_push(weight.detach().cpu().double().numpy(), change)


def _words(push: str | np.ndarray, units: Mapping[Any, float] | None, size: float) -> str:
    if not isinstance(push, str):
        return "Push by a given displacement"
    if push == "units" and units:
        return "Push of units " + ", ".join(f"{name} ({value * size:+g})" for name, value in units.items())
    return f"Push of {size:g} diameters, {push}"


@torch.no_grad()
def rates_of(model: Any, states: np.ndarray) -> np.ndarray:
    """Expected rates in spikes/s (or signals) of every fitted unit at states (..., N), (..., U)."""
    network = model.network_
    like = next(network.parameters())
    expected = network.likelihood.expected(network.location(torch.as_tensor(states).to(like))).cpu().numpy()
    full = np.broadcast_to(model.mean_, (*states.shape[:-1], len(model.mean_))).astype(float)
    full[..., model.active_] = expected
    return full / (float(model.bin_size_) if model.activity_kind_ == "counts" else 1.0)
