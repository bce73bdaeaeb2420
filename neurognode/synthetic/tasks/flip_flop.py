"""Flip-flop tasks: remember the last pulse, of fixed or of any size, in one, two or three channels.

The strict generators follow the code of the gnODE paper bin by bin, oddities included: pulses may overlap, a
pulse that was *drawn* later (not one that comes later) overwrites another, and pulses that would not fit
into the trial are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurognode.synthetic.tasks.base import TaskTrials

N_BINS, WIDTH, DT = 100, 3, 0.01

Draw = Callable[[int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class FlipFlop:
    """A flip-flop task.

    Attributes
    ----------
    name : str
    amplitude : callable
        ``(n, rng) -> (n, channel)`` pulse heights; zero leaves a channel alone.
    initial : tuple of float
        What is to be remembered before the first pulse.
    rate : float
        Mean number of pulses a trial.
    """

    name: str
    amplitude: Draw
    initial: tuple[float, ...]
    rate: float = 12.0

    def __call__(
        self, n_trials: int, *, strict: bool = True, random_state: int | np.random.Generator | None = 0
    ) -> TaskTrials:
        """Draw trials of 1 s in bins of 10 ms; see `neurognode.synthetic.tasks.make`."""
        rng = np.random.default_rng(random_state)
        inputs = np.zeros((n_trials, N_BINS, len(self.initial)))
        for trial in range(n_trials):
            starts = rng.integers(0, N_BINS, rng.poisson(self.rate))
            heights = self.amplitude(len(starts), rng)
            if not strict:
                starts, heights = _apart(starts, heights)
            for start, height in zip(starts, heights):
                if start <= N_BINS - WIDTH:
                    window = inputs[trial, start : start + WIDTH]
                    window[:, height != 0] = height[height != 0]
        return TaskTrials(self.name, inputs, hold(inputs, np.asarray(self.initial)), DT)


def hold(inputs: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """Last non-zero input of each channel, in the very bin it appears; `initial` before the first.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.synthetic.tasks.flip_flop import hold
    >>> hold(np.array([[[0.0], [2.0], [0.0], [-1.0], [0.0]]]), np.array([5.0]))[0, :, 0].tolist()
    [5.0, 2.0, 2.0, -1.0, -1.0]
    """
    bins = np.arange(inputs.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(inputs != 0, bins, -1), axis=1)
    held = np.take_along_axis(inputs, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, held, initial)


def _apart(starts: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pulses in the order of time, without those that start before the one before has ended."""
    order = np.argsort(starts, kind="stable")
    kept, free = [], 0
    for index in order:
        if starts[index] >= free:
            kept.append(index)
            free = starts[index] + WIDTH
    return starts[kept], heights[kept]


def one_channel(size: Callable[[int, np.random.Generator], np.ndarray], scale: tuple[float, ...]) -> Draw:
    """Heights on one channel at a time, chosen at random."""

    def draw(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
        channel = rng.integers(len(scale), size=n_pulses)
        return size(n_pulses, rng)[:, None] * np.eye(len(scale))[channel] * np.asarray(scale)

    return draw


def signs(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
    """-1 or 1."""
    return rng.choice([-1.0, 1.0], n_pulses)


def heights(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in [-1, 1]."""
    return rng.uniform(-1, 1, n_pulses)


def annulus(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
    """Points uniform in area between the circles of radius 1 and 2."""
    radius = np.sqrt(rng.uniform(1, 4, n_pulses))
    return radius[:, None] * _direction(n_pulses, rng)


def circle(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
    """Points on the circle of radius 2."""
    return 2 * _direction(n_pulses, rng)


def _direction(n_pulses: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, n_pulses)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


FLIP_FLOPS = {
    task.name: task
    for task in (
        FlipFlop("fixed_1bit", one_channel(signs, (1.0,)), (1.0,)),
        FlipFlop("fixed_2bit", one_channel(signs, (1.0, 1.0)), (1.0, 1.0)),
        FlipFlop("fixed_3bit", one_channel(signs, (1.0, 1.0, 1.0)), (1.0, 1.0, 1.0)),
        FlipFlop("variable_1bit", one_channel(heights, (1.0,)), (0.0,)),
        FlipFlop("variable_3bit", one_channel(heights, (1.0, 1.0, 1.0)), (0.0, 0.0, 0.0)),
        FlipFlop("square", one_channel(heights, (1.0, 1.0)), (0.0, 0.0)),
        FlipFlop("rectangle", one_channel(heights, (2.0, 1.0)), (0.0, 0.0)),
        FlipFlop("disk", annulus, (1.5, 0.0), rate=6.0),
        FlipFlop("ring", circle, (2.0, 0.0)),
    )
}
