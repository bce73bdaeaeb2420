"""From spikes of a trained task network back to the set that it remembers, by the estimator that labs use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.paper import attractors, beyond
from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.interpret import portrait_of
from neurognode.models import LatentGNODE
from neurognode.trials import make_trials

TASKS = ("ring", "square", "fixed_2bit")
N_UNITS, N_TRIALS, MEAN_RATE, DEPTH = 60, 240, 10.0, 0.8


def cells(store: Store, scale: Scale) -> list[Cell]:
    """One cell a task whose network has been trained."""
    paths = {task: store.path("attractors", task) for task in TASKS}
    return [
        (("spikes", task), partial(cell, task, path, scale))
        for task, path in paths.items() if path.with_suffix(".safetensors").exists()
    ]  # fmt: skip


def cell(task: str, path: Path, scale: Scale) -> dict[str, Any]:
    """Simulate Poisson spikes of the network's outputs, fit them with the task's inputs known, look at the flow."""
    trials, outputs = recorded(task, path)
    train, test = trials.isel(trial=slice(0, 180)), trials.isel(trial=slice(180, None))
    shown = train["unit"].values[: int(0.8 * N_UNITS)]
    model = LatentGNODE(
        latent_dim=2, encode_units=shown, max_steps=scale.beyond_steps, progress=False, random_state=0
    )
    model.fit(train)
    to_output, offset = _affine(model.transform(train).values, outputs[:180])
    seen = model.transform(test).values
    found = seen @ to_output + offset
    wanted = outputs[180:]
    r2 = 1 - ((found - wanted) ** 2).sum() / ((wanted - wanted.mean((0, 1))) ** 2).sum()
    start = torch.as_tensor(seen[:, -1], dtype=torch.float64)
    path_ = attractors.hold(
        model.field_.double(), start, 0.01 * torch.arange(101, dtype=torch.float64)
    ).numpy()
    model.field_.float()
    held = path_ @ to_output + offset
    picture = portrait_of(model, test)
    half = attractors.HALF_WIDTH[task]
    return {
        "co_bps": model.score(test),
        "outputs_r2": float(r2),
        "drift_1s": float(np.median(np.linalg.norm(held[:, -1] - held[:, 0], axis=1))) / half,
        "topology": picture.slow.topology.name,
        "stable": int(picture.scalars()["n_stable"]),
        "shape": attractors.shape(held[:, -1], task),
        "outputs_1s": held[:, -1].round(4).tolist(),
    }


def recorded(task: str, path: Path) -> tuple[Any, np.ndarray]:
    """`Trials` of simulated units whose log rates are linear in the network's outputs, and the outputs."""
    rng = np.random.default_rng(5)
    states, given = beyond.run(task, path, N_TRIALS)
    _, maps = attractors.kept(path)
    outputs = states @ maps["readout"].T + maps["bias"]
    angle = rng.uniform(0, 2 * np.pi, N_UNITS)
    tuning = DEPTH * np.stack([np.cos(angle), np.sin(angle)]) * rng.uniform(0.5, 1.5, N_UNITS)
    drive = outputs @ tuning / attractors.HALF_WIDTH[task]
    rates = MEAN_RATE * np.exp(drive) / np.exp(drive).mean((0, 1))
    counts = rng.poisson(rates * given.dt)
    return make_trials(counts, bin_size=given.dt, inputs=given.inputs), outputs


def _affine(latents: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = latents.reshape(-1, latents.shape[-1])
    design = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
    found = np.linalg.lstsq(design, outputs.reshape(-1, outputs.shape[-1]), rcond=None)[0]
    return found[:-1], found[-1]
