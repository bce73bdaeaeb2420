"""Speed of finding fixed points: this package against Adam descent with FixedPointFinder's published defaults.

Run from the repository's root: ``python -m benchmarks.speed.interpret --starts 1024 --latents 64``. Same field, same
starts, same machine, one thread; CPU seconds of this process. The descent is our own, written from the published
defaults of FixedPointFinder (Golub and Sussillo 2018, JOSS 3:1003; joint method, ``lr_init=1``, ``lr_factor=0.95``,
``lr_patience=5``, ``tol_q=1e-12``, ``tol_dq=1e-20``, 5,000 iterations): Adam on the mean of q = |x' - x|^2 / 2 over all
starts. As it takes maps, x' is a step of one time constant, 0.1 s. Its results are kept where q < 1e-12 and merged at
the same distance as ours.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import torch

from neurognode.dynamics import GNODE
from neurognode.interpret import Flow, find_roots, portrait, visited_region
from neurognode.synthetic import circuits

MERGE, STEPS = 1e-3, 5000


def adam_descent(flow: Flow, starts: np.ndarray, tau: float = 0.1, max_steps: int = STEPS) -> np.ndarray:
    """States reached by Adam on q, all starts at once, those with q below 1e-12."""
    h = torch.as_tensor(np.array(starts, float)).requires_grad_()
    optimiser = torch.optim.Adam([h], lr=1.0)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.95, patience=5, cooldown=0)
    before = torch.full((len(h),), torch.inf, dtype=torch.float64)
    for _ in range(max_steps):
        optimiser.zero_grad()
        q = 0.5 * ((tau * flow.tensor_velocity(h)) ** 2).sum(1)
        total = q.mean()
        total.backward()
        optimiser.step()
        plateau.step(float(total.detach()))
        own = q.detach()
        if bool(((own < 1e-12) | ((own - before).abs() < 1e-20 * optimiser.param_groups[0]["lr"])).all()):
            break
        before = own
    with torch.no_grad():
        q = 0.5 * ((tau * flow.tensor_velocity(h)) ** 2).sum(1)
    return h.detach()[q < 1e-12].numpy()


def distinct(points: np.ndarray, distance: float) -> np.ndarray:
    """One of each group of points closer than `distance`."""
    kept: list[np.ndarray] = []
    for point in points:
        if all(np.linalg.norm(point - other) > distance for other in kept):
            kept.append(point)
    return np.array(kept)


def _timed(flow: Flow, starts: np.ndarray, scale: float) -> float:
    """CPU seconds of one search."""
    begin = time.process_time()
    find_roots(flow, starts, scale=scale, speed=1.0, merge=MERGE)
    return time.process_time() - begin


def race(
    latents: int, starts: int, descent_starts: int, seed: int = 0, descent_steps: int = STEPS
) -> dict[str, float | None]:
    """Time both from visited states of a random gated field.

    Ours is the median of six runs, three before the descent and three after it. The descent runs on fewer starts if
    asked, its seconds then scaled, or for fewer steps (it used all of them whenever they were counted), its points then
    not counted. ``converged`` counts starts that end at a zero.
    """
    flow = Flow(GNODE(latents, hidden=(64,), random_state=seed))
    states = np.random.default_rng(0).normal(size=(max(2000, starts), latents))
    region = visited_region(states)
    chosen = region.sample(starts, np.random.default_rng(1))
    scale = float(np.linalg.norm(region.upper - region.lower))
    spent = [_timed(flow, chosen, scale) for _ in range(3)]
    begin = time.process_time()
    descended = adam_descent(flow, chosen[:descent_starts], max_steps=descent_steps)
    descent = (time.process_time() - begin) * STEPS / descent_steps
    spent += [_timed(flow, chosen, scale) for _ in range(3)]
    own = float(np.median(spent))
    roots = find_roots(flow, chosen, scale=scale, speed=1.0, merge=MERGE)
    again = find_roots(flow, chosen[:descent_starts], scale=scale, speed=1.0, merge=MERGE)
    whole = descent_steps == STEPS
    found = distinct(descended, MERGE * scale) if len(descended) else np.empty((0, latents))
    return {
        "latents": latents, "starts": starts, "seconds": own, "points": int(roots.isolated.sum()),
        "converged": roots.n_converged, "seed": seed,
        "largest_residual": float(roots.residual.max()) if len(roots.residual) else float("nan"),
        "descent_starts": descent_starts, "descent_seconds": descent, "descent_steps": descent_steps,
        "descent_points": len(found) if whole else None, "descent_converged": len(descended) if whole else None,
        "points_from_same_starts": int(again.isolated.sum()),
        "ratio": descent * starts / descent_starts / own,
    }  # fmt: skip


def portraits() -> dict[str, float]:
    """CPU seconds of full portraits of three-latent fields."""
    out = {}
    for name in ("bistable", "ring", "limit_cycle", "lorenz"):
        circuit = circuits.make(name)
        circuit = circuits.embed(circuit, max(3, circuit.latent_dim))
        states = circuit.simulate(200, dt=0.005).latents[:, ::4]
        begin = time.process_time()
        portrait(circuit.field, states, horizon=circuit.duration, bin_size=0.02, diffusion=circuit.noise)
        out[name] = time.process_time() - begin
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=1024)
    parser.add_argument("--latents", type=int, default=64)
    parser.add_argument("--descent-starts", type=int, default=1024)
    parser.add_argument("--descent-steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="Seeds of the field.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "machine": platform.processor() or platform.machine(),
        "fixed_points": [
            race(options.latents, options.starts, options.descent_starts, seed, options.descent_steps)
            for seed in options.seeds
        ],
        "portrait_seconds": portraits(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    target = Path(__file__).parent / "results" / "interpret.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text + "\n")
