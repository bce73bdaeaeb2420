"""A verdict on one hypothesis, and the list of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from neurognode.errors import one_of
from neurognode.interpret import storage

STATUSES = ("supported", "rejected", "cannot_tell")


@dataclass(frozen=True, eq=False)
class Verdict:
    """What can be said about one hypothesis.

    Attributes
    ----------
    hypothesis : str
        Its name in the registry.
    status : {"supported", "rejected", "cannot_tell"}
    reason : str
        One sentence.
    statistic, statistic_name : float, str
        Median over members, and what it is.
    effect_size, effect_name : float, str
        Median over members, and what it is.
    interval : array (2,)
        Smallest and largest statistic over members where there are fewer than six, otherwise the 95 % interval
        of their mean.
    null : str
        Name of the null, and whether surrogates were refitted or only re-scored; "not tested" without one.
    null_sample : array (n,)
        The statistic that was compared, on each surrogate.
    null_statistic : float
        The same statistic on the data, weighed like the sample by the activity explained.
    p, p_corrected : float
        Alone, and corrected over the hypotheses tested (Holm 1979); NaN where no null was run.
    agreement : float
        Share of members that give the status most of them give; NaN for a single one.
    variant : str
        A form of the hypothesis, such as "leaky".
    members : tuple of str
        Status by member.
    """

    schema_version: ClassVar[int] = 1

    hypothesis: str
    status: str
    reason: str
    statistic: float = float("nan")
    statistic_name: str = ""
    effect_size: float = float("nan")
    effect_name: str = ""
    interval: np.ndarray = field(default_factory=lambda: np.full(2, np.nan))
    null: str = "not tested"
    null_sample: np.ndarray = field(default_factory=lambda: np.empty(0))
    null_statistic: float = float("nan")
    p: float = float("nan")
    p_corrected: float = float("nan")
    agreement: float = float("nan")
    variant: str = ""
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of(self.status, STATUSES, "status")

    def to_frame(self) -> pd.DataFrame:
        """One row; the null sample left out."""
        return Verdicts([self]).to_frame()

    def to_xarray(self) -> xr.Dataset:
        """Everything as a Dataset."""
        return storage.to_dataset(self, {"null_sample": ("surrogate",)}, self.schema_version)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file."""
        storage.write(self.to_xarray(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Verdict:
        """Read what `save` wrote."""
        return storage.from_dataset(storage.read(path, "Verdict", cls.schema_version), {"Verdict": cls})

    def __str__(self) -> str:
        word = self.status.replace("_", " ")
        p = f", p = {self.p_corrected:.2g} against {self.null}" if np.isfinite(self.p_corrected) else ""
        form = f" ({self.variant})" if self.variant else ""
        return f"{self.hypothesis.replace('_', ' ')}{form}: {word}{p}. {self.reason}"


@dataclass(frozen=True, eq=False)
class Verdicts(Sequence[Verdict]):
    """Verdicts in the order in which the hypotheses were tested.

    Attributes
    ----------
    items : tuple of Verdict
    notes : tuple of str
        What holds for all of them.

    Examples
    --------
    >>> from neurognode.hypotheses import Verdict, Verdicts
    >>> verdicts = Verdicts([Verdict("ring_attractor", "cannot_tell", "One fit cannot be sure.")])
    >>> print(verdicts["ring_attractor"].status, len(verdicts))
    cannot_tell 1
    """

    schema_version: ClassVar[int] = 1

    items: Sequence[Verdict]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.items)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.items[key]
        return self.items[[v.hypothesis for v in self.items].index(one_of(key, self.names(), "hypothesis"))]

    def names(self) -> list[str]:
        """Names of the hypotheses."""
        return [verdict.hypothesis for verdict in self.items]

    def supported(self) -> list[str]:
        """Names of the supported ones."""
        return [verdict.hypothesis for verdict in self.items if verdict.status == "supported"]

    def sentence(self) -> str:
        """The answer in one sentence."""
        found = [
            f"{v.variant} {v.hypothesis}".strip().replace("_", " ")
            for v in self.items
            if v.status == "supported"
        ]
        if found:
            return f"The data support: {', '.join(found)}."
        open_ones = [v.hypothesis.replace("_", " ") for v in self.items if v.status == "cannot_tell"]
        if open_ones:
            return f"No hypothesis is supported; it cannot be told about: {', '.join(open_ones)}."
        return "No hypothesis is supported; all of them are rejected."

    def to_frame(self) -> pd.DataFrame:
        """One row a hypothesis."""
        keep = [f.name for f in fields(Verdict) if f.name not in ("null_sample", "interval", "members")]
        frame = pd.DataFrame([{name: getattr(v, name) for name in keep} for v in self.items], columns=keep)
        frame["lower"] = [v.interval[0] for v in self.items]
        frame["upper"] = [v.interval[1] for v in self.items]
        frame["n_surrogates"] = [len(v.null_sample) for v in self.items]
        return frame

    def to_xarray(self) -> xr.Dataset:
        """Everything as a Dataset; variables are named by their place, such as ``items.0.null_sample``."""
        return storage.to_dataset(self, {}, self.schema_version)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file (by way of a temporary name)."""
        storage.write(self.to_xarray(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Verdicts:
        """Read what `save` wrote."""
        dataset = storage.read(path, "Verdicts", cls.schema_version)
        return storage.from_dataset(dataset, {"Verdicts": cls, "Verdict": Verdict})

    def __str__(self) -> str:
        return "\n".join(
            [self.sentence(), *(f"  {v}" for v in self.items), *(f"  note: {n}" for n in self.notes)]
        )
