"""Does a field fitted to the Lorenz recording run freely as the Lorenz system does?

Fields are carried to the true coordinates by the affine map from latents to truth that fits the training trials best,
and run without noise for 20 s from the first states of 64 test trials drawn at random (all 20 conditions); the first
5 s are left out. Printed, next to the same statistics of the true flow:

- share of starts that change lobes at 0.5 to 2 times the true rate, share that never do, changes in 100 bins;
- the largest Lyapunov exponent per Lorenz time unit (0.5 s), by QR, 15 s of 32 starts;
- the two foci: distance from the true ones as a share of their separation, growth and rotation per bin, of the field
  and of the map that the fit's own integrator makes of it in one bin (truth +0.0019 and 0.204);
- distance between the clouds of states, by sliced Wasserstein distance (true half against true half gives 0.11).

    python -m benchmarks.recordings.attractor FIT.safetensors ...
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.recordings.recordings import Benchmark, lorenz
from neurognode.dynamics import VectorField, integrate
from neurognode.interpret import Flow, find_roots, lyapunov_exponents
from neurognode.models import Ensemble, LatentDynamics, archive
from neurognode.models.alignment import Affine, align

BIN, UNIT = 0.01, 0.5
CENTRE = np.array([-2.764, -2.765, 25.438])
SCALE = np.array([-7.806, -8.459, 6.363])
FOCI = np.array([[-1.44, -1.33, 0.25], [0.73, 0.68, 0.25]])
SEPARATION = float(np.linalg.norm(FOCI[1] - FOCI[0]))


class Lorenz(VectorField):
    """The flow behind the recording, in its own z-scored coordinates."""

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """dh/dt in 1/s."""
        a, b, c = (h * torch.as_tensor(SCALE) + torch.as_tensor(CENTRE)).unbind(-1)
        rate = torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], -1)
        return rate / torch.as_tensor(SCALE) / UNIT


class Carried(VectorField):
    """A fitted field seen in the true coordinates, or the mean of several."""

    def __init__(self, fields: list[VectorField], maps: list[Affine]) -> None:
        super().__init__(3)
        self.fields = torch.nn.ModuleList(fields)
        self.forth = [torch.as_tensor(move.linear) for move in maps]
        self.back = [torch.linalg.inv(matrix) for matrix in self.forth]
        self.offset = [torch.as_tensor(move.offset) for move in maps]

    def forward(self, h: torch.Tensor, x: torch.Tensor | None = None) -> torch.Tensor:
        """dh/dt in 1/s."""
        parts = zip(self.fields, self.forth, self.back, self.offset)
        return torch.stack([field((h - offset) @ back) @ forth for field, forth, back, offset in parts]).mean(
            0
        )


def carried(models: list[LatentDynamics], benchmark: Benchmark) -> Carried:
    """The field of one model, or the mean of several models' fields, in the true coordinates."""
    truth = benchmark.extra["train_lowd"].reshape(-1, 3)
    maps = [align(model.transform(benchmark.train).values.reshape(-1, 3), truth) for model in models]
    return Carried([model.field_ for model in models], maps)


def starts(models: list[LatentDynamics], field: Carried, benchmark: Benchmark) -> np.ndarray:
    """First states of 64 random test trials, in the true coordinates, (64, 3)."""
    chosen = np.random.default_rng(0).permutation(benchmark.test.sizes["trial"])[:64]
    trials = benchmark.test.isel(trial=chosen)
    parts = [
        model.transform(trials).values[:, 0] @ forth.numpy() + offset.numpy()
        for model, forth, offset in zip(models, field.forth, field.offset)
    ]
    return np.mean(parts, 0)


def lobe_changes(paths: np.ndarray) -> np.ndarray:
    """Changes of lobe in 100 bins, one for each path (n, T, 3); lobes lie to either side along the line of foci."""
    along = (paths - FOCI.mean(0)) @ (FOCI[1] - FOCI[0])
    return 100 * (np.diff(np.sign(along), axis=1) != 0).mean(1)


