"""Several processes that train one module together: each takes some rows of every batch, gradients are added up."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from neurognode.errors import FitError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Crew:
    """One of `count` processes that train copies of one module.

    Losses of the parts of a batch must add up to the loss of the whole batch: then the sum of their gradients is the
    gradient that one process would have found, and all copies stay the same.

    Parameters
    ----------
    rank, count : int
        Number of this process, from 0, and how many there are.
    meeting : str
        Path of a file, not there yet, by which the processes of this machine find each other.

    Examples
    --------
    >>> from neurognode.training.crew import Crew
    >>> [Crew(rank, 3).rows(8) for rank in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """

    rank: int = 0
    count: int = 1
    meeting: str = ""

    @property
    def alone(self) -> bool:
        """Whether this process is the only one."""
        return self.count == 1

    def rows(self, size: int) -> slice:
        """The rows of a batch of `size` that this process takes."""
        return slice(self.rank * size // self.count, (self.rank + 1) * size // self.count)

    def total(
        self, fabric: Fabric, values: dict[str, torch.Tensor], parameters: Iterable[torch.nn.Parameter]
    ) -> dict[str, torch.Tensor]:
        """Values and, in place, gradients of all parts added up.

        Raises
        ------
        FitError
            If another process has ended.
        """
        if self.alone:
            return values
        gradients = [p.grad for p in parameters if p.grad is not None]
        scalars = torch.stack([value.detach() for value in values.values()])
        flat = torch.cat([scalars.to(gradients[0]), *(g.reshape(-1) for g in gradients)])
        flat = _summed(fabric, flat)
        sums, *parts = flat.split([len(scalars), *(g.numel() for g in gradients)])
        for gradient, part in zip(gradients, parts):
            gradient.copy_(part.view_as(gradient))
        return dict(zip(values, sums))

    def agreed(self, fabric: Fabric, seconds: float) -> float:
        """The seconds that the first process has counted."""
        if self.alone:
            return seconds
        own = torch.tensor(0.0 if self.rank else seconds, dtype=torch.float64, device=fabric.device)
        return float(_summed(fabric, own))

    def leave(self) -> None:
        """Part from the others."""
        if not self.alone and dist.is_initialized():
            dist.destroy_process_group()


def _summed(fabric: Fabric, own: torch.Tensor) -> torch.Tensor:
    """The sum over all processes."""
    try:
        total = fabric.all_reduce(own, reduce_op="sum")
    except RuntimeError as error:
        raise FitError(f"A process that shared the fit has ended: {error}") from error
    assert isinstance(total, torch.Tensor)
    return total


def joined(crew: Crew, kind: str, precision: Any) -> Fabric:
    """A lightning-fabric object in the middle of its crew; waits until all are there.

    Parameters
    ----------
    crew : Crew
        Who this process is.
    kind : {"cpu", "cuda"}
        Where to compute; on GPUs each process takes the one of its number.
    precision : str
        As in lightning-fabric.

    Raises
    ------
    ValueError
        If there are fewer GPUs than processes, or this process trains with others already.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    class Place(LightningEnvironment):
        """Who this process is, without environment variables."""

        creates_processes_externally = True  # type: ignore[assignment]

        def local_rank(self) -> int:
            return crew.rank

    class Copies(DDPStrategy):
        """Processes that others have started, each with a plain copy of the module."""

        def _configure_launcher(self) -> None:
            self._launcher = None

        def setup_module(self, module: torch.nn.Module) -> Any:
            return module

    if kind == "cuda" and torch.cuda.device_count() < crew.count:
        raise ValueError(
            f"devices={crew.count} on GPUs needs as many; torch finds {torch.cuda.device_count()}. Use device='cpu'."
        )
    if dist.is_initialized():
        raise ValueError("This process trains with others already (torch.distributed); use devices=1.")
    with _loopback():
        dist.init_process_group(
            "nccl" if kind == "cuda" else "gloo",
            init_method=f"file://{crew.meeting}",
            rank=crew.rank,
            world_size=crew.count,
        )
    strategy = Copies(cluster_environment=Place())
    fabric = Fabric(accelerator=kind, devices=crew.count, strategy=strategy, precision=precision)
    fabric.launch()
    return fabric


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """Connections of a block stay on this machine."""
    name, device = "GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo"
    before = os.environ.get(name)
    os.environ[name] = device
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
