"""Results, one JSON file a cell, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.paper.scale import Scale
from neurognode.files import atomic_path

Cell = tuple[tuple, Callable[[], dict[str, Any]]]
"""Name of a result (part, experiment, variant ...) and how to compute it."""


class Store:
    """A folder of results.

    Parameters
    ----------
    folder : path
    scale : Scale
        Its settings are written into every cell; a cell made with other settings is computed again.
    instead : Store, optional
        A smaller run that stands in, in tables, for what has not been computed.
    """

    def __init__(self, folder: Path, scale: Scale, instead: Store | None = None) -> None:
        self.folder, self.scale, self.instead = Path(folder), scale, instead
        self.short = False

    def path(self, *key: object) -> Path:
        """File of a cell."""
        return self.folder.joinpath(*(str(k).replace("/", "-") for k in key)).with_suffix(".json")

    def compute(self, part: str, cells: Sequence[Cell]) -> None:
        """Compute the cells of a part that are missing, saying how far it is."""
        missing = [cell for cell in cells if self.read(*cell[0]) is None]
        print(f"{part}: {len(cells) - len(missing)} of {len(cells)} cells are there", flush=True)
        began = time.monotonic()
        for done, (key, function) in enumerate(missing):
            if self.read(*key) is not None:  # another process has been here
                continue
            left = (time.monotonic() - began) / done * (len(missing) - done) if done else float("nan")
            eta = f", about {left / 60:.0f} min left" if done else ""
            print(f"   [{done + 1}/{len(missing)}{eta}]", "/".join(map(str, key)), end=" ... ", flush=True)
            self._write(key, function)

    def _write(self, key: tuple, function: Callable[[], dict[str, Any]]) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        result = function()
        result["seconds"] = round(time.monotonic() - wall, 1)
        result["cpu_seconds"] = round(time.process_time() - cpu, 1)
        with atomic_path(self.path(*key)) as temporary:
            temporary.write_text(
                json.dumps({"settings": self.scale.settings(str(key[0])), **result}, indent=1)
            )
        print(f"{result['cpu_seconds']} CPU s", flush=True)

    def read(self, *key: object) -> dict[str, Any] | None:
        """Result of a cell, or None if it was not computed with these settings."""
        path = self.path(*key)
        if path.exists():
            found = json.loads(path.read_text())
            if found.get("settings") == self.scale.settings(str(key[0])):
                return found
        return None

    def shown(self, *key: object) -> dict[str, Any] | None:
        """Result for the tables: of the smaller run where this one has none, with ``short`` set and remembered."""
        found = self.read(*key)
        if found is None and self.instead is not None:
            found = self.instead.read(*key)
            if found is not None:
                found["short"] = self.short = True
        return found
