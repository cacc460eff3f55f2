"""Options of the commands whose cases several jobs may share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def shard_options(function: Function) -> Function:
    """Add ``--shard`` and ``--gather``."""
    for option in (
        click.option("--gather", is_flag=True,
                     help="Do no case: take what the jobs with --shard have done, name what is"
                     " missing, and make what is one for all cases."),
        click.option("--shard", metavar="I/N",
                     help="Do share I of N of the cases only, chosen by their names; other jobs may"
                     " do the others at the same time, in the same folder."),
    ):  # fmt: skip
        function = option(function)
    return function
