"""The commands of `neurognode`, one file each. Heavy rooms are imported when a command runs."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command to the application, in the order of the help text."""
    from neurognode.commands.demo import demo
    from neurognode.commands.fit import fit
    from neurognode.commands.inspect import inspect
    from neurognode.commands.mechanisms import mechanisms
    from neurognode.commands.push import push
    from neurognode.commands.stages import compare, evaluate, export, interpret, report
    from neurognode.commands.sweep import sweep
    from neurognode.commands.written import equations, prove

    for command in (
        inspect,
        fit,
        evaluate,
        interpret,
        equations,
        prove,
        push,
        compare,
        mechanisms,
        report,
        export,
    ):
        app.command()(command)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(sweep)
    app.command()(demo)
