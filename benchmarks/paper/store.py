"""Results, one JSON file a cell, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.paper.scale import Scale
from neurognode.files import atomic_path


class Store:
    """A folder of results.

    Parameters
    ----------
    folder : path
    scale : Scale
        Its settings are written into every cell; a cell made with other settings is computed again.
    """

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.folder, self.scale = Path(folder), scale

    def path(self, *key: object) -> Path:
        """File of a cell."""
        return self.folder.joinpath(*(str(k).replace("/", "-") for k in key)).with_suffix(".json")

    def cell(self, key: tuple, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Result of a cell: read if it is there, computed and written otherwise."""
        found = self.read(*key)
        if found is not None:
            return found
        print("  ", "/".join(map(str, key)), "...", end=" ", flush=True)
        wall, cpu = time.monotonic(), time.process_time()
        result = compute()
        result["seconds"] = round(time.monotonic() - wall, 1)
        result["cpu_seconds"] = round(time.process_time() - cpu, 1)
        with atomic_path(self.path(*key)) as temporary:
            temporary.write_text(
                json.dumps({"settings": self.scale.settings(str(key[0])), **result}, indent=1)
            )
        print(f"{result['cpu_seconds']} CPU s", flush=True)
        return result

    def read(self, *key: object) -> dict[str, Any] | None:
        """Result of a cell, or None if it was not computed with these settings."""
        path = self.path(*key)
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        return found if found.get("settings") == self.scale.settings(str(key[0])) else None
