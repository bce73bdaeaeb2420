"""A progress bar for work that reports what it does, how far it is, and out of how many."""

from __future__ import annotations

import sys
from typing import Any


class Bars:
    """Callable ``bars(what, done, total)``: one tqdm bar for each kind of work, closed when it is done.

    Examples
    --------
    >>> import io
    >>> from neurognode.commands.bars import Bars
    >>> text = io.StringIO()
    >>> with Bars(file=text) as bars:
    ...     bars("surrogates", 1, 2)
    ...     bars("surrogates", 2, 2)
    >>> "surrogates" in text.getvalue()
    True
    """

    def __init__(self, file: Any = None) -> None:
        self.file = sys.stderr if file is None else file
        self._bar: Any = None
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        from tqdm.auto import tqdm

        if what != self._what:
            self.close()
            self._what = what
            self._bar = tqdm(total=total, desc=f"  {what}", file=self.file, mininterval=0.2)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
            if done >= total:
                self.close()

    def close(self) -> None:
        """Finish the bar that is open."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._what = None, ""

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