def sliced_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over 64 directions of the first Wasserstein distance between two clouds of states."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((3, 64))
    directions /= np.linalg.norm(directions, axis=0)
    levels = np.linspace(0.0005, 0.9995, 1000)
    quantiles = [np.quantile(cloud @ directions, levels, axis=0) for cloud in (one, other)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def bin_map(field: VectorField, method: str, substeps: int, point: np.ndarray) -> np.ndarray:
    """Derivative of one bin's step of `field` at a state, (3, 3)."""
    times = torch.tensor([0.0, BIN], dtype=torch.float64)

    def step(h: torch.Tensor) -> torch.Tensor:
        return integrate(field, h[None], times, method=method, substeps=substeps, backend="plain")[0, 1]

    return torch.autograd.functional.jacobian(step, torch.as_tensor(point)).numpy()


def foci(
    field: VectorField, stepped: list[tuple[VectorField, str, int, Affine]], near: np.ndarray
) -> list[dict[str, Any]]:
    """What lies at the true foci: distance (share of separation), growth and rotation per bin of field and map."""
    flow = Flow(field)
    speed = float(np.median(np.linalg.norm(flow.velocity(near), axis=1)))
    seeds = np.concatenate(
        [near[::20], *(FOCI[k] + 0.3 * np.random.default_rng(k).standard_normal((64, 3)) for k in (0, 1))]
    )
    points = find_roots(flow, seeds, scale=6.0, speed=speed).points
    found = []
    for true in FOCI:
        distance = np.linalg.norm(points - true, axis=1) / SEPARATION if len(points) else np.array([np.inf])
        best = int(distance.argmin())
        if distance[best] > 0.2:
            found.append({"distance": None})
            continue
        pair = oscillating(np.linalg.eigvals(flow.jacobian(points[best][None])[0]) * BIN)
        row = {"distance": float(distance[best]), "growth": float(pair.real), "rotation": float(pair.imag)}
        if len(stepped) == 1:
            own, method, substeps, move = stepped[0]
            inside = (points[best] - move.offset) @ np.linalg.inv(move.linear)
            with np.errstate(divide="ignore"):
                eigenvalues = np.log(
                    np.linalg.eigvals(bin_map(own, method, substeps, inside)).astype(complex)
                )
            row["map_growth"] = float(oscillating(eigenvalues).real)
        found.append(row)
    return found


def oscillating(eigenvalues: np.ndarray) -> complex:
    """The eigenvalue with the largest imaginary part."""
    return complex(eigenvalues[np.argmax(eigenvalues.imag)])


def examine(
    field: VectorField, begin: np.ndarray, true_rate: float = 0.0, true_cloud: np.ndarray | None = None
) -> dict[str, Any]:
    """Statistics of the free run of one field."""
    flow = Flow(field)
    paths = flow.path(begin, BIN * np.arange(2001), step=BIN / 2)[:, 500:]
    inside = np.isfinite(paths).all((1, 2)) & (np.abs(paths).max((1, 2)) < 100)
    rate = np.where(inside, lobe_changes(np.nan_to_num(paths)), 0.0)
    settled = np.where(inside, np.ptp(paths[:, -200:], axis=1).max(1) < 0.05, False)
    cloud = paths[inside].reshape(-1, 3)
    usual = true_rate or float(rate.mean())
    exponents, error = lyapunov_exponents(flow, begin[:32], 15.0, discard=5.0, step=BIN)
    row = {
        "share_at_true_rate": float(((rate >= 0.5 * usual) & (rate <= 2 * usual)).mean()),
        "share_never": float((rate < 0.2 * usual).mean()), "share_settled": float(settled.mean()),
        "share_lost": float(1 - inside.mean()), "changes_per_100": float(rate.mean()),
        "lyapunov": float(exponents[0] * UNIT), "lyapunov_sem": float(error[0] * UNIT),
        "exponents": (exponents * UNIT).tolist(),
    }  # fmt: skip
    if true_cloud is not None and len(cloud):
        row["distance"] = sliced_distance(cloud, true_cloud)
    return row | {"cloud": cloud}


def truth(benchmark: Benchmark) -> dict[str, Any]:
    """The same statistics of the true flow, from the same conditions."""
    chosen = np.random.default_rng(0).permutation(benchmark.test.sizes["trial"])[:64]
    begin = benchmark.extra["valid_lowd"][chosen, 0].astype(float)
    begin = begin + 1e-3 * np.random.default_rng(1).standard_normal(begin.shape)
    field = Lorenz(3)
    row = examine(field, begin)
    return row | {"foci": foci(field, [], row["cloud"])}


def judge(models: list[LatentDynamics], benchmark: Benchmark, known: dict[str, Any]) -> dict[str, Any]:
    """Statistics of one model's field, or of the mean field of several."""
    field = carried(models, benchmark)
    begin = starts(models, field, benchmark)
    row = examine(field, begin, known["changes_per_100"], known["cloud"])
    maps = [Affine(f.numpy(), o.numpy()) for f, o in zip(field.forth, field.offset)]
    stepped = [
        (Flow(m.field_).field, m.network_.path.method, m.network_.path.substeps, move)
        for m, move in zip(models, maps)
    ]
    row["foci"] = foci(field, stepped, row["cloud"] if len(row["cloud"]) else begin)
    return {key: value for key, value in row.items() if key != "cloud"}


def loaded(path: Path) -> list[LatentDynamics]:
    """The members behind a stored fit."""
    model = archive.load(path)
    return list(model.members_) if isinstance(model, Ensemble) else [model]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fits", nargs="+", type=Path)
    parser.add_argument("--mean", action="store_true", help="also the mean field of all fits")
    parser.add_argument("--out", type=Path, help="append rows of JSON here")
    arguments = parser.parse_args()
    benchmark = lorenz()
    known = truth(benchmark)
    rows = [{"fit": "truth", **{key: value for key, value in known.items() if key != "cloud"}}]
    everyone = []
    for path in arguments.fits:
        models = loaded(path)
        everyone += models
        rows += [
            {"fit": f"{path.stem}/{k}", **judge([model], benchmark, known)} for k, model in enumerate(models)
        ]
    if arguments.mean or len(everyone) > len(arguments.fits):
        rows.append({"fit": f"mean field of {len(everyone)}", **judge(everyone, benchmark, known)})
    for row in rows:
        print(json.dumps(row), flush=True)
    if arguments.out:
        with arguments.out.open("a") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
