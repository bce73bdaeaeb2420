"""Fit the recordings with several seeds and write what was reached to ``results/``.

Run one recording, or all: ``python -m benchmarks.recordings.fit reach_delay --seeds 5``. The seeds are the members of
an ensemble, trained together. Test trials and held-out units are scored once per fit and choose nothing. Settings are
those of a preset, the same for every recording. With ``--fits FOLDER`` ensembles are kept there, and those that are
there already are not made again.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

from benchmarks.recordings.recordings import RECORDINGS, Benchmark, co_smoothing
from neurognode.models import Ensemble, LatentDynamics, archive

RESULTS = Path(__file__).parent / "results"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "reach_delay": ("reach_delay", {"preset": "auto"}),
    "m1_reaching": ("m1_reaching", {"preset": "auto"}),
    "visual_choice_1": ("visual_choice_1", {"preset": "auto"}),
    "linear_track": ("linear_track", {"preset": "auto"}),
    "fly_ring_bar": ("fly_ring_bar", {"preset": "auto", "latent_dim": 8}),
    "lorenz_32": ("lfads_lorenz", {"preset": "dynamics", "latent_dim": 32}),
    "lorenz_32_long": ("lfads_lorenz", {"preset": "dynamics", "latent_dim": 32, "max_steps": 4500}),
    "lorenz_3": ("lfads_lorenz", {"preset": "auto", "latent_dim": 3}),
    "lorenz_3_autonomous": ("lfads_lorenz", {"preset": "autonomous"}),
    "reach_delay_8": ("reach_delay", {"preset": "auto", "latent_dim": 8}),
}


def fitted(case: str, n_seeds: int, kept: Path | None = None) -> tuple[Ensemble, float]:
    """One case fitted with several seeds, or the same read from the folder `kept`; and CPU seconds per seed."""
    name, options = CASES[case]
    benchmark = RECORDINGS[name]()
    place = None if kept is None else kept / f"{case}_{n_seeds}.safetensors"
    if place is not None and place.exists():
        return archive.load(place), json.loads(place.with_suffix(".json").read_text())
    model = LatentDynamics(
        encode_units=benchmark.held_in, random_state=0, progress=False, use_inputs=False, **options
    )
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fits = Ensemble(model, n_seeds).fit(benchmark.train)
    seconds = (time.process_time() - started) / n_seeds
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".json").write_text(json.dumps(seconds))
        fits.save(place)
    return fits, seconds


def score(benchmark: Benchmark, model: LatentDynamics) -> tuple[dict[str, float], Any]:
    """Scores of one fit, and its rates in the test trials."""
    name = benchmark.name
    found: dict[str, float] = {"steps": model.n_steps_, "validation": model.validation_score_}
    rates = model.predict(benchmark.test)
    if name == "fly_ring_bar":
        found |= fly(benchmark, model, rates)
    else:
        found["co_bps"] = co_smoothing(benchmark, rates)
    if name == "lfads_lorenz":
        found |= lorenz(benchmark, model, rates)
        if model.field_.latent_dim <= 3 and model.diffusion_ is None:
            found |= refined(benchmark, model)
    if name == "m1_reaching":
        found["velocity_r2"] = velocity(benchmark, model)
    if name == "linear_track":
        found["position_r2"] = position(benchmark, model)
    return found, rates


def refined(benchmark: Benchmark, model: LatentDynamics) -> dict[str, float]:
    """The scores with first states improved at inference, by gradient steps and by importance sampling."""
    found = {}
    for name, options in (("gradient", {"refine_steps": 3}), ("importance", {"refine_draws": 100})):
        model.set_params(**options)
        rates = model.predict(benchmark.test)
        found[f"co_bps_{name}"] = co_smoothing(benchmark, rates)
        found |= {f"{key}_{name}": value for key, value in lorenz(benchmark, model, rates).items()}
        model.set_params(refine_steps=0, refine_draws=0)
    return found


def lorenz(benchmark: Benchmark, model: LatentDynamics, rates: Any) -> dict[str, float]:
    """R² of true latents from inferred ones (affine map fitted on training trials), and of log rates."""
    train, test = (model.transform(t).values for t in (benchmark.train, benchmark.test))
    n = train.shape[-1]
    design, held = (np.c_[z.reshape(-1, n), np.ones(z.shape[0] * z.shape[1])] for z in (train, test))
    weights = np.linalg.lstsq(design, benchmark.extra["train_lowd"].reshape(-1, 3), rcond=None)[0]
    truth = benchmark.extra["valid_lowd"].reshape(-1, 3)
    log_truth, log_rates = np.log(benchmark.extra["valid_truth"]), np.log(np.maximum(rates.values, 1e-4))
    return {
        "latent_r2": r2(truth, held @ weights),
        "log_rate_r2": r2(log_truth.ravel()[:, None], log_rates.ravel()[:, None]),
    }


def velocity(benchmark: Benchmark, model: LatentDynamics) -> float:
    """Hand velocity from inferred rates of all units: ridge, five folds by trials, lag of 0 to 150 ms."""
    trials = benchmark.extra["trials"]
    log_rates = np.sqrt(model.predict(trials).values)
    recorded, index = benchmark.extra["velocity"], benchmark.extra["index"]
    best = -np.inf
    for lag in range(4):
        target = recorded[np.minimum(index + lag, len(recorded) - 1)]
        best = max(best, _cross_validated(log_rates, target))
    return best


def _cross_validated(features: np.ndarray, target: np.ndarray) -> float:
    folds = KFold(5, shuffle=True, random_state=0)
    predicted = np.empty_like(target)
    for train, test in folds.split(features):
        ridge = RidgeCV(np.logspace(-3, 3, 7))
        ridge.fit(
            features[train].reshape(-1, features.shape[-1]), target[train].reshape(-1, target.shape[-1])
        )
        flat = ridge.predict(features[test].reshape(-1, features.shape[-1]))
        predicted[test] = flat.reshape(target[test].shape)
    return r2(target.reshape(-1, target.shape[-1]), predicted.reshape(-1, target.shape[-1]))


def position(benchmark: Benchmark, model: LatentDynamics | Ensemble) -> float:
    """Place on the track from latents: nearest neighbours, five contiguous blocks, bins in which it moves."""
    trials = benchmark.extra["trials"]
    latents = model.transform(trials).values
    place = trials["behavior"].values[:, :, 0]
    moving = (np.abs(np.gradient(place, 0.1, axis=1)) > 0.1).ravel()
    features, target = latents.reshape(-1, latents.shape[-1])[moving], place.ravel()[moving]
    predicted = cross_val_predict(KNeighborsRegressor(15, weights="distance"), features, target, cv=KFold(5))
    return r2(target[:, None], predicted[:, None])


def fly(benchmark: Benchmark, model: LatentDynamics | Ensemble, rates: Any) -> dict[str, float]:
    """R² in held-out wedges on test windows, and r of heading with the unwrapped bump of the rates, per run.

    The bump is the population vector of the 16 fitted wedge signals; runs are whole, windows joined.
    """
    chosen = np.isin(benchmark.test["unit"].values, benchmark.held_out)
    signal = benchmark.test["activity"].values[:, :, chosen]
    trials = benchmark.extra["trials"]
    activity = model.predict(trials).values
    wedge = np.exp(2j * np.pi * np.arange(16) / 16)
    bump = (activity - activity.min(-1, keepdims=True)) @ wedge
    heading, run = trials["behavior"].values[:, :, 0], benchmark.extra["runs"]
    r = []
    for number in np.unique(run):
        phase = np.unwrap(np.angle(bump[run == number]).ravel())
        r.append(abs(np.corrcoef(phase, heading[run == number].ravel())[0, 1]))
    train = benchmark.train["activity"].values[:, :, chosen]
    residual = ((signal - rates.values[:, :, chosen]) ** 2).sum()
    total = ((signal - train.mean((0, 1))) ** 2).sum()
    return {
        "held_out_r2": float(1 - residual / total),
        "heading_r": float(np.mean(r)),
        "heading_r_worst": min(r),
    }


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Variance explained, pooled over columns."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())


def summary(rows: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """Mean and standard error over seeds of everything that was scored."""
    keys = list(rows[0])
    spread = {key: np.array([row[key] for row in rows]) for key in keys}
    return {key: [float(v.mean()), float(v.std(ddof=1) / len(v) ** 0.5) if len(v) > 1 else None]
            for key, v in spread.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fits", type=Path, help="where fits are kept")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for case in arguments.case or list(CASES):
        run(case, arguments.seeds, arguments.fits)


def run(case: str, n_seeds: int, kept: Path | None = None) -> None:
    """Fit one case with every seed, score every fit and the mean of their rates, and write it down."""
    name, settings = CASES[case]
    benchmark = RECORDINGS[name]()
    fits, seconds = fitted(case, n_seeds, kept)
    rows, rates = zip(*(score(benchmark, member) for member in fits.members_))
    result: dict[str, Any] = {"case": case, "settings": settings, "cpu_seconds_per_seed": seconds,
                              "seeds": rows, "mean_sem": summary(rows)}  # fmt: skip
    mean = rates[0].copy(data=np.mean([r.values for r in rates], 0))
    if name == "fly_ring_bar":
        result["ensemble"] = fly(benchmark, fits, mean)
    else:
        result["ensemble"] = {"co_bps": co_smoothing(benchmark, mean)}
    if name == "linear_track":
        result["ensemble"]["position_r2"] = position(benchmark, fits)
    (RESULTS / f"{case}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(case, json.dumps(result["mean_sem"]), json.dumps(result["ensemble"]), flush=True)


if __name__ == "__main__":
    main()
