# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Is it a ring?
#
# **The question.** Flies keep a sense of direction in a ring-shaped structure, the ellipsoid body. A bump
# of activity turns with the fly. Is the activity of 16 wedges of that ring, seen through calcium, the work
# of a ring attractor: does it live on a circle, does the position on the circle follow the heading, and
# does the state stay where it is put?
#
# **What you need.** `fly_ring_bar.nwb` (Turner-Evans et al. 2017, eLife 6:e23496): 16 wedges, five runs of
# about 66 s.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import neurognode as ng

RECORDING = Path(os.environ.get("NEUROGNODE_DATA", "../shared/data")) / "fly_ring_bar.nwb"
STEPS = 1000

# %%
recording = ng.open_recording(RECORDING)
print(recording)

# %% [markdown]
# ## Trials
# There are no spikes, and the clock between the five runs means nothing, so nothing may be read across
# runs. The ball's record starts 1.4 s after imaging: those frames have no heading, and we leave them out.
# `bin_size="native"` keeps the frames as they are. Each run is cut into windows of 4 s, which the model
# treats as trials of one system.

# %%
runs = recording.align("start_time", window=(1.5, 65.0), bin_size="native", behavior=["heading"])
heading = runs["behavior"].sel(covariate="heading").values  # (run, time), radians, from -pi to pi
windows = recording.chop(4.0, bin_size="native", within="trials", behavior=["heading"])
print(dict(windows.sizes))

# %% [markdown]
# ## Fit
# Three latents, three members that differ in their seed. `auto` takes a Gaussian likelihood for calcium.

# %%
model = ng.LatentGNODE(latent_dim=3, max_steps=STEPS, progress=False, random_state=0)
fits = ng.Ensemble(model, n_members=3).fit(windows)

# %% [markdown]
# ## Does the circle follow the heading?
# The plane of the two leading components of the latents gives a phase. Heading is not used to find it. The
# zero of the ball is arbitrary in every run and the gain of the bump need not be one, so offset and slope
# are free; the sign should be the same.

# %%
latents = fits.transform(runs)
followed = ng.evaluation.decode_angle(latents, heading)
for number, run in enumerate(followed, start=1):
    print(
        f"run {number}: r = {run['r']:.2f}, slope {run['slope']:.2f}, heading turned through {run['range']:.1f} rad"
    )

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
phase = np.unwrap(ng.evaluation.ring_phase(latents), axis=1)
axes[0].plot(runs["time"], phase[1] - phase[1, 0], label="phase of the latents")
known = np.isfinite(heading[1])
turned = np.unwrap(heading[1, known])
axes[0].plot(runs["time"][known], np.sign(followed[1]["r"]) * (turned - turned[0]), label="heading")
axes[0].set(xlabel="time (s)", ylabel="turned (rad)", title="second run")
axes[0].legend(frameon=False)
ng.plot.trajectories(latents, ax=axes[1])
figure.tight_layout()
figure.savefig("is_it_a_ring.png", dpi=120)

# %% [markdown]
# ## Is it a ring attractor?
# A circle of activity is not yet an attractor: the flow must bring states to the circle and leave them
# where they are along it, within the time that was seen, in every member, and more than in surrogates
# whose wedges were shifted against one another.

# %%
verdicts = ng.hypotheses.compare(fits, windows)
print(verdicts)

# %% [markdown]
# ## The statement

# %%
r = np.array([run["r"] for run in followed])
sign = np.sign(np.median(r))
ring = next(v for v in verdicts if v.hypothesis == "ring_attractor")
print(
    f"The phase of the latents follows the heading with |r| >= 0.9 and one sign in {int((sign * r >= 0.9).sum())} of "
    f"5 runs (median {np.median(sign * r):.2f}). Ring attractor: {ring.status.replace('_', ' ')}. {ring.reason}"
)
