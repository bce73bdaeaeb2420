"""The tasks of the gnODE paper: what a network is trained to remember."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurognode.errors import one_of
from neurognode.synthetic.tasks.base import TaskTrials
from neurognode.synthetic.tasks.copy import copy_task
from neurognode.synthetic.tasks.flip_flop import FLIP_FLOPS, FlipFlop

TASKS: dict[str, Callable[..., TaskTrials]] = {**FLIP_FLOPS, "copy": copy_task}
"""Name -> generator."""

__all__ = ["TASKS", "FlipFlop", "TaskTrials", "make", "names"]


def names() -> list[str]:
    """Names of all tasks.

    Examples
    --------
    >>> from neurognode.synthetic import tasks
    >>> "square" in tasks.names()
    True
    """
    return list(TASKS)


def make(
    name: str,
    n_trials: int,
    *,
    strict: bool = True,
    random_state: int | np.random.Generator | None = 0,
    **options: Any,
) -> TaskTrials:
    """Draw trials of a task.

    Parameters
    ----------
    name : str
        ``fixed_1bit`` to ``fixed_3bit`` (pulses of -1 or 1), ``variable_1bit``, ``variable_3bit``, ``square``
        (the variable two-bit task), ``rectangle``, ``disk`` (an annulus), ``ring``, ``copy``.
    n_trials : int
    strict : bool
        True: exactly the generator of the paper, oddities included. False: pulses in the order of time that
        do not overlap.
    random_state : int, Generator or None

    Returns
    -------
    TaskTrials

    References
    ----------
    Kim, Can and Krishnamurthy, "Trainability, Expressivity and Interpretability in Gated Neural ODEs", ICML
    2023, arXiv:2307.06398.

    Examples
    --------
    >>> from neurognode.synthetic import tasks
    >>> tasks.make("square", 5).inputs.shape
    (5, 100, 2)
    """
    generate = TASKS[one_of(name, TASKS, "task")]
    return generate(n_trials, strict=strict, random_state=random_state, **options)
