"""Perturbed trials predicted by a field fitted to unperturbed ones: ALM photoinhibition seen by thalamic units.

Run from the repository's root: ``python -m benchmarks.recordings.perturbed``. Recording: ``alm_delay.nwb`` (DANDI
000009; Guo et al. 2017, Nature 545:181), performed trials of standard timing; in some of them light silences ALM
during the delay (``stim_present``). The field is fitted to unperturbed trials only. What the light does is one
constant drive of the latents, estimated from half of the perturbed trials *while the light is on*; the other half is
predicted, from the state inferred before the light: with the drive and without it; and after the light with the drive
gone (decay or switch, as the field says) or kept. Scores are bits per spike above the field without a push, both
halves together. Null: the same with labels drawn among all trials of both kinds that were not fitted.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.optimize import minimize

import neurognode as ng
from neurognode.dynamics import integrate
from neurognode.dynamics.base import VectorField
from neurognode.interpret.pushes import rates_of
from neurognode.models import LatentDynamics
from neurognode.trials import filled

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NEUROGNODE_DATA", HERE.parents[2] / "shared" / "data"))
BIN, LIGHT_ON, LIGHT_OFF = 0.05, -1.3, 0.0


class Driven(VectorField):
    """A field with a constant drive."""

    def __init__(self, field: Any, drive: torch.Tensor) -> None:
        super().__init__(field.latent_dim)
        self.field, self.drive = field, drive

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """dh/dt."""
        return self.field(h) + self.drive


def load() -> xr.Dataset:
    """Performed trials of standard timing, from 2.6 s before the cue to 1 s after it."""
    recording = ng.open_recording(DATA / "alm_delay.nwb")
    trials = recording.align("cue_start_time", window=(-2.6, 1.0), bin_size=BIN, trials="is_good == 1")
    delay = trials["cue_start_time"].values - trials["start_time"].values
    return trials.isel(trial=np.flatnonzero(np.abs(delay - 3.18) < 0.05))


def path(model: Any, start: np.ndarray, drive: np.ndarray, n_on: int, n_off: int, keep: bool) -> np.ndarray:
    """States (trial, n_on + n_off, N) after the light goes on; afterwards the drive is kept or gone."""
    field = model.field_
    pushed = Driven(field, torch.as_tensor(drive, dtype=torch.float32))
    state, method = torch.as_tensor(start, dtype=torch.float32), model.network_.path.method
    with torch.no_grad():
        during = integrate(pushed, state, torch.arange(n_on + 1) * BIN, method="rk4", backend="plain")[:, 1:]
        then = pushed if keep else field
        options = {"method": "rk4", "backend": "plain"} if keep else {"method": method}
        after = integrate(then, during[:, -1], torch.arange(n_off + 1) * BIN, **options)[:, 1:]
    return torch.cat([during, after], 1).numpy()


def likelihood(rates: np.ndarray, counts: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Poisson log-likelihood of each trial, bits."""
    expected = np.maximum(np.nan_to_num(rates, nan=1e-6, posinf=1e6) * BIN, 1e-9)
    return np.where(mask, counts * np.log(expected) - expected, 0.0).sum((1, 2)) / np.log(2)


def best_drive(model: Any, start: np.ndarray, counts: np.ndarray, mask: np.ndarray, n_on: int) -> np.ndarray:
    """The constant drive (latent units per second) most likely for the spikes while the light is on."""

    def cost(drive: np.ndarray) -> float:
        rates = rates_of(model, path(model, start, drive, n_on, 0, False))
        return -float(likelihood(rates, counts[:, :n_on], mask[:, :n_on]).sum()) + 0.05 * float(
            (drive**2).sum()
        )

    return minimize(
        cost, np.zeros(start.shape[1]), method="Nelder-Mead", options={"maxfev": 60, "xatol": 0.02}
    ).x


