"""Where the jobs of a sweep are done: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from neurognode.errors import MissingExtraError, RunError

RETRIES = 3
"""How often Ray starts a job again that was lost with its worker."""


class Processes:
    """Processes of this machine.

    Attributes
    ----------
    broken : exception
        What a future raises when a worker died.
    """

    broken: type[BaseException] = BrokenProcessPool

    def __init__(self, workers: int) -> None:
        import multiprocessing

        self.workers = workers
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., Any], **job: Any) -> Future:
        """Start a job as soon as a process is free."""
        return self._pool.submit(work, **job)


class RayCluster:
    """Workers of a Ray cluster that sees the sweep's folder under the same path.

    A job whose worker dies is started again elsewhere and goes on from its last checkpoint; when this process dies,
    Ray ends its jobs, and the sweep is resumed like any other. The schedulers are the sweep's own: Ray places jobs
    and notices losses.

    Parameters
    ----------
    address : str
        ``"auto"`` or host:port of the cluster's head, as Ray understands it.
    workers : int
        Jobs at the same time; below 2, one for each CPU of the cluster.

    Raises
    ------
    MissingExtraError, RunError
        If Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, address: str, workers: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "sweep") from error
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise RunError(
                f"There is no Ray cluster at {address!r} ({error}). Start one with: ray start --head"
            ) from error
        self._ray: Any = ray
        self.broken: type[BaseException] = ray.exceptions.RayError
        self.workers = workers if workers > 1 else max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._running: list[Any] = []

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(self, *_: Any) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()

    def submit(self, work: Callable[..., Any], **job: Any) -> Future:
        """Start a job on one CPU of the cluster."""
        remote = self._ray.remote(num_cpus=1, max_retries=RETRIES)(work)
        reference = remote.remote(**job)
        self._running.append(reference)
        return reference.future()
