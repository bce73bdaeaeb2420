"""The exceptions neurognode raises, and the nearest-spelling helper their messages use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeurognodeError(Exception):
    """Base of every exception that neurognode raises on purpose."""


class RecordingError(NeurognodeError):
    """Something is wrong with a recording.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str, optional
        The file, and the path inside it where there is one.
    hint : str, optional
        What could be done about it.

    Examples
    --------
    >>> from neurognode.errors import RecordingError
    >>> print(RecordingError("No spikes here", where="a.nwb:/units", hint="Try another file."))
    No spikes here [a.nwb:/units]. Try another file.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what.rstrip("."), where, hint
        super().__init__(what, where, hint)

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.what}{place}.{hint}"


class IntegrationError(NeurognodeError, ArithmeticError):
    """An explicit integration method diverged; the message names the time and a safer method."""


class FitError(NeurognodeError):
    """A fit cannot start or go on; the message says why and what was kept."""


class RunError(NeurognodeError):
    """A run folder or checkpoint is missing, damaged, or from a version that cannot be read."""


class MissingExtraError(NeurognodeError, ImportError):
    """An optional package is needed.

    Examples
    --------
    >>> from neurognode.errors import MissingExtraError
    >>> print(MissingExtraError("ripser", "topology"))
    This needs the package 'ripser'. Install it with: pip install "neurognode[topology]"
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f'This needs the package {package!r}. Install it with: pip install "neurognode[{extra}]"'
        )


def one_of(value: object, allowed: Iterable[str], what: str) -> str:
    """Return `value` if it is allowed; otherwise raise a ValueError that lists what is.

    Parameters
    ----------
    value : object
        What was given.
    allowed : iterable of str
        What may be given.
    what : str
        Name of the argument, for the message.

    Raises
    ------
    ValueError
        Names the value, everything allowed, and the nearest spelling.

    Examples
    --------
    >>> from neurognode.errors import one_of
    >>> one_of("ringg", ["ring", "line"], "circuit")
    Traceback (most recent call last):
    ...
    ValueError: circuit='ringg' is not known. Allowed: 'ring', 'line'. Did you mean 'ring'?
    """
    names = [str(a) for a in allowed]
    if isinstance(value, str) and value in names:
        return value
    raise ValueError(f"{what}={value!r} is not known. {listing(value, names)}")


def listing(value: object, names: Iterable[str], limit: int = 30) -> str:
    """List the allowed names and the one spelled most like `value`, as the tail of an error message.

    Examples
    --------
    >>> from neurognode.errors import listing
    >>> listing("cue", ["cue_time", "stop_time"])
    "Allowed: 'cue_time', 'stop_time'. Did you mean 'cue_time'?"
    """
    names = list(names)
    shown = ", ".join(repr(n) for n in names[:limit]) or "nothing"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    return f"Allowed: {shown}{more}." + (f" Did you mean {near[0]!r}?" if near else "")