def scored(
    model: Any, start: np.ndarray, counts: np.ndarray, mask: np.ndarray, n_on: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Bits per spike above the field without a push, in two-fold cross-prediction, and the drives."""
    n_off = counts.shape[1] - n_on
    half = rng.permutation(len(start)) % 2
    gain, spikes, drives = {"on": 0.0, "after": 0.0, "after_kept": 0.0}, {"on": 0.0, "after": 0.0}, []
    for fold in (0, 1):
        known, new = half != fold, half == fold
        drive = best_drive(model, start[known], counts[known], mask[known], n_on)
        drives.append(drive.tolist())
        ways = {
            "none": path(model, start[new], 0 * drive, n_on, n_off, False),
            "push": path(model, start[new], drive, n_on, n_off, False),
            "kept": path(model, start[new], drive, n_on, n_off, True),
        }
        on, off = slice(0, n_on), slice(n_on, None)
        bits = {
            (way, name): likelihood(rates_of(model, states[:, part]), counts[new][:, part], mask[new][:, part]).sum()
            for way, states in ways.items() for name, part in (("on", on), ("after", off))
        }  # fmt: skip
        gain["on"] += bits["push", "on"] - bits["none", "on"]
        gain["after"] += bits["push", "after"] - bits["none", "after"]
        gain["after_kept"] += bits["kept", "after"] - bits["none", "after"]
        for name, part in (("on", on), ("after", off)):
            spikes[name] += float(np.where(mask[new][:, part], counts[new][:, part], 0).sum())
    return {
        "on": gain["on"] / spikes["on"], "after": gain["after"] / spikes["after"],
        "after_kept": gain["after_kept"] / spikes["after"], "drives": drives,
    }  # fmt: skip


def figure(
    model: Any, trials: xr.Dataset, start: np.ndarray, drive: np.ndarray, n_on: int, target: Path
) -> None:
    """Rates of both kinds of trials in the data, with what the field predicts for the perturbed ones."""
    from matplotlib.figure import Figure as Canvas

    stim = trials["stim_present"].values.astype(bool)
    counts, mask = filled(trials)
    first = round((LIGHT_ON - float(trials["time"].values[0])) / BIN + 0.5)
    n_off = counts.shape[1] - first - n_on
    times = trials["time"].values
    canvas = Canvas(figsize=(7.2, 2.9), layout="constrained")
    shown = [u for u in range(counts.shape[2]) if mask[stim][:, :, u].any()]
    for k, unit in enumerate(shown):
        ax = canvas.add_subplot(1, len(shown), k + 1)
        for rows, colour, name in ((~stim, "#5a6472", "control"), (stim, "#2a6fdb", "light, data")):
            seen = mask[rows][:, :, unit]
            rate = np.where(seen, counts[rows][:, :, unit], 0).sum(0) / np.maximum(seen.sum(0), 1) / BIN
            ax.plot(
                times, np.convolve(rate, np.ones(4) / 4, "same"), color=colour, lw=1.0, alpha=0.7, label=name
            )
        own = mask[stim].any(1)[:, unit]
        for way, style, name in ((drive, "-", "predicted with push"), (0 * drive, ":", "predicted without")):
            rates = rates_of(model, path(model, start[own], way, n_on, n_off, False))[..., unit].mean(0)
            ax.plot(times[first:], rates, style, color="#c2452d", lw=1.6, label=name)
        ax.axvspan(LIGHT_ON, LIGHT_OFF, color="#2a6fdb", alpha=0.08, lw=0)
        ax.set(
            xlabel="time from the cue (s)",
            ylabel="rate (spikes/s)",
            title=f"unit {trials['unit'].values[unit]}",
        )
    canvas.legend(
        *canvas.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False,
        fontsize="small",
    )  # fmt: skip
    canvas.savefig(target, metadata={"Date": None})


def main(steps: int, shuffles: int, seed: int) -> None:
    """Fit, predict, compare with the null, and write ``results/perturbed.json`` and ``perturbed.svg``."""
    torch.set_num_threads(1)
    trials = load()
    stim = trials["stim_present"].values.astype(bool)
    rng = np.random.default_rng(seed)
    control = np.flatnonzero(~stim)
    fitted = np.sort(rng.permutation(control)[: round(0.7 * len(control))])
    kept = np.setdiff1d(np.arange(len(stim)), fitted)
    model = LatentDynamics(2, preset="dynamics", max_steps=steps, progress=False, random_state=seed)
    model.fit(trials.isel(trial=fitted))
    first = round((LIGHT_ON - float(trials["time"].values[0])) / BIN + 0.5)
    n_on = round((LIGHT_OFF - LIGHT_ON) / BIN)
    counts, mask = filled(trials)
    seen = np.flatnonzero(mask[:, first:].any((1, 2)))
    kept = np.intersect1d(kept, seen)
    start = np.full((len(stim), 2), np.nan)
    start[kept] = model.transform(trials.isel(trial=kept, time=slice(0, first))).values[:, -1]
    later, present = counts[:, first:], mask[:, first:]

    def of(rows: np.ndarray) -> dict[str, Any]:
        return scored(model, start[rows], later[rows], present[rows], n_on, np.random.default_rng(seed))

    perturbed = kept[stim[kept]]
    real = of(perturbed)
    null = []
    for _ in range(shuffles):
        drawn = rng.permutation(kept)[: len(perturbed)]
        null.append(of(drawn))
    result = {
        "trials": {"fitted": len(fitted), "perturbed": len(perturbed), "control_kept": len(kept) - len(perturbed)},
        "seed": seed, "steps": steps, "score_fitted": model.score(trials.isel(trial=fitted)),
        "bits_per_spike_above_no_push": real,
        "null": {k: np.percentile([n[k] for n in null], [2.5, 50, 97.5]).tolist() for k in ("on", "after")},
        "p": {k: (1 + sum(n[k] >= real[k] for n in null)) / (1 + shuffles) for k in ("on", "after")},
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "perturbed.json").write_text(json.dumps(result, indent=1) + "\n")
    drive = np.mean(real["drives"], axis=0)
    figure(model, trials.isel(trial=kept), start[perturbed], drive, n_on, results / "perturbed.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--shuffles", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
