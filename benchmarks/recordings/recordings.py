"""The real recordings as trials, with the splits and scores that all methods are compared on.

Every recording is split alike: ``rng = default_rng(0)``; a permutation of the units, of which the first
quarter is held out; then a permutation of the trials, of which the first fifth is for testing. The Lorenz
file keeps its own split.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from neurognode.trials import filled, make_trials

DATA = Path(os.environ.get("NEUROGNODE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@dataclass
class Benchmark:
    """One recording, ready to be fitted and scored."""

    name: str
    train: xr.Dataset
    test: xr.Dataset
    held_out: np.ndarray
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def held_in(self) -> np.ndarray:
        """Ids of the units an encoder may see."""
        return np.setdiff1d(self.train["unit"].values, self.held_out)


def split(name: str, trials: xr.Dataset, **extra: Any) -> Benchmark:
    """The common split."""
    rng = np.random.default_rng(0)
    n_units, n_trials = trials.sizes["unit"], trials.sizes["trial"]
    units = rng.permutation(n_units)[: round(0.25 * n_units)]
    order = rng.permutation(n_trials)
    n_test = round(0.2 * n_trials)
    test, train = np.sort(order[:n_test]), np.sort(order[n_test:])
    held_out = trials["unit"].values[np.sort(units)]
    return Benchmark(
        name, trials.isel(trial=train), trials.isel(trial=test), held_out, {"trials": trials, **extra}
    )


def spike_times(file: h5py.File) -> list[np.ndarray]:
    """Spike times of every unit of an NWB file."""
    ends = file["units/spike_times_index"][()].astype(int)
    return np.split(file["units/spike_times"][()], ends[:-1])


def binned(spikes: list[np.ndarray], starts: np.ndarray, n_bins: int, width: float) -> np.ndarray:
    """Counts (trial, time, unit) in bins of `width` seconds from each of `starts`."""
    counts = np.zeros((len(starts), n_bins, len(spikes)), np.int64)
    for unit, times in enumerate(spikes):
        for trial, start in enumerate(starts):
            low, high = np.searchsorted(times, [start - 1e-9, start + n_bins * width - 1e-9])
            index = np.floor((times[low:high] - start) / width + 1e-6).astype(int)
            np.add.at(counts[trial, :, unit], index[(index >= 0) & (index < n_bins)], 1)
    return counts


def reach_delay() -> Benchmark:
    """Delayed reaches; 20 ms bins over each whole trial, ragged."""
    with h5py.File(DATA / "reach_delay.nwb") as file:
        spikes = spike_times(file)
        start, stop = file["intervals/trials/start_time"][()], file["intervals/trials/stop_time"][()]
        condition = file["intervals/trials/condition"].asstr()[()]
    n_bins = np.floor((stop - start) / 0.02 + 1e-6).astype(int)
    counts = binned(spikes, start, n_bins.max(), 0.02)
    observed = np.arange(n_bins.max()) < n_bins[:, None]
    counts[~observed] = 0
    trials = make_trials(
        counts, bin_size=0.02, observed=observed, absolute_start=start, columns={"condition": condition}
    )
    return split("reach_delay", trials)


def m1_reaching() -> Benchmark:
    """Continuous reaches; 20 bins of 50 ms from 6 bins before movement onset, with hand velocity."""
    with h5py.File(DATA / "m1_reaching.nwb") as file:
        counts = file["processing/ecephys/binned_spikes/data"][()].astype(np.int64)
        times = file["processing/ecephys/binned_spikes/timestamps"][()]
        velocity = file["processing/behavior/hand_velocity_container/hand_velocity/data"][()]
        onset = file["intervals/trials/move_onset_time"][()]
    first = np.array([np.argmin(np.abs(times - t)) for t in onset]) - 6
    index = first[:, None] + np.arange(20)
    keep = (index[:, 0] >= 0) & (index[:, -1] < len(counts))
    index = index[keep]
    trials = make_trials(
        counts[index], bin_size=0.05, start=-0.3, absolute_start=onset[keep], behavior=velocity[index],
        covariate_names=["velocity_x", "velocity_y"],
    )  # fmt: skip
    return split("m1_reaching", trials, velocity=velocity, index=index)


def visual_choice() -> Benchmark:
    """Visual discrimination; 39 bins of 10 ms from stimulus onset; contrasts as inputs."""
    with h5py.File(DATA / "visual_choice_1.nwb") as file:
        spikes = spike_times(file)
        start = file["intervals/trials/start_time"][()]
        contrasts = [file[f"intervals/trials/contrast_{side}"][()] for side in ("left", "right")]
    counts = binned(spikes, start, 39, 0.01)
    inputs = np.repeat(np.stack(contrasts, 1)[:, None, :], 39, 1)
    trials = make_trials(
        counts,
        bin_size=0.01,
        inputs=inputs,
        input_names=["contrast_left", "contrast_right"],
        absolute_start=start,
    )
    return split("visual_choice_1", trials)


def linear_track() -> Benchmark:
    """Rat on a track; windows of 50 bins of 100 ms in which the tracker sees it on the track."""
    line = np.array([[140.0, 142.0], [472.0, 400.0]])
    with h5py.File(DATA / "linear_track.nwb") as file:
        spikes = spike_times(file)
        xy = file["processing/behavior/Position/position/data"][()].astype(float)
        times = file["processing/behavior/Position/position/timestamps"][()]
    along = line[1] - line[0]
    length = np.linalg.norm(along)
    unit = along / length
    offset = xy - line[0]
    place, distance = offset @ unit / length, np.abs(offset @ np.array([-unit[1], unit[0]]))
    starts, positions = [], []
    for start in np.arange(times[0], 5380.0 - 5.0, 5.0):
        inside = (times >= start) & (times < start + 5.0)
        if inside.any() and (distance[inside] < 60).mean() >= 0.8:
            starts.append(start)
            positions.append(np.interp(start + 0.1 * np.arange(50) + 0.05, times[inside], place[inside]))
    counts = binned(spikes, np.array(starts), 50, 0.1)
    trials = make_trials(
        counts, bin_size=0.1, absolute_start=np.array(starts), behavior=np.array(positions)[:, :, None],
        covariate_names=["position"],
    )  # fmt: skip
    return split("linear_track", trials)


def fly_ring() -> Benchmark:
    """Compass neurons of a fly; five runs cut into windows of 8 s, whole runs held out one at a time."""
    with h5py.File(DATA / "fly_ring_bar.nwb") as file:
        signal = file["processing/ophys/DfOverF/dff/data"][()]
        times = file["processing/ophys/DfOverF/dff/timestamps"][()]
        heading = file["processing/behavior/CompassDirection/heading/data"][()]
    step, window = 0.0876, 91
    values, angles, runs, starts = [], [], [], []
    for run in range(5):
        for start in range(17, 750 - window + 1, window):
            index = run * 750 + start + np.arange(window)
            values.append(signal[index])
            angles.append(heading[index])
            runs.append(run)
            starts.append(times[index[0]])
    trials = make_trials(
        np.array(values), bin_size=step, kind="calcium", absolute_start=np.array(starts),
        behavior=np.array(angles)[:, :, None], covariate_names=["heading"], columns={"run": runs},
    )  # fmt: skip
    return split("fly_ring_bar", trials, runs=np.array(runs))


def lorenz() -> Benchmark:
    """Simulated Lorenz system; its own training and validation trials; the truth only for scoring."""
    with h5py.File(DATA / "lfads_lorenz.h5") as file:
        arrays = {key: file[key][()] for key in file if key.startswith(("train_", "valid_"))}
    parts = [
        make_trials(arrays[f"{part}_data"].astype(np.int64), bin_size=0.01) for part in ("train", "valid")
    ]
    held_out = np.sort(np.random.default_rng(0).permutation(60)[:15])
    truth = {
        f"{part}_{what}": arrays[f"{part}_{what}"]
        for part in ("train", "valid")
        for what in ("truth", "lowd")
    }
    return Benchmark("lfads_lorenz", parts[0], parts[1], held_out, truth)


RECORDINGS: dict[str, Callable[[], Benchmark]] = {
    "reach_delay": reach_delay,
    "m1_reaching": m1_reaching,
    "visual_choice_1": visual_choice,
    "linear_track": linear_track,
    "fly_ring_bar": fly_ring,
    "lfads_lorenz": lorenz,
}


def co_smoothing(benchmark: Benchmark, rates: xr.DataArray) -> float:
    """Bits per spike of held-out units on test trials, above their mean rate on training trials."""
    chosen = np.isin(benchmark.test["unit"].values, benchmark.held_out)
    counts, mask = (array[:, :, chosen] for array in filled(benchmark.test))
    seen, seen_mask = (array[:, :, chosen] for array in filled(benchmark.train))
    mean = seen.sum((0, 1)) / seen_mask.sum((0, 1))
    expected = np.where(mask, rates.values[:, :, chosen], 1.0) * float(benchmark.test.attrs["bin_size"])
    return bits_per_spike(expected, counts, mean, mask)


def bits_per_spike(expected: np.ndarray, counts: np.ndarray, mean: np.ndarray, mask: np.ndarray) -> float:
    """Poisson log likelihood above that of the mean count, in bits per spike, pooled over units."""
    expected, mean = np.maximum(expected, 1e-9), np.maximum(mean, 1e-9)
    gain = counts * (np.log(expected) - np.log(mean)) - (expected - mean)
    return float((gain * mask).sum() / ((counts * mask).sum() * np.log(2)))
