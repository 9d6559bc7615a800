"""Options of commands, as typer reads them off a signature: those of settings follow from the table of `runs`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any

import typer

from ..runs.settings import TABLE

Command = Callable[..., None]


def takes(*names: str, **said: str) -> Callable[[Command], Command]:
    """Give a command the options of settings, which its `**given` receives, None for those that are not given; and --debug.

    names : of the table. said : help texts of those that mean something else in this command.
    """

    def decorated(command: Command) -> Command:
        """The command with these options in its signature."""

        @wraps(command)
        def call(debug: bool, **given: Any) -> None:  # `main` sees to --debug
            command(**given)

        own = [p for p in signature(command, eval_str=True).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own]
        parameters += [_option(name, said.get(name, TABLE[name].help)) for name in names]
        debug = typer.Option(False, "--debug", help="Show the traceback of an error.")
        parameters.append(Parameter("debug", Parameter.KEYWORD_ONLY, default=debug, annotation=bool))
        call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return decorated


def _option(name: str, said: str) -> Parameter:
    setting = TABLE[name]
    switch = setting.default is False
    flags = [f"--{name.replace('_', '-')}"] if switch else setting.flags
    option = typer.Option(None, *flags, metavar=setting.metavar, help=said)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=(bool if switch else setting.kind) | None)
