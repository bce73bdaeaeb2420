"""The two sequential walks of the GPU kernel, in Triton: one launch goes through all steps of a chunk.

A program holds a block of trials of one member; the states never leave the chip between steps. Widths are padded
to powers of two, and padding is zero throughout. METHOD is 0 for Euler, 1 for exponential Euler, 2 for
Runge-Kutta and 3 for midpoint; ACTIVATION counts tanh, relu, silu, softplus, gelu.
"""

# mypy: disable-error-code="no-untyped-def"
# (programs are not Python: their arguments have no Python types)

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _activate(u, KIND: tl.constexpr):
    if KIND == 0:
        return 2 * tl.sigmoid(2 * u) - 1
    if KIND == 1:
        return tl.maximum(u, 0.0)
    if KIND == 2:
        return u * tl.sigmoid(u)
    if KIND == 3:
        return tl.maximum(u, 0.0) + tl.log(1 + tl.exp(-tl.abs(u)))
    return u * (0.5 + 0.5 * tl.erf(u * 0.7071067811865476))


@triton.jit
def _one_minus_exp(s):
    series = 1 - s / 7
    series = 1 - series * s / 6
    series = 1 - series * s / 5
    series = 1 - series * s / 4
    series = 1 - series * s / 3
    series = 1 - series * s / 2
    return tl.where(tl.abs(s) < 0.4, series * s, 1 - tl.exp(-s))


@triton.jit
def _network(h, drive, first, middle, middle_bias, last, last_bias, k, DEPTH: tl.constexpr,
             ACTIVATION: tl.constexpr, N: tl.constexpr, H: tl.constexpr):  # fmt: skip
    """Pre-activation of the output; DEPTH hidden layers, H wide (N wide, and the output, if there are none)."""
    n = tl.arange(0, N)
    j = tl.arange(0, H)
    w = tl.load(first + k * H * N + j[None, :] * N + n[:, None])
    u = tl.dot(h, w, input_precision="tf32x3") + drive
    for layer in tl.static_range(DEPTH - 1):
        at = k * (DEPTH - 1) + layer
        w = tl.load(middle + at * H * H + j[None, :] * H + j[:, None])
        bias = tl.load(middle_bias + at * H + j)
        u = tl.dot(_activate(u, ACTIVATION), w, input_precision="tf32x3") + bias[None, :]
    if DEPTH > 0:
        w = tl.load(last + k * N * H + n[None, :] * H + j[:, None])
        bias = tl.load(last_bias + k * N + n)
        u = tl.dot(_activate(u, ACTIVATION), w, input_precision="tf32x3") + bias[None, :]
    return u


@triton.jit
def forward_walk(states, share, mask, drive_f, drive_g, stage_f, stage_g,
                 first_f, middle_f, middle_bias_f, last_f, last_bias_f,
                 first_g, middle_g, middle_bias_g, last_g, last_bias_g,
                 steps, batch, latents, scale,
                 METHOD: tl.constexpr, GATED: tl.constexpr, BOUNDED: tl.constexpr, MASKED: tl.constexpr,
                 ACTIVATION: tl.constexpr, DEPTH_F: tl.constexpr, DEPTH_G: tl.constexpr,
                 B: tl.constexpr, N: tl.constexpr, HF: tl.constexpr, HG: tl.constexpr):  # fmt: skip
    """Fill ``states`` (K, steps + 1, batch, latents) from its first entry.

    ``drive_*`` are (stages or 1, K, steps, batch, H), with ``stage_*`` elements from stage to stage.
    """
    k = tl.program_id(1)
    trial = tl.program_id(0) * B + tl.arange(0, B)
    n = tl.arange(0, N)
    f, g = tl.arange(0, HF), tl.arange(0, HG)
    inside = (trial[:, None] < batch) & (n[None, :] < latents)
    place = trial[:, None] * latents + n[None, :]
    here = states + k * (steps + 1) * batch * latents
    h = tl.load(here + place, mask=inside, other=0.0)
    stages: tl.constexpr = 4 if METHOD == 2 else 2 if METHOD == 3 else 1
    for t in range(steps):
        row = k * steps + t
        part = tl.load(share + row * latents + n, mask=n < latents, other=0.0)[None, :]
        runs = tl.full((B, 1), 1.0, tl.float32)
        if MASKED:
            runs = tl.load(mask + row * batch + trial, mask=trial < batch, other=0.0)[:, None]
        total = h
        change = tl.zeros((B, N), tl.float32)
        for s in range(stages):
            node = tl.where(s == 0, 0.0, tl.where(s == 3, 1.0, 0.5))
            at = h + node * change
            known = (trial < batch)[:, None]
            line = (row * batch + trial)[:, None]
            drive = tl.load(drive_f + s * stage_f + line * HF + f[None, :], mask=known, other=0.0)
            u = _network(at, drive, first_f, middle_f, middle_bias_f, last_f, last_bias_f, k, DEPTH_F,
                         ACTIVATION, N, HF)  # fmt: skip
            target = u
            if BOUNDED:
                target = scale * (2 * tl.sigmoid(2 * u / scale) - 1)
            weight = part + tl.zeros((B, N), tl.float32)
            if GATED:
                drive = tl.load(drive_g + s * stage_g + line * HG + g[None, :], mask=known, other=0.0)
                u = _network(at, drive, first_g, middle_g, middle_bias_g, last_g, last_bias_g, k, DEPTH_G,
                             ACTIVATION, N, HG)  # fmt: skip
                weight = part * tl.sigmoid(u)
            if METHOD == 1:
                weight = _one_minus_exp(weight)
            change = tl.where(inside, runs * weight * (target - at), 0.0)
            if METHOD == 2:
                total += tl.where((s == 0) | (s == 3), 1 / 6, 1 / 3) * change
            elif (METHOD != 3) or (s == 1):
                total += change
        h = total
        tl.store(here + (t + 1) * batch * latents + place, h, mask=inside)


