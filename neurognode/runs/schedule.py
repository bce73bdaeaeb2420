"""Which trial of a sweep runs next: random search, successive halving, population-based training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from neurognode.errors import one_of
from neurognode.runs.space import Range, Space

METHODS = ("random", "asha", "population")
REDUCTION = 3
TRAINING = ("learning_rate", "weight_decay", "kl_weight", "coordinated_dropout")
"""What population-based training may change during a fit."""


@dataclass
class Trial:
    """One setting of a sweep and how far it has come.

    Attributes
    ----------
    id : int
        Number, also the name of its folder.
    params : dict
        What was drawn for it.
    scores : dict of int to float
        Validation score at each rung (steps) it has reached.
    state : {"waiting", "running", "paused", "done", "failed"}
    error : str
        Why it failed.
    parent : int or None
        Trial whose weights it took over last.
    """

    id: int
    params: dict[str, Any]
    scores: dict[int, float] = field(default_factory=dict)
    state: str = "waiting"
    error: str = ""
    parent: int | None = None

    @property
    def steps(self) -> int:
        """Steps done so far."""
        return max(self.scores, default=0)

    @property
    def score(self) -> float:
        """Score at the last rung reached; NaN before the first."""
        return self.scores[self.steps] if self.scores else float("nan")

    def to_json(self) -> dict[str, Any]:
        """For the sweep's state file."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Trial:
        """What `to_json` gave; a trial that was running waits again, or is paused if it has reached a rung."""
        scores = {int(k): float("nan") if v is None else float(v) for k, v in stored["scores"].items()}
        state = stored["state"]
        if state == "running":
            state = "paused" if scores else "waiting"
        return cls(stored["id"], stored["params"], scores, state, stored["error"], stored["parent"])


def rungs(method: str, max_steps: int, every: int) -> list[int]:
    """Steps at which scores are compared, multiples of `every` but for the last, which is `max_steps`.

    Examples
    --------
    >>> from neurognode.runs.schedule import rungs
    >>> rungs("asha", 2000, 50), rungs("random", 2000, 50)
    ([200, 650, 2000], [2000])
    """
    one_of(method, METHODS, "method")
    if method == "random":
        return [max_steps]
    if method == "population":
        step = max(every, every * round(max_steps / 8 / every))
        return [*range(step, max_steps, step), max_steps]
    found, steps = [max_steps], max_steps / REDUCTION
    while len(found) < 4 and steps >= 2 * every:
        found.insert(0, every * int(steps // every))
        steps /= REDUCTION
    return found


def next_job(trials: Sequence[Trial], levels: Sequence[int], method: str) -> tuple[Trial, int] | None:
    """The trial to run next and until which step; None if nothing can start now.

    Successive halving is asynchronous (Li et al. 2020): the best third of those that have reached a rung goes on
    as soon as it is known, the highest rung first; otherwise a new trial starts.
    """
    ready, until = next_jobs(trials, levels, method)
    return (ready[0], until) if ready else None


def next_jobs(trials: Sequence[Trial], levels: Sequence[int], method: str) -> tuple[list[Trial], int]:
    """All trials that could run next until the same step, and that step; see `next_job`."""
    if method == "asha":
        for low, high in zip(levels[-2::-1], levels[::-1]):
            reached = sorted(
                (t for t in trials if low in t.scores),
                key=lambda t: -np.nan_to_num(t.scores[low], nan=-np.inf),
            )
            best = reached[: len(reached) // REDUCTION]
            ready = [t for t in best if t.state == "paused" and t.steps == low]
            if ready:
                return ready, high
    if method == "population":
        behind = [t for t in trials if t.state in ("waiting", "paused")]
        running = [t for t in trials if t.state == "running"]
        level = min((_after(t.steps, levels) for t in behind + running), default=0)
        return [t for t in behind if _after(t.steps, levels) == level], level
    return [t for t in trials if t.state == "waiting"], levels[0]


def _after(steps: int, levels: Sequence[int]) -> int:
    return next(level for level in [*levels, 10**12] if level > steps)


def exploit(
    trials: Sequence[Trial],
    level: int,
    space: Space,
    rng: np.random.Generator,
    copy: Callable[[Trial, Trial], None],
) -> None:
    """Population-based training after a round (Jaderberg et al. 2017): the worst fifth takes over from the best.

    `copy(winner, loser)` moves the weights; the loser takes the winner's settings with those of training moved
    a fifth up or down.
    """
    ranked = sorted(
        (t for t in trials if t.state == "paused" and t.steps == level),
        key=lambda t: -np.nan_to_num(t.score, nan=-np.inf),
    )
    count = max(1, len(ranked) // 5) if len(ranked) > 1 else 0
    for loser in ranked[len(ranked) - count :]:
        winner = ranked[int(rng.integers(count))]
        if winner is loser or not winner.score > loser.score:
            continue
        loser.params = dict(winner.params)
        for name, part in space.parts.items():
            if name in TRAINING and isinstance(part, Range):
                loser.params[name] = part.near(loser.params[name], rng)
        loser.parent = winner.id
        copy(winner, loser)
