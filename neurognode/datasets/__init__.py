"""The real-world data sets of the gnODE paper: where they are, whose they are, how they are split.

Nothing is downloaded: give the folder that holds the files, or set ``NEUROGNODE_DATA``.
"""

from __future__ import annotations

from neurognode.datasets.base import DatasetFile, Sequences, Splits
from neurognode.datasets.characters import FILE as CHARACTERS
from neurognode.datasets.characters import character_trajectories
from neurognode.datasets.digits import FILE as DIGITS
from neurognode.datasets.digits import spoken_digits
from neurognode.datasets.walker import FILE as WALKER
from neurognode.datasets.walker import walker2d

FILES: dict[str, DatasetFile] = {file.name: file for file in (CHARACTERS, WALKER, DIGITS)}
"""File name -> source, hash, licence, citation."""

__all__ = [
    "FILES",
    "DatasetFile",
    "Sequences",
    "Splits",
    "character_trajectories",
    "spoken_digits",
    "walker2d",
]