@triton.jit
def _back(delta, back, slopes, deltas, line, known, size, first, middle, last, k,
          DEPTH: tl.constexpr, N: tl.constexpr, H: tl.constexpr):  # fmt: skip
    """Carry a delta of the output through one net to the state; ``slopes`` and ``deltas`` are (DEPTH, size, H)."""
    n = tl.arange(0, N)
    j = tl.arange(0, H)
    if DEPTH > 0:
        w = tl.load(last + k * N * H + n[:, None] * H + j[None, :])
        hidden = tl.dot(delta, w, input_precision="tf32x3")
        for layer in tl.static_range(DEPTH - 1, -1, -1):
            place = layer * size * H + line * H + j[None, :]
            hidden = hidden * tl.load(slopes + place, mask=known, other=0.0)
            tl.store(deltas + place, hidden, mask=known)
            if layer > 0:
                w = tl.load(middle + (k * (DEPTH - 1) + layer - 1) * H * H + j[:, None] * H + j[None, :])
                hidden = tl.dot(hidden, w, input_precision="tf32x3")
        w = tl.load(first + k * H * N + j[:, None] * N + n[None, :])
        return back + tl.dot(hidden, w, input_precision="tf32x3")
    w = tl.load(first + k * N * N + n[:, None] * N + n[None, :])
    return back + tl.dot(delta, w, input_precision="tf32x3")


@triton.jit
def reverse_walk(cotangent, gradient, by_flow, by_target, by_gate, kept, delta_f, delta_g,
                 slopes_f, deltas_f, slopes_g, deltas_g,
                 first_f, middle_f, last_f, first_g, middle_g, last_g,
                 steps, batch, latents,
                 METHOD: tl.constexpr, GATED: tl.constexpr, DEPTH_F: tl.constexpr, DEPTH_G: tl.constexpr,
                 B: tl.constexpr, N: tl.constexpr, HF: tl.constexpr, HG: tl.constexpr):  # fmt: skip
    """Walk ``cotangent`` (K, batch, latents) back through a chunk, in place.

    Per stage and step it reads the coefficients ``by_*`` and slopes, and keeps the gradient of each change in
    ``kept`` and the deltas of every layer. Arrays are (stages, K, steps, batch, latents), those of hidden layers
    (stages, layers, K, steps, batch, H).
    """
    k = tl.program_id(1)
    trial = tl.program_id(0) * B + tl.arange(0, B)
    n = tl.arange(0, N)
    known = (trial < batch)[:, None]
    inside = known & (n[None, :] < latents)
    own_place = (k * batch + trial)[:, None] * latents + n[None, :]
    lam = tl.load(cotangent + own_place, mask=inside, other=0.0)
    size = tl.num_programs(1) * steps * batch
    stages: tl.constexpr = 4 if METHOD == 2 else 2 if METHOD == 3 else 1
    for back_step in range(steps):
        t = steps - 1 - back_step
        line = ((k * steps + t) * batch + trial)[:, None]
        place = line * latents + n[None, :]
        lam += tl.load(gradient + place, mask=inside, other=0.0)
        total = lam
        back = tl.zeros((B, N), tl.float32)
        for i in range(stages):
            s = stages - 1 - i
            own = lam
            if METHOD == 2:
                own = tl.where((s == 0) | (s == 3), 1 / 6, 1 / 3) * lam
                own += tl.where(s == 3, 0.0, tl.where(s == 2, 1.0, 0.5)) * back
            if METHOD == 3:
                own = tl.where(s == 1, lam, 0.5 * back)
            at = s * size * latents + place
            tl.store(kept + at, own, mask=inside)
            back = -tl.load(by_flow + at, mask=inside, other=0.0) * own
            delta = tl.load(by_target + at, mask=inside, other=0.0) * own
            tl.store(delta_f + at, delta, mask=inside)
            offset = s * DEPTH_F * size * HF
            back = _back(delta, back, slopes_f + offset, deltas_f + offset, line, known, size,
                         first_f, middle_f, last_f, k, DEPTH_F, N, HF)  # fmt: skip
            if GATED:
                delta = tl.load(by_gate + at, mask=inside, other=0.0) * own
                tl.store(delta_g + at, delta, mask=inside)
                offset = s * DEPTH_G * size * HG
                back = _back(delta, back, slopes_g + offset, deltas_g + offset, line, known, size,
                             first_g, middle_g, last_g, k, DEPTH_G, N, HG)  # fmt: skip
            total = total + back
        lam = total
    tl.store(cotangent + own_place, lam, mask=inside)
