"""The command line, `neurognode ...`: the door and its errors. Commands live in `neurognode.commands`.

Exit codes: 0 done; 2 what was asked for cannot be done; 1 something failed on the way; 130 interrupted.
"""

from __future__ import annotations

import errno
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import typer

import neurognode
from neurognode import commands
from neurognode.errors import FitError, IntegrationError, MissingExtraError, NeurognodeError

USAGE_ERROR: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Base of what the parser raises, wherever this version of typer keeps it."""

PACKAGE = str(Path(neurognode.__file__).parent)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"neurognode {neurognode.__version__}")
        raise typer.Exit


def _make_app() -> typer.Typer:
    app = typer.Typer(
        name="neurognode",
        help="From a neural recording to a tested statement about its dynamics.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )

    @app.callback()
    def door(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Print the version."
        ),
        debug: bool = typer.Option(
            False, "--debug", help="On an error, show where in the code it came from."
        ),
    ) -> None:
        """From a neural recording to a tested statement about its dynamics."""

    commands.register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors become one sentence on standard error.

    Examples
    --------
    >>> from neurognode.cli import run
    >>> run(["--version"])
    neurognode 0.1.0
    0
    """
    debug = "--debug" in arguments
    rest = [a for a in arguments if a != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            result = _make_app()(args=rest, prog_name="neurognode", standalone_mode=False, obj=rest)
        return int(result) if isinstance(result, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _say("Interrupted. What was written so far is whole and can be used.")
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        text, code = explain(error)
        _say(text)
        return code


def explain(error: Exception) -> tuple[str, int]:
    """What to tell the user about an error, and the exit code.

    Examples
    --------
    >>> from neurognode.cli import explain
    >>> from neurognode.errors import RecordingError
    >>> explain(RecordingError("There is no file 'a.nwb'"))
    ("There is no file 'a.nwb'.", 2)
    >>> explain(KeyError("x"))[1]
    1
    """
    if isinstance(error, USAGE_ERROR):
        return error.format_message(), 2  # type: ignore[attr-defined]
    if isinstance(error, (FitError, IntegrationError)):
        return str(error), 1
    if isinstance(error, (NeurognodeError, MissingExtraError)) or (
        isinstance(error, ValueError) and _is_ours(error)
    ):
        return str(error), 2
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" at {error.filename!r}" if error.filename else ""
        return (
            f"The disk is full{place}: free some space and repeat the command; nothing was half-written.",
            1,
        )
    if isinstance(error, PermissionError):
        return f"Not allowed to write or read {error.filename!r}.", 2
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"There is no file {str(error.filename)!r}.", 2
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"Out of memory: use fewer trials, a larger bin or a smaller batch_size. ({error})", 1
    return f"neurognode failed: {type(error).__name__}: {error} Run again with --debug to see where.", 1


def _is_ours(error: Exception) -> bool:
    """Whether neurognode itself raised the error, on purpose, and not a library it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return not frames or frames[-1].filename.startswith(PACKAGE)


def _note(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
    if issubclass(category, UserWarning) or (
        issubclass(category, RuntimeWarning) and PACKAGE in str(rest[0])
    ):
        _say(f"Note: {message}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
