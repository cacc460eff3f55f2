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
    r"(?<!`)`(?P<name>[a-z][a-z_0-9]*)(?:=(?P<value>[^`\n]+)|\((?P<arguments>[^`\n]*)\))?`(?!`)"
)
#: functions whose command has another name: the function's name -> the words of the command
_COMMANDS = {
    "select": "postprocess",
    "convert_dataset": "dataset convert",
    "check_dataset": "dataset",
    "make_phantoms": "dataset phantom",
    "convert_prompts": "prompts convert",
    "install_model": "models install",
    "download_model": "models download",
    "convert_model": "models convert",
}


def translate(text: str, ctx: click.Context | None = None) -> str:
    """Write the parameters and stages that a text names in backticks as one types them.

    ctx: of the command that runs, whose options the parameters are; None for the current one.
    What is neither an option of it nor a call that a command can make stays as it is. Never fails:
    a stranger's text may have backticks of its own.
    """
    if "`" not in text:
        return text
    ctx = ctx or click.get_current_context(silent=True)
    if ctx is None:
        return text
    return _CODE.sub(lambda match: _typed(match, ctx) or match[0], text)


def _typed(match: re.Match[str], ctx: click.Context) -> str | None:
    """Return what one types for it; None where there is nothing of the kind."""
    try:
        if match["arguments"] is not None:
            return _call(match["name"], match["arguments"], ctx)
        option = _option(ctx.command, match["name"])
        if option is None:
            return None
        if match["value"] is None:
            return _spelled(option)
        return _with_value(option, _value(match["value"]), every_spelling=True)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, click.ClickException):
        return None  # no Python, or too much of it


def _call(name: str, arguments: str, ctx: click.Context) -> str | None:
    """Write the call of a stage as a command."""
    words = _COMMANDS.get(name, name).split()
    command: click.Command | None = ctx.find_root().command
    for word in words:
        if not isinstance(command, click.Group):
            return None
        command = command.get_command(ctx, word)
    if command is None:
        return None
    typed = ["interactivenet", *words]
    for field, value in _keywords(arguments):
        option = _option(command, field)
        if option is None:
            return None
        typed.append(_with_value(option, value, every_spelling=False))
    return f"'{' '.join(typed)}'"


def _keywords(arguments: str) -> Iterator[tuple[str, Any]]:
    """Yield the keyword arguments of a call."""
    call = ast.parse(f"f({arguments})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise ValueError(f"expected keyword arguments only: {arguments}")
    for keyword in call.keywords:
        yield keyword.arg or "", _literal(keyword.value)


def _value(source: str) -> Any:
    return _literal(ast.parse(source, mode="eval").body)


def _literal(node: ast.expr) -> Any:
    """Evaluate a literal; a name stands for itself (TASK), and so does anything else."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return [_literal(element) for element in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _option(command: click.Command, name: str) -> click.Parameter | None:
    return next((parameter for parameter in command.params if parameter.name == name), None)


def _spelled(option: click.Parameter) -> str:
    """Name an option by all of its spellings, '-f / --fold', an argument as in the usage."""
    if isinstance(option, click.Argument):
        return option.human_readable_name
    return " / ".join([*sorted(option.opts, key=len), *option.secondary_opts])


def _with_value(option: click.Parameter, value: Any, *, every_spelling: bool) -> str:
    """Write an option with its value, by its shortest name or by every spelling."""
    if isinstance(option, click.Option) and option.is_flag:
        names = option.opts if value else option.secondary_opts
        return max(names, key=len) if names else _spelled(option)
    if value is None:
        return _spelled(option)
    values = value if isinstance(value, list) else [value]
    words = [_word(element) for element in values]
    if isinstance(option, click.Argument):
        return " ".join(words)
    name = _spelled(option) if every_spelling else min(option.opts, key=len)
    if option.multiple and not every_spelling:
        return " ".join(f"{name} {word}" for word in words) or name
    # several values of an option that takes one are a list such as 0,1,2
    between = "," if option.nargs == 1 and not option.multiple else " "
    return f"{name} {between.join(words)}".rstrip()


def _word(value: Any) -> str:
    if value is ...:
        return "..."
    return shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))
