"""What all commands share: -h, --debug, one-line errors, lazy loading."""

from __future__ import annotations

import importlib
import io
import math
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from signal import SIGINT
from typing import Any, TypeVar

import click

from interactivenet.cli.folders import Access, DataPath, Rule, describe_missing_folder
from interactivenet.cli.wording import translate
from interactivenet.errors import InteractiveNetError, describe_failure, one_line
from interactivenet.system.folders import keep_temporary_files_away
from interactivenet.system.memory import VARIABLE
from interactivenet.system.mounts import in_image
from interactivenet.system.signals import AGAIN, Ended, Interrupted, ending_by_signals
from interactivenet.system.user import name_user

Function = TypeVar("Function", bound=Callable[..., Any])
_DEBUG = "interactivenet.debug"


class Refusal(click.ClickException):
    """The request cannot be fulfilled: one line, exit status 2."""

    exit_code = 2


class _Reporting(click.Command):
    """Adds -h and --debug, and turns our own errors into one line and exit status 2.

    In the image, a command without the folders that it needs is refused before it begins.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)
        if self.callback is not None:
            self.callback = _after_check(self.callback)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                help="Show the traceback of an error.",
                callback=_remember_debug,
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; an option that takes one value is refused if given twice."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        for option, count in Counter(order).items():
            if count > 1 and isinstance(option, click.Option) and _takes_one(option):
                name = " / ".join(sorted(option.opts, key=len))
                raise Refusal(f"{name}: is given {count} times, expected once")
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command; a signal at any moment is told in one line, and is the exit status."""
        for stream in (sys.stdout, sys.stderr):  # letters that cannot be shown end nothing
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        with ending_by_signals() as ending:
            try:
                return super().main(*args, **kwargs)
            except SystemExit as ended:
                # click takes for an answer, to a question or to nothing, what was a signal
                if ending.received and ended.code == 1:
                    raise SystemExit(128 + ending.received) from None
                raise

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt as signal:
            raise click.exceptions.Exit(_tell(signal)) from None

    def invoke(self, ctx: click.Context) -> Any:
        name_user()
        keep_temporary_files_away()
        # MLflow reports its use to its makers unless it is told not to, or a user allows it
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            return super().invoke(ctx)
        except InteractiveNetError as error:
            if ctx.meta.get(_DEBUG):
                traceback.print_exc()
            raise Refusal(translate(one_line(error), ctx)) from error
        except (Interrupted, KeyboardInterrupt) as signal:
            ctx.exit(_tell(signal))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # a fault of the program: not to be taken for "1, some failed"
            if ctx.meta.get(_DEBUG):
                traceback.print_exc()
            text = describe_failure(error)
            if text.endswith("(please report it)"):
                text = f"{text[:-1]}; --debug shows the traceback)"
            raise Refusal(text) from error


class Number(click.FloatRange):
    """A number in a range; click takes 'nan' for one, and it is below and above nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is no finite number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Command(_Reporting):
    """A command."""


class Group(_Reporting, click.Group):
    """A command with subcommands."""

    command_class = Command


class LazyGroup(Group):
    """A group that imports a subcommand's module only when that command is called.

    commands_at: name -> ("module:attribute", one line of help).
    """

    def __init__(
        self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._at = commands_at

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take 'interactivenet' before the command in the image, whose entry point has it."""
        if in_image() and ctx.parent is None and args[:1] == [self.name]:
            args = args[1:]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands, without importing them."""
        return list(self._at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand."""
        if cmd_name not in self._at:
            return None
        module, _, attribute = self._at[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help's list of subcommands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._at.items()])


def _takes_one(option: click.Option) -> bool:
    """Whether a second value of an option would silently replace the first.

    A flag given twice says the same twice, unless it can be switched off again.
    """
    plain_flag = option.is_flag and not option.secondary_opts
    return not (option.multiple or option.count or plain_flag)


def _tell(signal: BaseException) -> int:
    """Say in one line that a signal ended the command; returns the exit status."""
    ended = signal if isinstance(signal, Interrupted | Ended) else Interrupted(SIGINT)
    # what that costs differs: most commands continue, evaluate starts over
    click.echo(f"{ended}: {AGAIN}")
    return 128 + ended.number


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


def _after_check(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command's function with the check of its folders before it."""

    @wraps(callback)
    def checked(*args: Any, **kwargs: Any) -> Any:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None and (message := describe_missing_folder(ctx)):
            raise Refusal(message)
        return callback(*args, **kwargs)

    return checked


def task_option(function: Function) -> Function:
    """Add ``-t/--task``."""
    return click.option("-t", "--task", metavar="TaskXXX_NAME", help="Name of the task.")(function)


@dataclass(frozen=True)
class RootOption:
    """A decorator that adds the option for a folder of tasks.

    access: what the command does there, where it does not say otherwise by :meth:`with_access`.
    """

    name: str
    content: str
    default: str
    access: Access | Rule

    def __call__(self, function: Function) -> Function:
        """Add the option."""
        return click.option(
            f"--{self.name}", type=DataPath(self.access),
            help=f"Folder of {self.content}.  [default: $interactivenet_{self.name}, or"
            f" {self.default}]",
        )(function)  # fmt: skip

    def with_access(self, access: Access | Rule) -> RootOption:
        """Return the same for a command that does something else there; access: as DataPath's."""
        return replace(self, access=access)


raw_option = RootOption("raw", "raw tasks", "data/raw", "reads")
processed_option = RootOption("processed", "processed tasks", "data/processed", "reads")
results_option = RootOption("results", "results", "results", "writes")


def jobs_option(function: Function) -> Function:
    """Add ``--jobs``."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Number of threads.  [default: all available cores]",
    )(function)


def max_gb_option(function: Function) -> Function:
    """Add ``--max-gb``, which holds for all that the command reads, in its workers, too."""

    def allow(ctx: click.Context, _: click.Parameter, value: float | None) -> None:
        if value is None:
            return
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = f"{value:g}"

        def restore() -> None:
            if before is None:
                os.environ.pop(VARIABLE, None)
            else:
                os.environ[VARIABLE] = before

        ctx.call_on_close(restore)

    return click.option(
        "--max-gb", type=Number(min=0, min_open=True), expose_value=False, callback=allow,
        help="GB of voxels that an image may have.  [default: $interactivenet_max_gb, or a third of"
        " the available memory]",
    )(function)  # fmt: skip


def use_form_option(function: Function) -> Function:
    """Add ``--use-form``."""
    return click.option(
        "--use-form",
        type=click.Choice(["sform", "qform"]),
        help="Position that counts where a NIfTI header has two that differ, or none: sform, as"
        " nibabel reads it, or qform, as ITK and 3D Slicer do.",
    )(function)


def required(value: str | None, option: str) -> str:
    """Return the value, or raise click's error for a missing option."""
    if not value:
        raise click.UsageError(f"Missing option '{option}'.")
    return value
