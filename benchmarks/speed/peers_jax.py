"""JAX peers: `jax.lax.scan` (FINDR's way) and diffrax, single-threaded on the CPU."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.speed.shapes import STEP, TAU, Data

Run = Callable[[Any, Any, Any], Any]


def _net(weights: Any, h: Any, x: Any) -> Any:
    matrices, biases, drive = weights
    s = h @ matrices[0].T + x @ drive.T + biases[0]
    for matrix, bias in zip(matrices[1:], biases[1:]):
        s = jnp.tanh(s) @ matrix.T + bias
    return s


def _velocity(weights: Any, h: Any, x: Any) -> Any:
    drift, gate = weights
    return jax.nn.sigmoid(_net(gate, h, x)) * (_net(drift, h, x) - h) / TAU


def _euler(w: Any, h: Any, x: Any) -> Any:
    return h + STEP * _velocity(w, h, x)


def _exponential_euler(w: Any, h: Any, x: Any) -> Any:
    gate = jax.nn.sigmoid(_net(w[1], h, x))
    return h - jnp.expm1(-STEP / TAU * gate) * (_net(w[0], h, x) - h)


def _rk4(w: Any, h: Any, x: Any) -> Any:
    k1 = _velocity(w, h, x)
    k2 = _velocity(w, h + 0.5 * STEP * k1, x)
    k3 = _velocity(w, h + 0.5 * STEP * k2, x)
    k4 = _velocity(w, h + STEP * k3, x)
    return h + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _midpoint(w: Any, h: Any, x: Any) -> Any:
    return h + STEP * _velocity(w, h + 0.5 * STEP * _velocity(w, h, x), x)


_STEPS = {"euler": _euler, "midpoint": _midpoint, "exponential_euler": _exponential_euler, "rk4": _rk4}


def scan(method: str) -> Run:
    """A compiled loop over time, trial by trial under vmap, as FINDR does."""

    def one(w: Any, h0: Any, x: Any) -> Any:
        def step(h: Any, drive: Any) -> Any:
            h = _STEPS[method](w, h, drive)
            return h, h

        return jnp.concatenate([h0[None], lax.scan(step, h0, x[:-1])[1]])

    return lambda w, h0, x: jax.vmap(one, in_axes=(None, 0, 0))(w, h0, x)


def diffrax_steps(method: str) -> Run:
    """diffrax with steps of one bin, trial by trial under vmap."""
    import diffrax

    solver = {"euler": diffrax.Euler, "midpoint": diffrax.Midpoint}[method]()

    def one(w: Any, h0: Any, x: Any) -> Any:
        bins = x.shape[0] - 1

        def velocity(t: Any, h: Any, _: Any) -> Any:
            k = jnp.clip(jnp.floor(t / STEP + 1e-3).astype(int), 0, bins)
            return _velocity(w, h, x[k])

        path = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity), solver, t0=0.0, t1=bins * STEP, dt0=STEP, y0=h0,
            saveat=diffrax.SaveAt(ts=jnp.arange(1, bins + 1) * STEP), max_steps=bins + 1,
        ).ys  # fmt: skip
        return jnp.concatenate([h0[None], path])

    return lambda w, h0, x: jax.vmap(one, in_axes=(None, 0, 0))(w, h0, x)


def step_of(data: Data, run: Run) -> Callable[[], list[Any]]:
    """A compiled training step: gradients in the order of a GNODE's parameters."""
    named = {name: jnp.asarray(p.detach().numpy()) for name, p in data.field.named_parameters()}
    names = list(named)
    count = len(data.field.drift_net.weights)
    h0, x = jnp.asarray(data.h0.detach().numpy()), jnp.asarray(data.inputs.numpy())
    weight = jnp.asarray(data.weight.numpy())

    def loss(named: Any, h0: Any) -> Any:
        nets = [
            (
                [named[f"{net}.weights.{i}"] for i in range(count)],
                [named[f"{net}.biases.{i}"] for i in range(count)],
                named[f"{net}.input_weight"],
            )
            for net in ("drift_net", "gate_net")
        ]
        return (run(nets, h0, x) * weight).sum()

    compiled = jax.jit(jax.grad(loss, argnums=(0, 1)))

    def step() -> list[Any]:
        of_weights, of_h0 = jax.block_until_ready(compiled(named, h0))
        return [np.asarray(of_h0), *(np.asarray(of_weights[name]) for name in names)]

    return step
