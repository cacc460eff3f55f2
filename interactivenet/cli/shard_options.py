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
                     help="Once all jobs with --shard have ended: look up what they have done, name"
                     " the cases that are missing, and write the results of all together."
                     " No case is done. Give it the options of the jobs."),
        click.option("--shard", metavar="I/N",
                     help="Do one of N shares of the cases, such as 3/16. N jobs, from 1/N to N/N,"
                     " do them all, at the same time and in the same folder; --gather comes last."),
    ):  # fmt: skip
        function = option(function)
    return function
