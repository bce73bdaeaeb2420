"""A recording of a known circuit: Poisson units that read its state, trials laid out in a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurognode.errors import one_of
from neurognode.synthetic.circuits.base import Circuit, RandomState, Simulation
from neurognode.synthetic.circuits.embed import embed
from neurognode.trials import make_trials

if TYPE_CHECKING:
    import xarray as xr

LINKS = ("exp", "softplus")


@dataclass(frozen=True, eq=False)
class SimulatedRecording:
    """Spikes of units that read the state of a circuit, with the truth beside them.

    Attributes
    ----------
    circuit : Circuit
        The circuit in the coordinates of `latents` (embedded, see `circuits.embed`).
    simulation : Simulation
        Latents and inputs on the fine grid.
    spike_times : list of arrays
        One sorted array per unit, in seconds of the session's clock.
    table : dict of name to array of shape (trial,)
        ``start_time``, ``stop_time``, event times in seconds of the session's clock, conditions, labels.
    weights : array of shape (unit, latent)
        Of the readout: log rate = weights h + bias for ``link="exp"``.
    bias : array of shape (unit,)
    link : str
        ``exp`` or ``softplus``.
    recorded : bool array of shape (trial, unit)
        False where a unit was not recorded.
    """

    circuit: Circuit
    simulation: Simulation
    spike_times: list[np.ndarray]
    table: dict[str, np.ndarray]
    weights: np.ndarray
    bias: np.ndarray
    link: str
    recorded: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """Fine time grid of a trial, in seconds from its start."""
        return self.simulation.times

    @property
    def latents(self) -> np.ndarray:
        """True states, shape (trial, fine time, latent)."""
        return self.simulation.latents

    @property
    def rates(self) -> np.ndarray:
        """True rates in spikes/s, shape (trial, fine time, unit)."""
        return apply_link(self.latents @ self.weights.T + self.bias, self.link)

    @property
    def lengths(self) -> np.ndarray:
        """Length of each trial in seconds, shape (trial,)."""
        return self.table["stop_time"] - self.table["start_time"]

    def trials(self, bin_size: float = 0.02, *, inputs: bool = True) -> xr.Dataset:
        """Bin the spikes of every trial from its start.

        Parameters
        ----------
        bin_size : float
            Seconds.
        inputs : bool
            Include the external input, averaged over each bin, where the circuit has one.

        Returns
        -------
        xarray.Dataset
            `Trials` with every trial column, ``observed`` False after the end of shorter trials and where
            a unit was not recorded.

        Examples
        --------
        >>> from neurognode.synthetic import circuits, simulate_recording
        >>> recording = simulate_recording(circuits.make("ring"), n_units=10, n_trials=4)
        >>> dict(recording.trials(0.02).sizes)
        {'trial': 4, 'time': 80, 'unit': 10, 'input': 1}
        """
        start = self.table["start_time"]
        n_bins = int(self.lengths.max() / bin_size + 1e-6)
        counts = np.stack([_count(s, start, n_bins, bin_size) for s in self.spike_times], axis=2)
        ends = (np.arange(n_bins) + 1) * bin_size
        observed = (ends <= self.lengths[:, None] + 1e-6)[:, :, None] & self.recorded[:, None, :]
        drive = self.simulation.inputs
        return make_trials(
            np.where(observed, counts, 0),
            bin_size=bin_size,
            observed=None if observed.all() else observed,
            inputs=self._binned(drive, bin_size, n_bins) if inputs and drive is not None else None,
            absolute_start=start,
            columns=self.table,
            attrs={"event": "start_time", "source": f"simulated circuit {self.circuit.name}"},
        )

    def truth(self, bin_size: float = 0.02) -> xr.Dataset:
        """True latents and rates (spikes/s) averaged over the bins of `trials`.

        Returns
        -------
        xarray.Dataset
            ``latents (trial, time, latent)`` and ``rates (trial, time, unit)``.

        Examples
        --------
        >>> from neurognode.synthetic import circuits, simulate_recording
        >>> recording = simulate_recording(circuits.make("ring"), n_units=10, n_trials=4)
        >>> recording.truth(0.1).latents.shape
        (4, 16, 3)
        """
        import xarray as xr

        n_bins = int(self.lengths.max() / bin_size + 1e-6)
        return xr.Dataset(
            {
                "latents": (("trial", "time", "latent"), self._binned(self.latents, bin_size, n_bins)),
                "rates": (("trial", "time", "unit"), self._binned(self.rates, bin_size, n_bins)),
            },
            {"time": np.arange(n_bins) * bin_size},
            {"bin_size": bin_size},
        )

    def to_nwb(self, path: str | Path) -> Path:
        """Write the recording as an NWB file; see `neurognode.synthetic.nwb.write_nwb`."""
        from neurognode.synthetic.nwb import write_nwb

        return write_nwb(self, path)

    def _binned(self, values: np.ndarray, bin_size: float, n_bins: int) -> np.ndarray:
        edges = np.round(np.arange(n_bins + 1) * bin_size / (self.times[1] - self.times[0])).astype(int)
        total = np.add.reduceat(values[:, : edges[-1]], edges[:-1], axis=1)
        return total / np.diff(edges)[:, None]

    def __repr__(self) -> str:
        n_spikes = sum(map(len, self.spike_times))
        return (
            f"SimulatedRecording of {self.circuit.name!r}: {len(self.spike_times)} units, "
            f"{len(self.lengths)} trials, {n_spikes} spikes"
        )


def simulate_recording(
    circuit: Circuit,
    *,
    n_units: int = 60,
    n_trials: int = 200,
    mean_rate: float = 7.5,
    modulation: tuple[float, float] = (0.5, 1.2),
    link: str = "exp",
    embed_dim: int | None = 3,
    dt: float = 0.002,
    uneven: float = 0.0,
    missing: float = 0.0,
    gap: tuple[float, float] = (0.5, 1.5),
    random_state: RandomState = 0,
) -> SimulatedRecording:
    """Simulate trials of a circuit and Poisson spikes of units that read its state.

    Parameters
    ----------
    circuit : Circuit
    n_units, n_trials : int
    mean_rate : float
        Mean over units, spikes/s; single units are spread about it (log-normally, standard deviation 0.4).
    modulation : (float, float)
        Range of the size of the units' tuning: standard deviation of the log rate along a direction in
        which the state moves as much as it does on average.
    link : {"exp", "softplus"}
        From ``weights h + bias`` to the rate.
    embed_dim : int or None
        Dimension of the state space the circuit is put into (`circuits.embed`); None leaves it as it is.
    dt : float
        Fine step in seconds.
    uneven : float
        Trials are shortened at random by up to this share of their length.
    missing : float
        Share of the units that were recorded only in a random half of the session.
    gap : (float, float)
        Range of the pause between trials, seconds.
    random_state : int, Generator or None

    Returns
    -------
    SimulatedRecording

    Examples
    --------
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> simulate_recording(circuits.make("bistable"), n_units=20, n_trials=30)  # doctest: +ELLIPSIS
    SimulatedRecording of 'bistable': 20 units, 30 trials, ... spikes
    """
    one_of(link, LINKS, "link")
    rng = np.random.default_rng(random_state)
    native_dim = circuit.latent_dim
    if embed_dim is not None:
        circuit = embed(circuit, embed_dim, random_state=rng)
    simulation = circuit.simulate(n_trials, dt=dt, random_state=rng)
    weights, bias = _tuning(
        circuit, simulation.latents, native_dim, n_units, mean_rate, modulation, link, rng
    )
    steps = len(simulation.times) - 1
    kept = np.round(steps * (1 - uneven * rng.uniform(size=n_trials))).astype(int)
    start = 5.0 + np.cumsum(rng.uniform(*gap, n_trials) + np.append(0, kept[:-1] * dt))
    recorded = _recorded(n_trials, n_units, missing, rng)
    columns = {
        name: start + value if name.endswith("_time") else value for name, value in simulation.columns.items()
    }
    recording = SimulatedRecording(
        circuit=circuit,
        simulation=simulation,
        spike_times=[],
        table={"start_time": start, "stop_time": start + kept * dt, **columns},
        weights=weights,
        bias=bias,
        link=link,
        recorded=recorded,
    )
    return replace(recording, spike_times=_spikes(recording, kept, rng))


def apply_link(drive: np.ndarray, link: str) -> np.ndarray:
    """Rate in spikes/s from the output of the readout."""
    return np.exp(drive) if link == "exp" else np.logaddexp(0, drive)


def _tuning(
    circuit: Circuit,
    latents: np.ndarray,
    native_dim: int,
    n_units: int,
    mean_rate: float,
    modulation: tuple[float, float],
    link: str,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Directions uniform in the circuit's own coordinates: added ones weigh as little as they move."""
    matrix = np.asarray(circuit.parameters.get("matrix", np.eye(circuit.latent_dim)))
    pooled = latents.reshape(-1, latents.shape[-1])
    native = (pooled - pooled.mean(0)) @ np.linalg.inv(matrix).T
    scale = np.sqrt(native[:, :native_dim].var(axis=0).mean())
    direction = rng.standard_normal((n_units, len(matrix)))
    direction /= np.linalg.norm(direction[:, :native_dim], axis=1, keepdims=True) / np.sqrt(native_dim)
    direction[:, native_dim:] = np.clip(direction[:, native_dim:], -1.5, 1.5)
    own = direction * rng.uniform(*modulation, (n_units, 1)) / scale
    wanted = mean_rate * np.exp(0.4 * rng.standard_normal(n_units) - 0.08)
    weights = own @ np.linalg.inv(matrix)
    if link == "softplus":
        weights = weights * wanted[:, None]
    sample = pooled[:: max(1, len(pooled) // 4000)] @ weights.T
    return weights, _bias(sample, wanted, link)


def _bias(drive: np.ndarray, wanted: np.ndarray, link: str) -> np.ndarray:
    """The bias for which each unit has its wanted mean rate, by bisection (closed form for exp)."""
    if link == "exp":
        return np.log(wanted) - np.log(np.exp(drive).mean(axis=0))
    low, high = wanted - drive.max(axis=0) - 50, wanted - drive.min(axis=0)
    for _ in range(80):
        middle = (low + high) / 2
        over = apply_link(drive + middle, link).mean(axis=0) > wanted
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return (low + high) / 2


def _recorded(n_trials: int, n_units: int, missing: float, rng: np.random.Generator) -> np.ndarray:
    recorded = np.ones((n_trials, n_units), bool)
    half = max(1, n_trials // 2)
    for unit in rng.permutation(n_units)[: round(missing * n_units)]:
        first = rng.integers(0, n_trials - half + 1)
        recorded[:, unit] = False
        recorded[first : first + half, unit] = True
    return recorded


def _spikes(recording: SimulatedRecording, kept: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Poisson counts on the fine grid, each spike placed uniformly in its step."""
    times, start = recording.times, recording.table["start_time"]
    dt = times[1] - times[0]
    alive = np.arange(len(times) - 1) < kept[:, None]
    spikes = []
    for unit, (weights, bias) in enumerate(zip(recording.weights, recording.bias)):
        rate = apply_link(recording.latents @ weights + bias, recording.link)
        expected = dt * (rate[:, :-1] + rate[:, 1:]) / 2
        counts = rng.poisson(expected * (alive & recording.recorded[:, unit, None]))
        trial, step = np.nonzero(counts)
        many = counts[trial, step]
        left = np.repeat(start[trial] + times[step], many)
        spikes.append(np.sort(left + dt * rng.uniform(size=len(left))))
    return spikes


def _count(spikes: np.ndarray, start: np.ndarray, n_bins: int, bin_size: float) -> np.ndarray:
    """Spikes in `n_bins` bins from each start, shape (trial, time)."""
    edges = start[:, None] + bin_size * np.arange(n_bins + 1)
    return np.diff(np.searchsorted(spikes, edges), axis=1)
