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
from functools import lru_cache
from itertools import islice
from typing import Any

import click

#: a parameter, one with a value, or a call
_CODE = re.compile(
    r"(?<!`)`(?P<name>[a-z][a-z_0-9]*)(?:=(?P<value>[^`\n]+)|\((?P<arguments>[^`\n]*)\))?`(?!`)"
)
#: functions whose command has another name: the function's name -> the words of the command
_COMMANDS = {
    "select": "postprocess",
    "evaluate_corrections": "evaluate-corrections",
    "convert_dataset": "dataset convert",
    "check_dataset": "dataset",
    "make_phantoms": "dataset phantom",
    "convert_prompts": "prompts convert",
    "install_model": "models install",
    "download_model": "models download",
    "convert_model": "models convert",
}
#: parameters whose option has another name
_ALIASES = {"voxels": "voxels_in", "kernel": "encoding"}
#: where an option is looked for that the running command lacks; `evaluate` before `plan`, since
#: what lacks `jobs` (test, infer) measures cases as `evaluate` does
_OTHERS = ("train", "evaluate", "plan", "simulate", "convert_prompts", "infer")
#: parameters whose option belongs to one command first of all, where the running one lacks it
_HOMES = {"use_form": "check_dataset"}
#: so many functions that a text calls are looked at; ours call one or two
_CALLED = 4
_PROGRAM = "interactivenet"


def translate(text: str, ctx: click.Context | None = None) -> str:
    """Write the parameters and stages that a text names in backticks as one types them.

    ctx: of the command that runs, whose options the parameters are; None for the current one.
    An option that it lacks is one of another command, which is then named: one that the text calls,
    or a stage's. What is no option at all, and no call that a command can make, stays as it is.
    Never fails: a stranger's text may have backticks of its own.
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
        option, of = _option(ctx.command, match["name"]), ""
        if option is None:
            option, of = _option_elsewhere(match["name"], _called(match.string), ctx)
        if option is None:
            return None
        if match["value"] is None:
            return _spelled(option) + of
        return _with_value(option, _value(match["value"]), every_spelling=True) + of
    except (
        ValueError, SyntaxError, TypeError, MemoryError, RecursionError, ImportError,
        click.ClickException,
    ):  # fmt: skip
        return None  # no Python, or too much of it


def _call(name: str, arguments: str, ctx: click.Context) -> str | None:
    """Write the call of a stage as a command."""
    command = _command(name, ctx)
    if command is None:
        return None
    typed = [_PROGRAM, _words(name)]
    for field, value in _keywords(arguments):
        option = _option(command, field)
        if option is None:
            return None
        typed.append(_with_value(option, value, every_spelling=False))
    return f"'{' '.join(typed)}'"


def _words(name: str) -> str:
    """Return the words of a function's command."""
    return _COMMANDS.get(name, name)


def _command(name: str, ctx: click.Context) -> click.Command | None:
    """Return the command of a function; None where there is none."""
    command: click.Command | None = ctx.find_root().command
    if command is None or command.name != _PROGRAM:  # interactivenet_train and its like
        from interactivenet.cli import main

        command = main
    for word in _words(name).split():
        if not isinstance(command, click.Group):
            return None
        command = command.get_command(ctx, word)
    return command


def _option_elsewhere(
    parameter: str, called: tuple[str, ...], ctx: click.Context
) -> tuple[click.Parameter | None, str]:
    """Find an option that the running command lacks, and say whose it is.

    called: the functions that the text calls; nothing is said where it is an option of theirs.
    """
    home = (_HOMES[parameter],) if parameter in _HOMES else ()
    for name in (*called, *home, *_OTHERS):
        command = _command(name, ctx)
        option = _option(command, parameter) if command else None
        if option is not None:
            return option, "" if name in called else f" of '{_PROGRAM} {_words(name)}'"
    return None, ""


@lru_cache(maxsize=1)  # once for all parameters of a text
def _called(text: str) -> tuple[str, ...]:
    """Return the first functions that a text calls, each once."""
    calls = (match["name"] for match in _CODE.finditer(text) if match["arguments"] is not None)
    return tuple(islice(dict.fromkeys(calls), _CALLED))


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
    """Return a command's option for a parameter, by its own name or by its alias."""
    for alias in (name, _ALIASES.get(name)):
        for parameter in command.params:
            if parameter.name == alias:
                return parameter
    return None


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
