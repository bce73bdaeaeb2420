"""The log of a run: what was done and when, and every warning, in ``log.txt``."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

LOGGER = logging.getLogger("neurognode")
LOGGER.addHandler(logging.NullHandler())


class Paused(Exception):
    """Raised by a listener to stop a fit that goes on later from its checkpoint."""


@contextlib.contextmanager
def logging_to(path: str | os.PathLike[str]) -> Iterator[logging.Logger]:
    """Append what happens inside the block to a file, with times; warnings and the final error too.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from neurognode.runs.log import logging_to
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.txt"
    >>> with logging_to(path) as log:
    ...     log.info("fit starts")
    >>> path.read_text().endswith("INFO fit starts\\n")
    True
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before, show = LOGGER.level, warnings.showwarning

    def note(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        LOGGER.warning("%s: %s", category.__name__, message)
        show(message, category, *rest, **more)  # type: ignore[arg-type]

    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    warnings.showwarning = note  # type: ignore[assignment]
    try:
        yield LOGGER
    except KeyboardInterrupt:
        LOGGER.warning("Interrupted.")
        raise
    except Paused as pause:
        LOGGER.info("%s", pause)
        raise
    except Exception as error:
        LOGGER.exception("%s: %s", type(error).__name__, error)
        raise
    finally:
        warnings.showwarning = show
        LOGGER.setLevel(before)
        LOGGER.removeHandler(handler)
        handler.close()
