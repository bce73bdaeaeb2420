# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Your first recording: from NWB to a report
#
# **The question.** A monkey is shown one of two targets, waits, and reaches. When, after the target
# appears, does motor cortex know which of the two it will be, and what does its state do while the monkey
# waits?
#
# **What you need.** `reach_delay.nwb`: 61 units, 112 trials of a delayed reach (Yu et al. 2009, J
# Neurophysiol 102:614). Any NWB file with trials works the same way; put its path below.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import neurognode as ng

RECORDING = Path(os.environ.get("NEUROGNODE_DATA", "../shared/data")) / "reach_delay.nwb"
STEPS = 800  # optimiser steps; the defaults fit longer and better

# %% [markdown]
# ## What the file holds
# Opening is lazy. The table names the units, the series, and the events that trials can be aligned to.

# %%
recording = ng.open_recording(RECORDING)
print(recording)

# %% [markdown]
# ## Trials
# The target appears 0.2 s after `start_time`. We take 0.2 s before it and 0.8 s after it, in bins of 20
# ms. Every trial covers this window; where one did not, `observed` would be False, and never would the
# missing bins count as silence.

# %%
trials = recording.align("start_time", offset=0.2, window=(-0.2, 0.8), bin_size=0.02)
print(trials)

# %% [markdown]
# The file lists all trials of one target before those of the other, so trials must not be split by their
# order. `splits` draws them at random, in equal shares of each condition. A quarter of the units is hidden
# from the encoder: predicting them on trials that were not fitted is the fit's score.

# %%
parts = ng.splits.by_trial(trials, {"train": 0.8, "test": 0.2}, stratify="condition", random_state=0)
train, test = (trials.isel(trial=parts[name]) for name in ("train", "test"))
rng = np.random.default_rng(0)
seen = np.sort(rng.permutation(trials["unit"].values)[15:])

# %% [markdown]
# ## Fit
# A causal encoder uses no bin later than the one it describes. The default encoder looks at the whole
# trial: its latents *before* the target may know which target will come, which would answer our question
# with a leak.

# %%
model = ng.LatentGNODE(
    latent_dim=3, encoder="causal_gru", encode_units=seen, max_steps=STEPS, progress=False, random_state=0
)
fits = ng.Ensemble(model, n_members=3).fit(train)

# %%
scores = ng.evaluation.evaluate(fits, train, test, condition="condition")
for row in scores["table"]:
    print(row)

# %% [markdown]
# The table holds, on the same units and trials, what a fit must beat: the mean rate, the mean over trials
# of each condition (PSTH), and smoothing followed by a Poisson regression. A three-dimensional flow with
# little freedom need not win; if it is far below, do not read its flow.
#
# ## When does it know?
# We decode the target from the latents of each bin: the decoder is fitted on the trials that the model was
# fitted to, and scored on the others. On its own trials a fit knows what came later: its weights have seen it.

# %%
latents = fits.transform(trials)
is_test = np.isin(np.arange(trials.sizes["trial"]), parts["test"])
decoding = ng.evaluation.decode_condition(latents, trials["condition"].values, window=5, is_test=is_test)
time, accuracy = np.asarray(decoding["time"]), np.asarray(decoding["accuracy"])
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
ng.plot.latent_traces(latents, condition=trials["condition"].values, ax=axes[0])
axes[1].plot(time, accuracy)
axes[1].axhline(decoding["chance"], color="0.6", lw=0.8)
axes[1].set(xlabel="time from target (s)", ylabel="accuracy", ylim=(0, 1.05))
figure.tight_layout()
figure.savefig("first_recording.png", dpi=120)

# %% [markdown]
# ## What does the state do while the monkey waits?
# `compare` draws a portrait of every member's flow, asks every hypothesis, and lets each one say
# `supported`, `rejected` or
# `cannot_tell`, with its reason. For speed the surrogates are only re-scored here; `n_refits=20` refits them.

# %%
verdicts = ng.hypotheses.compare(fits, trials)
print(verdicts)

# %% [markdown]
# ## Keep it
# The results go into a new NWB file; the recording is not touched. The archive wants the subject's age,
# which this file does not say, so we give it.

# %%
ng.export.to_nwb("reach_delay_latents.nwb", fits, trials, verdicts, subject={"age": "P5Y/P10Y"})

# %% [markdown]
# ## The statement

# %%
before, after = accuracy[time < -0.02], accuracy[(time > 0.1) & (time < 0.5)]
print(
    f"On {is_test.sum()} trials not fitted, the target is decoded with accuracy {before.mean():.2f} before it "
    f"appears (chance {decoding['chance']:.2f}, standard error {0.5 / np.sqrt(is_test.sum()):.2f}) and "
    f"{after.mean():.2f} 0.1 to 0.5 s after it."
)
for verdict in verdicts:
    if verdict.hypothesis in ("discrete_attractors", "rotation"):
        print(f"{verdict.hypothesis.replace('_', ' ')}: {verdict.status.replace('_', ' ')}. {verdict.reason}")

# %% [markdown]
# On the command line the same is
# ```
# neurognode fit reach_delay.nwb --align start_time --offset 0.2 --window -0.2 0.8 --bin-size 0.02 \
#     --latent-dim 3 --members 3 --encoder causal_gru --out run
# ```
# and `run/report.html` shows it.
