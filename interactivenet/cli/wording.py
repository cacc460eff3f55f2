"""From the words of Python to those of the command line.

Below the command line, texts name parameters and stages in backticks, as Python has them
(errors.py). Here `memory_gb=0` becomes --memory-gb 0, and `train(task="Task101_LIVER", fold="all")`
becomes 'interactivenet train -t Task101_LIVER -f all'.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from typing import Any

import click

#: a parameter, one with a value, or a call
_CODE = re.compile(
    r"`(?P<name>[a-z][a-z_0-9]*)(?:=(?P<value>[^`\n]*)|\((?P<arguments>[^`\n]*)\))?`"
)
#: stages whose command is called otherwise: the function's name -> the words of the command
_COMMANDS = {
    "select": "postprocess",
    "convert_dataset": "dataset convert",
    "check_dataset": "dataset",
    "install_model": "models install",
    "download_model": "models download",
    "convert_model": "models convert",
}


def translate(text: str, ctx: click.Context | None = None) -> str:
    """Write parameters and stages that a text names in backticks as one types them.

    ctx: of the command that runs, whose options parameters are; None for the current one. What is
    no option of it, and no command, stays as it is, without the backticks where it has a value.
    """
    ctx = ctx or click.get_current_context(silent=True)

    def replaced(found: re.Match[str]) -> str:
        if found["arguments"] is not None:
            return _call(found["name"], found["arguments"], ctx) or found[0]
        option = _option(ctx.command, found["name"]) if ctx else None
        if option is None:
            return found[0]
        if found["value"] is None:
            return _spelled(option)
        return _given(option, _literal(found["value"]), long=True)

    return _CODE.sub(replaced, text)


def _call(name: str, arguments: str, ctx: click.Context | None) -> str | None:
    """Write the call of a stage as a command; None where there is no such command."""
    words = _COMMANDS.get(name, name).split()
    command: click.Command | None = ctx.find_root().command if ctx else None
    for word in words:
        if not isinstance(command, click.Group) or ctx is None:
            return None
        command = command.get_command(ctx, word)
    if command is None:
        return None
    typed = ["interactivenet", *words]
    for field, value in _keywords(arguments):
        option = _option(command, field)
        if option is not None:
            typed.append(_given(option, value, long=False))
        elif value is not None:
            typed.append(shlex.quote(str(value)))
    return f"'{' '.join(typed)}'"


def _keywords(arguments: str) -> Iterator[tuple[str, Any]]:
    """Yield the keyword arguments of a call; those that are no literals keep their source."""
    try:
        call = ast.parse(f"f({arguments})", mode="eval").body
    except SyntaxError:
        return
    assert isinstance(call, ast.Call)
    for keyword in call.keywords:
        yield keyword.arg or "", _literal(ast.unparse(keyword.value))


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source


def _option(command: click.Command, name: str) -> click.Parameter | None:
    return next((one for one in command.params if one.name == name), None)


def _spelled(option: click.Parameter) -> str:
    """Name an option by all of its spellings, '-f / --fold', an argument as in the usage."""
    if isinstance(option, click.Argument):
        return option.make_metavar(click.get_current_context())
    return " / ".join(sorted(option.opts, key=len))


def _given(option: click.Parameter, value: Any, *, long: bool) -> str:
    """Write an option with its value; long: name it by all of its spellings."""
    if isinstance(option, click.Argument):
        return shlex.quote(str(value))
    if isinstance(option, click.Option) and option.is_flag:
        names = option.opts if value else option.secondary_opts or option.opts
        return max(names, key=len)
    name = _spelled(option) if long else min(option.opts, key=len)
    values = value if isinstance(value, (list, tuple)) else [value]
    # several values of an option that takes one are a list such as 0,1,2
    separator = "," if option.nargs == 1 and not option.multiple else " "
    shown = separator.join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)
    return f"{name} {shown if long else shlex.quote(shown)}"
