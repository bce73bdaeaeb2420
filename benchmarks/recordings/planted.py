"""Fits of simulated recordings whose dynamics are known: calibration, gating, number of latents.

    python -m benchmarks.recordings.planted calibration    # drift and diffusion of the preset dynamics
    python -m benchmarks.recordings.planted gating         # gated against ungated, equal steps, paired by seed
    python -m benchmarks.recordings.planted dimension      # co-smoothing and state agreement by latent_dim

Every row is appended to ``results/planted_<study>.jsonl`` as soon as it is known, and rows that are there are not
made again. Simulated recordings have 60 units of 7.5 spikes/s and 200 trials in 20 ms bins; a quarter of the units is
held out from the encoder and a fifth of the trials from the fit, as for the real recordings.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.recordings.recordings import RECORDINGS, Benchmark, co_smoothing, split
from neurognode.metrics import carry_velocity, compare_drifts, latent_r2, mutual_r2, state_r2
from neurognode.models import Ensemble, LatentDynamics
from neurognode.synthetic import circuits
from neurognode.synthetic.recording import simulate_recording

RESULTS = Path(__file__).parent / "results"
CIRCUITS = ("none", "points_2", "limit_cycle", "ring", "line")
DIMENSIONS = (2, 3, 8)
STEPS = 300
"""Of the studies of gating and of the number of latents."""


def simulated(name: str, seed: int = 0) -> Benchmark:
    """A recording of a circuit with the common split; truth at the bins in ``extra``."""
    recording = simulate_recording(circuits.make(name), random_state=seed)
    trials = recording.trials(0.02)
    truth = recording.truth(0.02)
    return split(name, trials, recording=recording, latents=truth["latents"].values)


def states_of(
    benchmark: Benchmark, model: LatentDynamics
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True and inferred states of training trials, and of test trials; (bins, N) each."""
    if benchmark.name == "lfads_lorenz":
        parts = [
            (benchmark.train, benchmark.extra["train_lowd"]),
            (benchmark.test, benchmark.extra["valid_lowd"]),
        ]
    else:
        place = benchmark.extra["trials"]["trial"].values
        parts = [
            (trials, benchmark.extra["latents"][np.isin(place, trials["trial"].values)])
            for trials in (benchmark.train, benchmark.test)
        ]
    found = []
    for trials, true in parts:
        inferred = model.transform(trials).values
        ok = np.isfinite(inferred).all(2) & np.isfinite(true[:, : inferred.shape[1]]).all(2)
        found += [true[:, : inferred.shape[1]][ok].astype(float), inferred[ok].astype(float)]
    return found[0], found[1], found[2], found[3]


def agreement(benchmark: Benchmark, model: LatentDynamics) -> dict[str, float]:
    """Co-smoothing, and R² between true and inferred states in both directions, on test trials."""
    true, inferred, test_true, test_inferred = states_of(benchmark, model)
    return {
        "co_bps": co_smoothing(benchmark, model.predict(benchmark.test)),
        "state_r2": state_r2(test_true, test_inferred, train=(true, inferred)),
        "latent_r2": latent_r2(test_inferred, test_true, train=(inferred, true)),
    }


def calibration(benchmark: Benchmark, model: LatentDynamics) -> dict[str, float]:
    """Slope and cosine of the fitted drift at true states, and fitted over true deviation of the noise."""
    recording = benchmark.extra["recording"]
    circuit, weights = recording.circuit, recording.weights
    true, inferred, test_true, _ = states_of(benchmark, model)
    rng = np.random.default_rng(0)
    visited = test_true[rng.permutation(len(test_true))[:4000]]
    simulation = circuit.simulate(100, noisy=False, random_state=1)
    sheet = simulation.latents[:, 20::20].reshape(-1, simulation.latents.shape[2])
    sheet = sheet[rng.permutation(len(sheet))[:4000]]
    found = {}
    for name, states in (("visited", visited), ("sheet", sheet)):
        with torch.no_grad():
            planted = circuit.field(torch.as_tensor(states), _zeros(circuit.field, states)).numpy()

        def flow(h: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return model.field_(torch.as_tensor(h).float(), _zeros(model.field_, h)).double().numpy()

        drift = compare_drifts(carry_velocity(flow, inferred, true, states), planted, metric=weights)
        found |= {f"slope_{name}": drift.slope, f"cosine_{name}": drift.cosine}
    return found | {"noise_ratio": noise_ratio(benchmark, model, true, inferred)}


def noise_ratio(benchmark: Benchmark, model: LatentDynamics, true: np.ndarray, inferred: np.ndarray) -> float:
    """Fitted over true deviation of the process noise, over all log rates; NaN for a fit without noise."""
    recording = benchmark.extra["recording"]
    if model.diffusion_ is None:
        return float("nan")
    design = np.c_[inferred, np.ones(len(inferred))]
    carry = np.linalg.lstsq(design, true, rcond=None)[0][:-1]
    with torch.no_grad():
        own = np.diag(model.diffusion_(torch.as_tensor(inferred[:1]).float())[0].double().numpy())
    fitted, planted = own @ carry @ recording.weights.T, recording.weights @ recording.circuit.noise
    return float(np.linalg.norm(fitted) / np.linalg.norm(planted))


def _zeros(field: Any, states: np.ndarray) -> torch.Tensor | None:
    size = int(getattr(field, "input_dim", 0) or 0)
    return (
        torch.zeros(len(states), size, dtype=next(iter(field.parameters()), torch.zeros(1)).dtype)
        if size
        else None
    )


def study(name: str) -> list[tuple[str, int, dict[str, Any]]]:
    """What a study fits: (recording, number of seeds, settings)."""
    if name == "calibration":
        return [(circuit, 2, {}) for circuit in CIRCUITS]
    if name == "gating":
        return [
            (case, 5, {"dynamics": kind, "max_steps": STEPS})
            for case in ("points_2", "limit_cycle", "lfads_lorenz") for kind in ("gnode", "node")
        ]  # fmt: skip
    return [
        (case, 2, {"latent_dim": n, "max_steps": STEPS})
        for case in ("limit_cycle", "lfads_lorenz") for n in DIMENSIONS
    ]  # fmt: skip


def fit_rows(case: str, n_seeds: int, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Fit one case with several seeds, trained together, and score each."""
    real = case in RECORDINGS
    benchmark = RECORDINGS[case]() if real else simulated(case)
    model = LatentDynamics(
        encode_units=benchmark.held_in, random_state=0, progress=False, use_inputs=not real, **options
    )
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        members = Ensemble(model, n_seeds).fit(benchmark.train).members_
    seconds = (time.process_time() - begin) / n_seeds
    rows = []
    mutual = mutual_r2([member.transform(benchmark.test).values for member in members])
    for seed, member in enumerate(members):
        row = {"case": case, "seed": seed, "options": options, "cpu_seconds": seconds, "members_r2": mutual}
        row |= agreement(benchmark, member)
        if not real and member.field_.latent_dim == 3:
            row |= calibration(benchmark, member)
        rows.append(row | {"validation": member.validation_score_})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=["calibration", "gating", "dimension"])
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="start no fit after so many seconds"
    )
    arguments = parser.parse_args()
    path = RESULTS / f"planted_{arguments.study}.jsonl"
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {(row["case"], json.dumps(row["options"])) for row in done}
    begin = time.monotonic()
    for case, n_seeds, options in study(arguments.study):
        if (case, json.dumps(options)) in known or time.monotonic() - begin > arguments.limit:
            continue
        for row in fit_rows(case, n_seeds, options):
            with path.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
