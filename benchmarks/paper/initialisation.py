"""Default against critical initialisation of ungated neural ODEs, by depth and activation (claim C8)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.paper.scale import Scale
from benchmarks.paper.store import Cell, Store
from neurognode.models import TaskNetwork
from neurognode.synthetic import tasks

INITS = ("glorot", "critical_closed")
DEPTHS = {2: (64, 64), 4: (48, 48, 48, 48), 6: (40, 40, 40, 40, 40, 40)}
STEPS = 800


def cells(store: Store, scale: Scale) -> list[Cell]:
    """Both initialisations at equal steps: the square at two latents, the variable 3-bit task at six."""
    settings = [("square", a, d) for a in ("relu", "tanh") for d in DEPTHS]
    settings += [] if scale.name == "quick" else [("variable_3bit", "relu", d) for d in DEPTHS]
    return [
        (("initialisation", task, f"{activation}, {depth} hidden layers", init),
         partial(cell, task, activation, depth, init, scale))
        for task, activation, depth in settings for init in INITS
    ]  # fmt: skip


def cell(task: str, activation: str, depth: int, init: str, scale: Scale) -> dict[str, Any]:
    """Test error and loss curve of every seed after `STEPS` steps at a learning rate of 3e-3."""
    net = TaskNetwork(
        2 if task == "square" else 6, dynamics="node", method="euler", progress=False,
        dynamics_options={"hidden": DEPTHS[depth], "activation": activation, "init": init},
        n_members=scale.seeds, max_steps=STEPS, batch_size=50, learning_rate=3e-3, validate_every=40, random_state=0,
    )  # fmt: skip
    train, held, test = (
        tasks.make(task, n, random_state=i + 1)
        for i, n in enumerate((scale.n_train, scale.n_validation, scale.n_test))
    )
    net.fit(train, validation=held)
    curve = [[entry["step"], float(np.median(entry["validation"]))] for entry in net.history_]
    return {"mse": net.losses(test).astype(float).tolist(), "curve": curve}
