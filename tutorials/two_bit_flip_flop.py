# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # The two-bit flip-flop and its attractor
#
# **The question.** A network with two latents must remember the last pulse on each of two channels. When
# pulses are only ever -1 or 1 it needs four memories; when they take any value between, it needs a whole
# square of them. What attractor does a gated neural ODE build?
#
# This is the phase-plane experiment of Kim, Can & Krishnamurthy (ICML 2023). It needs no recording.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import neurognode as ng
from neurognode.synthetic import tasks

STEPS = 3000

# %% [markdown]
# ## Train on the square
# Three sets of trials: one to fit, one to choose the best weights, one that nothing has seen. Two seeds
# train together.

# %%
fitted, chosen, fresh = (
    tasks.make("square", n, random_state=seed) for seed, n in enumerate((2000, 300, 600))
)
flow_and_gate = {"hidden": (64, 64), "gate_hidden": (32,), "activation": "relu"}
network = ng.TaskNetwork(
    latent_dim=2,
    dynamics_options=flow_and_gate,
    learning_rate=2e-2,
    n_members=2,
    max_steps=STEPS,
    progress=False,
    random_state=0,
)
network.fit(fitted, validation=chosen)
error = float(np.mean((np.asarray(network.predict(fresh)) - fresh.targets) ** 2))
print(
    f"mean squared error on fresh trials {error:.4f}; predicting zero gives {np.mean(fresh.targets**2):.3f}"
)

# %% [markdown]
# ## Hold
# The network is a map at its own step of 10 ms. We put its output on points of the square, give no input,
# and let it run for one second: if the square is a continuous attractor, nothing moves.

# %%
side = np.linspace(-0.9, 0.9, 15)
targets = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
readout, bias = np.asarray(network.readout_), np.asarray(network.bias_)
states = torch.as_tensor((targets - bias) @ np.linalg.inv(readout).T, dtype=torch.float32)
no_input = torch.zeros(len(states), 1001, 2)


def held(seconds: float, substeps: int) -> np.ndarray:
    """Output after a time without input; more substeps make the map the ODE it stands for."""
    times = torch.arange(int(seconds * 100) + 1) * 0.01
    with torch.no_grad():
        path = ng.integrate(
            network.field_, states, times, no_input[:, : len(times)], method="euler", substeps=substeps
        )
    return path[:, -1].numpy() @ readout.T + bias


for substeps in (1, 2, 10):
    moved = np.linalg.norm(held(1.0, substeps) - targets, axis=1)
    print(
        f"time step 10 ms / {substeps}: median drift in 1 s {np.median(moved):.3f} (the square's half width is 1)"
    )

# %% [markdown]
# ## Look
# The flow without input, drawn in the coordinates of the output, and where the 225 starting points are
# after one and ten seconds.

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharex=True, sharey=True)
grid = np.stack(np.meshgrid(np.linspace(-1.4, 1.4, 25), np.linspace(-1.4, 1.4, 25)), -1)
points = torch.as_tensor((grid.reshape(-1, 2) - bias) @ np.linalg.inv(readout).T, dtype=torch.float32)
with torch.no_grad():
    flow = network.field_(points, torch.zeros(len(points), 2)).numpy() @ readout.T
speed = np.linalg.norm(flow, axis=1).reshape(25, 25)
image = axes[0].contourf(grid[..., 0], grid[..., 1], np.log10(speed + 1e-6), levels=20)
axes[0].quiver(grid[::2, ::2, 0], grid[::2, ::2, 1], *(flow.reshape(25, 25, 2)[::2, ::2].transpose(2, 0, 1)))
figure.colorbar(image, ax=axes[0], label="log10 speed (output/s)")
axes[0].set(title="flow without input", xlabel="output 1", ylabel="output 2")
for axis, seconds in zip(axes[1:], (1.0, 10.0)):
    axis.scatter(*targets.T, s=4, color="0.8")
    axis.scatter(*held(seconds, 1).T, s=6, color="tab:blue")
    axis.set(title=f"after {seconds:g} s", xlabel="output 1")
figure.tight_layout()
figure.savefig("two_bit_flip_flop.png", dpi=120)

# %% [markdown]
# ## The statement

# %%
drift = np.median(np.linalg.norm(held(1.0, 1) - targets, axis=1))
late = held(10.0, 1)
ends = len(np.unique(np.round(late, 1), axis=0))
verdict = (
    "an approximate continuous attractor over one second" if drift <= 0.1 else "no continuous attractor yet"
)
print(
    f"With a fresh-trial error of {error:.4f} the gated network holds {verdict}: the median output drifts by "
    f"{drift:.3f} of the square's half width in 1 s. After 10 s the 225 memories lie in {ends} cells of width 0.1, so "
    "the square "
    f"{'has largely held' if ends > 100 else 'breaks up into fewer memories, as approximate attractors do'}."
)
